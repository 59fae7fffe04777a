"""Figures of what routes cost: MACs over images, against accuracy, and along training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.plots.figure import figure
from routeviz.plots.sheet import Axis, Bars, Dots, Labels, Line, Panel, Rule, Sheet
from routeviz.plots.style import INK, RAMP, SOFT, plain, series
from routeviz.plots.usage import named
from routeviz.quantities import unit_of
from routeviz.routelog import RouteLog
from routeviz.stats import pareto_front


@figure
def plot_macs(
    logs: RouteLog | Mapping[str, RouteLog],
    *,
    convention: str = "conv",
    marks: Mapping[str, float] | None = None,
    bins: int = 24,
) -> Sheet:
    """Draw a histogram of the MACs of a log's images, with average, maximum and minimum.

    Parameters
    ----------
    logs : RouteLog, or mapping of name to RouteLog
        One panel each, over one axis.
    convention : str
        Which MACs of the log; see `routeviz.costs.CONVENTION_NOTES`.
    marks : mapping of name to number, optional
        MACs of static architectures for the same size of image, in the same convention; drawn in a panel below.
    bins : int
    """
    logs, marks = named(logs), dict(marks or {})
    column = f"macs_{convention}"
    macs = {name: log.facts(column)[column].to_numpy(float) for name, log in logs.items()}
    unit, word = unit_of_macs(np.concatenate([*macs.values(), list(marks.values())]))
    macs = {name: values / unit for name, values in macs.items()}
    everything = np.concatenate(list(macs.values()))
    rows = next(iter(logs.values())).rows_are
    one = rows.removesuffix("s")
    ends, label = axis_ends(everything, 0.05), f"{word} per {one}, {convention}"
    panels = []
    for index, (name, values) in enumerate(macs.items()):
        several = f"{plain(name)}: " if len(macs) > 1 else ""
        colour = series(index)[0] if several else INK
        rules = [
            Rule(float(at), colour, dash, f"{several}{what} {at:.4g}")
            for what, at, dash in (
                ("average", values.mean(), "solid"),
                ("maximum", values.max(), "dash"),
                ("minimum", values.min(), "dot"),
            )
        ]
        equal = np.ptp(values) <= 1e-9 * everything.max()
        spread = (values[0] - (ends[1] - ends[0]) / 80, values[0] + (ends[1] - ends[0]) / 80)
        heights, edges = np.histogram(values, 1 if equal else bins, spread if equal else (values.min(), values.max()))
        bars = Bars(edges, heights, RAMP[2], rows)
        panels.append(
            Panel((bars, *rules), name, Axis(label, ends=ends), Axis(rows, ends=(0, 1.08 * heights.max())), 1.6)
        )
    if marks:
        order = sorted(marks, key=marks.__getitem__)
        x, y = np.array([marks[name] for name in order]) / unit, np.arange(len(order))
        texts = tuple(f"{n}: {v:.4g} {word}" for n, v in zip(order, x, strict=True))
        dots = Dots(x, y.astype(float), INK, "diamond", size=4.5, texts=texts)
        averages = [mark for panel in panels for mark in panel.marks if isinstance(mark, Rule) and mark.dash == "solid"]
        across = Axis(label, ends=axis_ends(np.concatenate([x, [rule.x for rule in averages]]), 0.05))
        down = Axis("", tuple(enumerate(order)), (-0.6, len(order) - 0.4))
        panels.append(Panel((*averages, dots), "static architectures", across, down, 0.6 + 0.13 * len(order)))
    parts = [log.facts("id").assign(log=name, macs=log.facts(column)[column]) for name, log in logs.items()]
    parts.append(pd.DataFrame({"log": "static architecture", "id": list(marks), "macs": list(marks.values())}))
    data = pd.concat(parts if marks else parts[:-1], ignore_index=True)[["log", "id", "macs"]]
    return Sheet(tuple((panel,) for panel in panels), data=data)


@figure
def plot_accuracy(networks: pd.DataFrame, *, convention: str = "conv", title: str = "") -> Sheet:
    """Draw accuracy against MACs: a point for each network, and the front of those that none beats in both.

    Parameters
    ----------
    networks : DataFrame
        One row a network: ``name``, ``macs`` (average) and ``miou`` in [0, 1]; ``dynamic`` (bool) where known.
    convention : str
        In which the MACs are counted; for the label.
    title : str
    """
    if missing := [name for name in ("name", "macs", "miou") if name not in networks]:
        raise InputError(f"table of networks lacks {', '.join(missing)}; it needs name, macs and miou")
    table = networks.dropna(subset=["macs", "miou"])
    if table.empty:
        raise InputError("no network has both macs and miou; there is nothing to draw")
    unit, word = unit_of_macs(table.macs.to_numpy(float))
    x, y = table.macs.to_numpy(float) / unit, 100 * table.miou.to_numpy(float)
    chosen = pareto_front(x, y)
    marks: list[Any] = [Line(x[chosen], y[chosen], SOFT, 1, "dash", name="front")] if len(chosen) > 1 else []
    dynamic = table.get("dynamic", pd.Series(True, index=table.index)).to_numpy(bool)
    words = [f"{name}\n{a:.4g} {word}, mIoU {b:.1f} %" for name, a, b in zip(table.name, x, y, strict=True)]
    for index, (rows, name) in enumerate(((dynamic, "dynamic"), (~dynamic, "static"))):
        colour, _, symbol = series(index)
        texts = tuple(text for text, one in zip(words, rows, strict=True) if one)
        if rows.any():
            name = name if "dynamic" in table else ""
            marks.append(Dots(x[rows], y[rows], colour, symbol, not index, 5, name, texts))
    along = np.linspace(0, 1, 12)[:, None, None]
    line = np.column_stack([x, y])[chosen]
    avoid = (line[:-1] * (1 - along) + line[1:] * along).reshape(-1, 2)
    marks.append(Labels(x, y, tuple(map(str, table.name)), avoid))
    return Sheet(
        (
            (
                Panel(
                    tuple(marks),
                    title,
                    Axis(f"average {word}, {convention}", ends=axis_ends(x)),
                    Axis("mIoU, %", ends=axis_ends(y)),
                    2.4,
                ),
            ),
        ),
        data=table.assign(front=np.isin(np.arange(len(table)), chosen)),
    )


@figure
def plot_training_budget(metrics: Iterable[Mapping[str, Any]] | Mapping[str, Iterable[Mapping[str, Any]]]) -> Sheet:
    """Draw expected against real MACs along training: the budget constrains the first, images cost the second.

    Parameters
    ----------
    metrics : list of dict, or mapping of name to list of dict
        Lines of a run's metrics, as `routeviz.training.read_metrics` gives them; the evaluations count.
    """
    runs = dict(metrics) if isinstance(metrics, Mapping) else {"": metrics}
    found = {name: [line for line in lines if line.get("kind") == "evaluation"] for name, lines in runs.items()}
    costs = {
        name: np.array(
            [(line["step"], line["macs"]["released"]["avg"], line["expected_macs"] or np.nan) for line in lines], float
        )
        for name, lines in found.items()
        if lines
    }
    if not costs:
        raise InputError("no evaluation in these metrics; a run writes one every few steps")
    unit, word = unit_of_macs(np.concatenate([table[:, 1] for table in costs.values()]))
    marks = []
    for index, (name, table) in enumerate(costs.items()):
        colour, _, symbol = series(index)
        prefix = f"{plain(name, 26)}: " if name else ""
        for column, what, dash in ((1, "real", "solid"), (2, "expected", "dash")):
            if not np.isnan(table[:, column]).all():
                marks.append(Line(table[:, 0], table[:, column] / unit, colour, 1.3, dash, symbol, prefix + what))
    highest = max(np.nanmax(mark.y) for mark in marks)
    axes = Axis("step"), Axis(f"average {word}, released", ends=(0, 1.06 * highest))
    return Sheet(((Panel(tuple(marks), "", *axes, 2.0),),))


def unit_of_macs(macs: np.ndarray) -> tuple[float, str]:
    """The unit that suits some MACs, and its name."""
    size, letter = unit_of(macs.max(initial=0))
    return size, f"{letter}MACs"


def axis_ends(values: np.ndarray, room: float = 0.12) -> tuple[float, float]:
    """Ends of an axis with room beside the outermost points, such as for names."""
    low, high = float(values.min()), float(values.max())
    edge = room * (high - low) or 0.05 * abs(high) or 1.0
    return low - edge, high + edge
