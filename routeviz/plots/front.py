"""The figure of a budget front: mIoU against MACs as more and more paths of one network are closed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.plots.expense import axis_ends, unit_of_macs
from routeviz.plots.figure import figure
from routeviz.plots.sheet import Axis, Dots, Labels, Line, Panel, Sheet
from routeviz.plots.style import FAINT, INK, SOFT, plain, series
from routeviz.stats import pareto_front

GROUPS = (("threshold", "under a threshold"), ("greedy", "closed greedily"), ("other", "other networks"))
NAMED = 6
"""Most efficient points whose names are written; under the pointer, all have theirs."""


@figure
def plot_front(points: pd.DataFrame, *, convention: str = "conv", title: str = "") -> Sheet:
    """Draw a budget front: a point for each setting of one network, filled where no other setting beats it.

    Thin lines are the 95 % intervals of the differences to the network as trained, on the same images.

    Parameters
    ----------
    points : DataFrame
        Of a `routeviz.counterfactual.Front`: ``name``, ``kind``, ``miou``, ``macs_<convention>``, and
        ``difference_low`` and ``difference_high`` where intervals are to be drawn; the network as trained first.
    convention : str
        Of the MACs.
    title : str
    """
    column = f"macs_{convention}"
    if missing := [name for name in ("name", "kind", "miou", column) if name not in points]:
        raise InputError(f"table of points lacks {', '.join(missing)}; it needs name, kind, miou and {column}")
    if points.empty:
        raise InputError("a front without points; there is nothing to draw")
    table = points.reset_index(drop=True)
    unit, word = unit_of_macs(table[column].to_numpy(float))
    x, y = table[column].to_numpy(float) / unit, 100 * table.miou.to_numpy(float)
    own = np.flatnonzero(table.kind != "other")
    best = own[pareto_front(x[own], y[own])]
    chosen = np.isin(np.arange(len(table)), best)
    marks: list[Any] = [Line(x[best], y[best], SOFT, 1, "dash", name="efficient")]
    if {"difference_low", "difference_high"} <= {*table}:
        marks.append(_intervals(table, own[1:], x, y[0]))
    texts = [
        f"{name}\n{a:.4g} {word}, mIoU {b:.1f} %{', efficient' * bool(c)}"
        for name, a, b, c in zip(table.name, x, y, chosen, strict=True)
    ]
    for index, (kind, words) in enumerate(GROUPS):
        colour, _, symbol = series(index)
        of_kind = (table.kind == kind).to_numpy()
        for filled in (False, True):
            rows = of_kind & ((chosen == filled) if kind != "other" else filled)
            if rows.any():
                said = tuple(text for text, one in zip(texts, rows, strict=True) if one)
                # One entry of the legend a kind, filled where any is.
                name = words if filled or not (of_kind & chosen).any() else ""
                marks.append(Dots(x[rows], y[rows], colour, symbol, filled, 4.5, name, said))
    marks.append(Dots(x[:1], y[:1], INK, "diamond", True, 6, "as trained", (texts[0],)))
    named = np.flatnonzero((table.kind == "other").to_numpy())
    inner = [place for place in best if place != 0]
    few = np.unique(np.linspace(0, len(inner) - 1, min(NAMED, len(inner))).round().astype(int)) if inner else []
    named = np.concatenate([named, np.array(inner, int)[few]]) if len(few) else named
    marks.append(Labels(x[named], y[named], tuple(plain(name) for name in table.name[named]), np.column_stack([x, y])))
    across = Axis(f"average {word}, {convention}", ends=axis_ends(x))
    panel = Panel(tuple(marks), title, across, Axis("mIoU of all images, %", ends=axis_ends(y)), 2.6)
    return Sheet(((panel,),), data=table.assign(efficient=chosen))


def _intervals(table: pd.DataFrame, rows: np.ndarray, x: np.ndarray, base: float) -> Line:
    """One upright line a point, parted by NaN."""
    low, high = (base + 100 * table[name].to_numpy(float)[rows] for name in ("difference_low", "difference_high"))
    gaps = np.full(len(rows), np.nan)
    upright = np.column_stack([low, high, gaps]).ravel()
    return Line(np.repeat(x[rows], 3), upright, FAINT, 0.8)
