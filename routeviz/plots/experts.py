"""The figure of experts, branches and channel groups: load, what each class opens, and which are open together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from routeviz.plots.figure import figure
from routeviz.plots.sheet import Axis, Grid, Panel, Sheet
from routeviz.routelog import RouteLog
from routeviz.space import kind_of
from routeviz.stats import expert_classes, expert_coactivation, expert_load

MOST = 3
"""Layers that are shown beside each other; of more, the first."""

MOST_TICKS = 12


@figure
def plot_experts(log: RouteLog, *, by: str | None = None) -> Sheet:
    """Draw how experts (branches, channel groups) are used: load, which classes open them, which are open together.

    Parameters
    ----------
    log : RouteLog
        As for `routeviz.expert_load`.
    by : str, optional
        A column that names a class for each row; without it nothing is told by classes.
    """
    kind, load = kind_of(log.space), expert_load(log)
    cells = list(dict.fromkeys(load.cell))
    most = int(load.groupby("cell").size().max())
    loads = pd.DataFrame([load.load[load.cell == cell].reset_index(drop=True) for cell in cells], index=cells)
    load_grid = _grid(loads, "load", np.nanmax(loads), lambda a, b, value: f"{a}, {kind.row} {b}: {value:.1%}")
    up = Axis("", tuple(enumerate(cells)), (len(cells) - 0.5, -0.5))
    title = f"Load: share of what a {kind.column} is given"
    height = 0.75 + 0.2 * len(cells)
    load_grid = replace(load_grid, written=most <= MOST_TICKS)
    rows = [(Panel((load_grid,), title, Axis(kind.row, _numbers(most)), up, height, frame=False),)]
    if by is not None:
        shares = expert_classes(log, by=by)
        across = Axis(by, tuple((at, name) for at, name in _numbers(shares.shape[1], list(shares))))
        tables = {cell: shares.loc[load.path[load.cell == cell]] for cell in cells[:MOST]}
        rows.append(
            tuple(
                _square(
                    _grid(table, "share open", shares.to_numpy().max(), lambda a, b, v: f"{a}, {by} {b}: {v:.1%}"),
                    cell,
                    across,
                    kind.row,
                )
                for cell, table in tables.items()
            )
        )
    pairs = expert_coactivation(log)
    panels = []
    for cell, other in list(pairwise(cells))[: MOST - 1]:
        some = pairs[(pairs.cell == cell) & (pairs.other_cell == other)]
        table = some.pivot(index="path", columns="other_path", values="lift")
        table = table.loc[some.path.unique(), some.other_path.unique()]
        grid = _grid(table, "lift", pairs.lift.max(), lambda a, b, value: f"{a} and {b}: lift {value:.2f}")
        across = Axis(f"{kind.row} of {other}", _numbers(table.shape[1]))
        panels.append(_square(grid, "Open together (lift: 1 by chance)", across, f"{kind.row} of {cell}"))
    if panels:
        rows.append(tuple(panels))
    return Sheet(tuple(rows), width="text", data=load)


def _grid(table: pd.DataFrame, label: str, most: float, words: Callable[[object, object, float], str]) -> Grid:
    """Shades from 0 to the largest value of all grids beside this one, rounded up."""
    values = table.to_numpy(float)
    step = 0.05 if most <= 1 else 0.5
    texts = [
        [words(a, b, value) for b, value in zip(table.columns, line, strict=True)]
        for a, line in zip(table.index, values, strict=True)
    ]
    return Grid(values, label, 0.0, float(np.ceil(most / step) * step), texts=np.array(texts))


def _square(grid: Grid, title: str, across: Axis, up: str) -> Panel:
    n = len(grid.values)
    return Panel((grid,), title, across, Axis(up, _numbers(n), (n - 0.5, -0.5)), max(1.2, 0.5 + 0.13 * n), frame=False)


def _numbers(n: int, names: list[str] | None = None) -> tuple[tuple[float, str], ...]:
    every = max(1, -(-n // MOST_TICKS))
    return tuple((at, names[at] if names else str(at)) for at in range(0, n, every))
