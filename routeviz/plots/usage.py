"""Figures of what gates do: use of paths, distribution of activations, and both along training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from routeviz.errors import InputError
from routeviz.plots.figure import figure
from routeviz.plots.sheet import Axis, Grid, Line, Panel, Sheet
from routeviz.plots.style import plain, series
from routeviz.quantities import count
from routeviz.routelog import RouteLog
from routeviz.space import RoutingSpace, kind_of
from routeviz.space.layout import row_words
from routeviz.space.states import BINS, bins
from routeviz.stats import path_usage, path_usage_by_layer

_VALUES = {
    "activation": "mean activation",
    "open": "share in which open",
    "activation_open": "mean activation where open",
    "entropy": "entropy of open or not, bits",
}


@figure
def plot_usage(log: RouteLog, *, values: tuple[str, ...] = ("activation", "open")) -> Sheet:
    """Draw the use of every path as a heat map: layers across, scale and move down.

    Parameters
    ----------
    log : RouteLog
    values : tuple of str
        One panel each: ``"activation"`` (mean, 0 where unreached), ``"open"`` (share of images), ``"activation_open"``
        or ``"entropy"``. See `routeviz.stats.path_usage`.
    """
    if isinstance(values, str):
        values = (values,)
    if not values:
        raise InputError(f"nothing to draw; values: {', '.join(_VALUES)}")
    panels = []
    for value in values:
        table = path_usage_by_layer(log, value=value)
        scales, kind = row_words(log.space), kind_of(log.space)
        rows = [f"{scales[scale]} {way}".strip() for scale, way in table.index]
        words = [
            [f"{_place(log.space, layer)} {row}: {cell:.3f}" for layer, cell in zip(table, cells, strict=True)]
            for row, cells in zip(rows, table.to_numpy(), strict=True)
        ]
        title = _VALUES[value][0].upper() + _VALUES[value][1:]
        panels.append(
            Panel(
                (Grid(table.to_numpy(float), "", texts=np.array(words)),),
                f"{title} ({count(len(log), log.rows_are)})",
                Axis(kind.column, _layers(table.columns)),
                Axis("", tuple(enumerate(rows)), (len(rows) - 0.5, -0.5)),
                max(1.2, 0.55 + 0.13 * len(rows)),
                frame=False,
            )
        )
    return Sheet(tuple((panel,) for panel in panels), data=path_usage(log)[["layer", "scale", "move", *values]])


@figure
def plot_activations(logs: RouteLog | Mapping[str, RouteLog]) -> Sheet:
    """Draw the distribution of activations in each layer, one panel for each log, such as one for each budget.

    A column shows which share of the layer's gates, over all images that reach their cells, lies in each bin of
    activations; the lowest row holds the paths that are not open.

    Parameters
    ----------
    logs : RouteLog, or mapping of name to RouteLog
    """
    panels = []
    by_name = {name: (log, activation_shares(log)) for name, log in named(logs).items()}
    high = max(np.nanmax(shares) for _, shares in by_name.values())
    for name, (log, shares) in by_name.items():
        column = kind_of(log.space).column
        ticks = ((0, "not open"), (BINS / 2 + 0.5, "0.5"), (BINS + 0.5, "1"))
        words = np.array(
            [
                [f"{column} {layer}, {_bin(row)}: {share:.1%} of gates" for layer, share in enumerate(cells)]
                for row, cells in enumerate(shares)
            ]
        )
        panels.append(
            Panel(
                (Grid(shares, "share of gates", high=np.ceil(high * 10) / 10, texts=words),),
                f"{plain(name)} ({count(len(log), log.rows_are)})" if name else "",
                Axis(column, _layers(range(shares.shape[1]))),
                Axis("activation", ticks),
                1.7,
                frame=False,
            )
        )
    return Sheet(tuple((panel,) for panel in panels))


@figure
def plot_training_activations(logs: Mapping[int, RouteLog]) -> Sheet:
    """Draw how gates change along training: mean activation by layer, and share of open paths by move.

    Parameters
    ----------
    logs : mapping of step to RouteLog
        Of the checkpoints of one run, over the same images.
    """
    if not logs:
        raise InputError("no logs; give one for each checkpoint, by step")
    steps = sorted(logs)
    space = logs[steps[0]].space
    if any(log.space != space for log in logs.values()):
        raise InputError("these logs are of different spaces; give the checkpoints of one run")
    usage = {step: path_usage(logs[step]) for step in steps}
    mean = np.array([usage[step].groupby("layer").activation.mean() for step in steps]).T
    words = np.array(
        [
            [f"layer {layer}, step {step}: {value:.3f}" for step, value in zip(steps, row, strict=True)]
            for layer, row in enumerate(mean)
        ]
    )
    every = max(1, -(-len(steps) // 6))
    ticks = tuple((at, str(step)) for at, step in enumerate(steps) if at % every == 0)
    moves = list(dict.fromkeys(space.moves))
    lines = []
    for index, move in enumerate(moves):
        colour, dash, symbol = series(index)
        shares = [table.open[table.move == move].mean() for table in usage.values()]
        lines.append(Line(np.array(steps, float), np.array(shares), colour, 1.2, dash, symbol, f"{move} paths"))
    grid = Panel(
        (Grid(mean, "mean activation", texts=words),),
        "",
        Axis("step", ticks),
        Axis("layer", _layers(range(len(mean)))),
        1.9,
        frame=False,
    )
    curves = Panel(tuple(lines), "", Axis("step"), Axis("share open", ends=(-0.03, 1.03)), 1.6)
    return Sheet(((grid,), (curves,)))


def activation_shares(log: RouteLog) -> np.ndarray:
    """Share of each layer's gates in each bin of activations, ``(1 + bin, layer)``; NaN where no image reaches a layer.

    The first row is of paths that are not open; the gates of unreached cells do not count.
    """
    reached = (log.states.state != 0)[:, log.space.source]
    counts = np.zeros((BINS + 1, log.space.layers + 1))
    for layer in range(log.space.layers + 1):
        paths = np.flatnonzero(log.space.paths.layer == layer)
        gates = log.gates[:, paths][reached[:, paths]]
        counts[:, layer] = np.bincount(bins(gates), minlength=BINS + 1)
    total = counts.sum(axis=0)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


def named(logs: RouteLog | Mapping[str, RouteLog]) -> dict[str, RouteLog]:
    """One log, or several by name, as several by name; raises InputError where there are no images."""
    found = {"": logs} if isinstance(logs, RouteLog) else dict(logs)
    if not found or not all(len(log) for log in found.values()):
        raise InputError("a log without images, or no log at all; there is nothing to draw")
    return found


def _bin(row: int) -> str:
    return "not open" if row == 0 else f"{(row - 1) / BINS:.2f} to {row / BINS:.2f}"


def _layers(layers, *, most: int = 9) -> tuple[tuple[float, str], ...]:
    layers = list(layers)
    every = max(1, -(-(len(layers) - 1) // (most - 1)))
    return tuple((at, str(layer)) for at, layer in enumerate(layers) if at % every == 0)


def _place(space: RoutingSpace, layer: int) -> str:
    """A layer in one word, as its cells are called."""
    return f"L{layer}" if space.unnamed else f"{kind_of(space).column} {layer}"
