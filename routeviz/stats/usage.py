"""How often images use each path and cell, and how many different routes they take."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import entr

from routeviz.errors import InputError
from routeviz.routelog import RouteLog
from routeviz.space import INPUTS, OPEN_THRESHOLD, STATES, RoutingSpace
from routeviz.space.states import activations

BLOCK = 8192
"""Images that are looked at together: a log may hold more gates than memory does."""


def path_usage(log: RouteLog) -> pd.DataFrame:
    """Describe the use of every path over the images of a log.

    Parameters
    ----------
    log : RouteLog

    Returns
    -------
    DataFrame
        One row a path, in the space's order: ``layer``, ``scale``, ``move``, ``target_layer``, ``target_scale``;
        ``open``, share of images in which it is open; ``activation``, mean over all images, 0 where its cell is
        unreached; ``activation_open``, mean over the images in which it is open, NaN where it never is; ``entropy``, of
        whether it is open, in bits: 0 where all images agree, 1 where they split in halves.
    """
    _check(log)
    found, n_open = log.tally, log.tally.opened
    share = n_open / len(log)
    return log.space.paths.assign(
        open=share,
        activation=found.total / len(log),
        activation_open=np.divide(found.total_open, n_open, out=np.full(len(share), np.nan), where=n_open > 0),
        entropy=binary_entropy(share),
    )


def binary_entropy(share: np.ndarray) -> np.ndarray:
    """Entropy in bits of what holds for a share of cases, element by element: 0 at 0 and 1, 1 at one half."""
    return (entr(share) + entr(1 - share)) / np.log(2)


def path_usage_by_layer(log: RouteLog, *, value: str = "open") -> pd.DataFrame:
    """Lay out one column of `path_usage` as the lattice is drawn.

    Parameters
    ----------
    log : RouteLog
    value : str
        Column of `path_usage`.

    Returns
    -------
    DataFrame
        Rows are (scale, move), finest scale first and moves in the space's order, with their target where a cell has
        several paths of one move; columns are layers; NaN where there is no such path.

    Raises
    ------
    InputError
        If there is no such column.
    """
    usage = path_usage(log)
    valid = [column for column in usage if column not in log.space.paths]
    if value not in valid:
        raise InputError(f"unknown value {value!r}; valid: {', '.join(valid)}")
    usage["move"] = pd.Categorical(log.space.ways, categories=_ways(log.space))
    return usage.set_index(["scale", "move", "layer"])[value].unstack()


def cell_usage(log: RouteLog) -> pd.DataFrame:
    """Describe the state and the input of every cell over the images of a log.

    Parameters
    ----------
    log : RouteLog

    Returns
    -------
    DataFrame
        One row a cell: ``layer``, ``scale``; shares of images by state, ``unreached``, ``closed`` and ``open``; shares
        of images by kind of input, ``none``, ``zeros`` (the cell is starved), ``constant`` and ``image``; and
        ``image_blind``, zeros and constant together.
    """
    _check(log)
    table = log.space.cells[["layer", "scale"]].copy()
    for names, codes in zip((STATES, INPUTS), log.states, strict=True):
        # Cell by cell, as that is how codes lie in memory.
        counts = [[np.count_nonzero(of_cell == code) for code in range(len(names))] for of_cell in codes.T]
        table[list(names)] = np.array(counts) / len(log)
    return table.assign(image_blind=table.zeros + table.constant)


def route_counts(log: RouteLog) -> np.ndarray:
    """Count the images of each distinct route; two images take the same route where the same paths are open.

    Parameters
    ----------
    log : RouteLog

    Returns
    -------
    ndarray, (distinct route,) int64
        Largest first; they sum to the number of images.
    """
    _check(log)
    keys = log.tally.keys
    # Arrow counts by hashing, and compares where hashes are equal; sorting rows of bytes takes ten times as long.
    rows = pa.FixedSizeBinaryArray.from_buffers(pa.binary(keys.shape[1]), len(keys), [None, pa.py_buffer(keys)])
    return np.sort(pc.value_counts(rows).field("counts").to_numpy())[::-1]


def blocks(log: RouteLog) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield gates of some images at a time, 0 where unreached, and which of their paths are open: ``(image, path)``.

    Those of one path lie side by side in memory. Raises InputError where the log has no images.
    """
    _check(log)
    for start in range(0, len(log), BLOCK):
        rows = slice(start, start + BLOCK)
        reached = (log.states.state[rows] != STATES.index("unreached")).T
        gates = activations(log.gates[rows])
        gates *= reached[log.space.source]
        yield gates.T, (gates > OPEN_THRESHOLD).T


def _check(log: RouteLog) -> None:
    if len(log) == 0:
        raise InputError("the log has no images; there is nothing to describe")


def _ways(space: RoutingSpace) -> list[str]:
    """Ways in the order in which the cell that offers most of them has them."""
    by_cell = (space.ways[space.paths_from(cell)] for cell in range(space.n_cells))
    most = max(by_cell, key=len)
    return list(dict.fromkeys([*most, *space.ways]))
