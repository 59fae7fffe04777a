"""Curves along a training: described once, drawn on the screen in its theme's colours; no streamlit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from routeviz.dashboard.runs import Run, smooth
from routeviz.plots.screen import SYMBOLS, safe
from routeviz.plots.sheet import Axis, Line, Panel, Sheet
from routeviz.plots.style import series
from routeviz.quantities import unit_of

HEIGHT, BELOW = 290, 96
COLOURS, MARK = ("#3a86c8", "#e0701a", "#1f9e89"), "#e0407a"
"""Of the curves in their order, and of the step: they stand out from white and from black."""

THIN = 0.8


def losses(run: Run) -> Sheet:
    """Loss on the training batches: each line of metrics, and their running mean."""
    marks = []
    if len(run.steps):
        step = run.steps["step"].to_numpy(float)
        for index, (column, name) in enumerate((("loss", "loss"), ("cross_entropy", "cross-entropy alone"))):
            budget = run.config.budget is not None
            if column == "loss" or budget:
                dash = ("solid", "dot")[index]
                marks.append(Line(step, smooth(run.steps[column]), series(index)[0], 1.3, dash, name=name))
    return _sheet(run, marks, "loss, running mean")


def accuracy(run: Run) -> Sheet:
    """Accuracy on the evaluation split."""
    table, marks = run.evaluations, []
    if len(table):
        for index, (column, name) in enumerate((("miou", "mIoU"), ("pixel_accuracy", "pixel accuracy"))):
            colour, dash, symbol = series(index)
            marks.append(Line(_steps(run), 100 * table[column].to_numpy(float), colour, 1.3, dash, symbol, name))
    return _sheet(run, marks, f"{run.config.eval_split}, %", (0, 100))


def macs(run: Run, convention: str) -> Sheet:
    """Real MACs of the routes on the evaluation split, in one convention, beside the expected ones."""
    table, marks = run.evaluations, []
    highest = 1.0
    if len(table):
        step, (unit, letter) = _steps(run), unit_of(table[f"{convention}_max"].max())
        for what, dash, width in (("avg", "solid", 1.5), ("max", "dot", THIN), ("min", "dot", THIN)):
            values = table[f"{convention}_{what}"].to_numpy(float) / unit
            symbol = "circle" if what == "avg" else ""
            marks.append(Line(step, values, series(0)[0], width, dash, symbol, f"real, {what} ({convention})"))
        expected = table["expected_macs"].to_numpy(float) / unit
        if not np.isnan(expected).all():
            marks.append(Line(step, expected, series(1)[0], 1.3, "dash", "square", "expected (released)"))
        highest = max(np.nanmax(mark.y) for mark in marks)
        return _sheet(run, marks, f"MACs an image, {run.config.eval_split}, {letter}", (0, 1.06 * highest))
    return _sheet(run, marks, "MACs", (0, highest))


def paths(run: Run, table: pd.DataFrame) -> Sheet:
    """Paths that are alive at each step of a drift, and those born and died since the one before."""
    marks = [_course(table, name, index, name) for index, name in enumerate(("alive", "born", "died"))]
    return _sheet(run, marks, "paths", (0, 1.06 * max(1, table["alive"].max(), table["died"].max())))


def entropy(run: Run, table: pd.DataFrame, gates: pd.DataFrame) -> Sheet:
    """Entropy of gates over images at each step of a drift: the mean of all, and the largest."""
    marks = [_course(table, "entropy", 0, "mean of all gates")]
    marks.append(_line(table["step"], gates.max().to_numpy(), 1, "of the gate that decides most"))
    return _sheet(run, marks, "entropy, bits", (0, 1.06))


def drifted_macs(run: Run, table: pd.DataFrame) -> Sheet:
    """Real MACs at each step of a drift, counted as the released code does, beside the expected ones."""
    names = {"macs_released": "real (released)", "expected_macs_released": "expected (released)"}
    known = {name: words for name, words in names.items() if name in table}
    if not known:
        return _sheet(run, [], "MACs", (0, 1))
    highest = table[list(known)].to_numpy(float).max()
    unit, letter = unit_of(highest)
    marks = [
        _line(table["step"], table[name] / unit, index, words) for index, (name, words) in enumerate(known.items())
    ]
    return _sheet(run, marks, f"MACs an image, {letter}", (0, 1.06 * highest / unit))


def drawn(sheet: Sheet, step: int) -> go.Figure:
    """Draw one panel of curves for the screen, with a line at a step."""
    (panel,) = sheet.panels
    figure = go.Figure()
    colours = iter(COLOURS)
    for mark in panel.marks:
        thin = mark.width <= THIN
        colour = COLOURS[0] if thin else next(colours)
        figure.add_scatter(
            x=mark.x,
            y=mark.y,
            name=safe(mark.name),
            mode="lines+markers" if mark.symbol else "lines",
            line={"dash": mark.dash, "width": 1.2 if thin else 2.2, "color": colour},
            marker={"size": 7, "symbol": SYMBOLS[mark.symbol or "circle"], "color": colour},
            showlegend=not thin,
            hovertemplate="%{y:.4g}",
        )
    figure.add_vline(x=step, line={"color": MARK, "width": 2})
    # At the end of the axis a label in the middle would be cut.
    anchor = "right" if step > 0.9 * panel.x.ends[1] else "center"
    label = {"text": f"{step:,}", "font": {"color": MARK}, "showarrow": False}
    figure.add_annotation(x=step, y=1, yref="paper", xanchor=anchor, yanchor="bottom", **label)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 26, "b": BELOW},
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0},
        xaxis={"title": "step", "range": panel.x.ends, "tickformat": ",d", "zeroline": False, "title_standoff": 4},
        yaxis={"title": safe(panel.y.label), "range": panel.y.ends, "zeroline": False},
    )
    return figure


def _course(table: pd.DataFrame, column: str, index: int, name: str) -> Line:
    return _line(table["step"], table[column], index, name)


def _line(step: pd.Series, values: pd.Series | np.ndarray, index: int, name: str) -> Line:
    colour, dash, symbol = series(index)
    return Line(step.to_numpy(float), np.asarray(values, float), colour, 1.3, dash, symbol, name)


def _sheet(run: Run, marks: list[Line], label: str, ends: tuple[float, float] | None = None) -> Sheet:
    """One panel; all have the same steps below them."""
    last = max(run.done, *run.marks)
    return Sheet(((Panel(tuple(marks), "", Axis("step", ends=(0, 1.02 * last)), Axis(label, ends=ends), 2.0),),))


def _steps(run: Run) -> np.ndarray:
    return run.evaluations["step"].to_numpy(float)
