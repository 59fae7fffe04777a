"""The figure of rows against their cost: architectures of a supernet, or any number that a log holds of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from routeviz.errors import InputError
from routeviz.plots.expense import axis_ends, unit_of_macs
from routeviz.plots.figure import figure
from routeviz.plots.grouping import labels_by
from routeviz.plots.sheet import Axis, Dots, Panel, Sheet
from routeviz.plots.style import series
from routeviz.quantities import count
from routeviz.routelog import RouteLog

MOST = 5_000
"""Rows that are drawn; of more, a seeded sample."""


@figure
def plot_against_macs(log: RouteLog, fact: str, *, by: str | None = None, convention: str = "conv") -> Sheet:
    """Draw a number that the log holds of each row against the row's MACs, such as the accuracy of architectures.

    Parameters
    ----------
    log : RouteLog
    fact : str
        A column of numbers; rows without one are left out.
    by : str, optional
        A column that gives the points their colours and symbols.
    convention : str
        Of the MACs.
    """
    macs_column = f"macs_{convention}"
    facts = log.facts("id", macs_column, fact)
    if facts[fact].dtype.kind not in "iufb":
        raise InputError(f"column {fact!r} holds no numbers; give one that does")
    groups = labels_by(log, by).fillna("unknown") if by else facts.id.map(lambda _: "")
    rows = np.flatnonzero(facts[fact].notna())
    if not len(rows):
        raise InputError(f"no row has a number in {fact!r}; there is nothing to draw")
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))
    facts, groups = facts.iloc[rows], groups.iloc[rows].to_numpy()
    unit, word = unit_of_macs(facts[macs_column].to_numpy(float))
    x, y = facts[macs_column].to_numpy(float) / unit, facts[fact].to_numpy(float)
    words = [f"{name}\n{a:.4g} {word}, {fact} {b:.4g}" for name, a, b in zip(facts.id, x, y, strict=True)]
    marks: list[Any] = []
    # The rarest last, so that it lies on top.
    names = sorted(set(groups), key=lambda name: -(groups == name).sum())
    for index, name in enumerate(names):
        colour, _, symbol = series(index)
        chosen = np.flatnonzero(groups == name)
        size = 3.4 if len(names) == 1 or len(chosen) > 1 else 7
        texts = tuple(words[at] for at in chosen)
        marks.append(Dots(x[chosen], y[chosen], colour, symbol, not index % 2, size, name, texts))
    varied = min(np.ptp(x), np.ptp(y)) > 0
    rank = f", rank correlation {spearmanr(x, y).statistic:.2f}" if varied else ""
    panel = Panel(
        tuple(marks),
        f"{count(len(rows), log.rows_are)}{rank}",
        Axis(f"{word}, {convention}", ends=axis_ends(x)),
        Axis(fact.replace("_", " "), ends=axis_ends(y)),
        2.4,
    )
    return Sheet(((panel,),), data=facts.assign(group=groups))
