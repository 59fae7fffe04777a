"""MACs of any number of routes: what each executes, as one 0/1 matrix, times the costs of the parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from torch import nn

from routeviz.costs.table import CostTable, cost_table
from routeviz.errors import CostError, InputError
from routeviz.space import OPEN_THRESHOLD, RoutingSpace, cell_states

PARTS = ("stem", "operations", "gates", "paths", "decoder")
"""The parts that the MACs of a route are made of."""

BLOCK = 8192
"""Routes that are counted together: what a processor's cache holds of them decides the speed."""

THREADS = 2
"""numpy lets go of the interpreter's lock for most of the work on a block, not for all of it."""


def macs(
    net: nn.Module,
    gates: np.ndarray,
    image_size: Sequence[int] | np.ndarray,
    *,
    convention: str = "conv",
    with_gates: bool | np.ndarray = True,
    run_starved: bool = True,
) -> np.ndarray:
    """Count the MACs of routes.

    Parameters
    ----------
    net : RoutingNetwork
    gates : ndarray, (image, path) float
        Activations as a log or a forward pass gives them, possibly memory-mapped. NaN counts as 0: what is unreached
        follows from the rest.
    image_size : (H, W) or ndarray (image, 2)
        As the images are; the network's own padding is added.
    convention : str
        ``"conv"``, ``"fvcore"`` or ``"released"``; see `CONVENTION_NOTES`.
    with_gates : bool or ndarray (cell,) or (image, cell) bool
        Whether the cells compute their gates; False counts the same routes as fixed ones. `asked_cells` tells which do
        under a forced route.
    run_starved : bool
        As it was for the forward pass: False counts cells to which only zeros are sent as unreached.

    Returns
    -------
    ndarray, (image,) int64

    Raises
    ------
    InputError
        If a shape does not fit the network's space or the number of images.
    CostError
        If the convention is unknown, or a route uses a part that a static network has not built.
    """
    return _count(net, gates, image_size, convention, with_gates, run_starved=run_starved)[0]


def macs_by_part(
    net: nn.Module,
    gates: np.ndarray,
    image_size: Sequence[int] | np.ndarray,
    *,
    convention: str = "conv",
    with_gates: bool | np.ndarray = True,
    run_starved: bool = True,
) -> pd.DataFrame:
    """Count the MACs of routes part by part.

    Parameters are those of `macs`, which is the sum of the columns.

    Returns
    -------
    DataFrame
        One row an image, one int64 column for each of `PARTS`.
    """
    counts = _count(net, gates, image_size, convention, with_gates, by_part=True, run_starved=run_starved)
    return pd.DataFrame(dict(zip(PARTS, counts, strict=True)))


def image_blind_macs(
    net: nn.Module,
    gates: np.ndarray,
    image_size: Sequence[int] | np.ndarray,
    *,
    convention: str = "conv",
    with_gates: bool | np.ndarray = True,
) -> np.ndarray:
    """Count what routes spend in cells whose input holds nothing of the image: operations, gates and paths.

    Such a cell is starved (only zeros were sent to it) or fed by starved cells alone; what it computes is the same for
    every image of a size. Parameters are those of `macs`, of which this is a part.

    Returns
    -------
    ndarray, (image,) int64
    """
    return _count(net, gates, image_size, convention, with_gates, image_blind=True)[0]


def asked_cells(space: RoutingSpace, forced: np.ndarray) -> np.ndarray:
    """Tell which reached cells compute their gate under forced activations.

    Parameters
    ----------
    space : RoutingSpace
    forced : ndarray, (path,) or (image, path) float
        As forced; NaN asks the gate.

    Returns
    -------
    ndarray, (cell,) or (image, cell) bool
        What `macs` takes as ``with_gates``.
    """
    asks = np.isnan(forced)
    return np.stack([asks[..., space.paths_from(cell)].any(axis=-1) for cell in range(space.n_cells)], axis=-1)


def gate_blocks(space: RoutingSpace, gates: np.ndarray) -> Iterator[slice]:
    """Check the shape of gates and give the slices of their rows that are worked on together."""
    if gates.ndim != 2 or gates.shape[1] != space.n_paths:
        raise InputError(f"gates of shape {gates.shape}; this space needs (images, {space.n_paths})")
    return (slice(start, min(start + BLOCK, len(gates))) for start in range(0, len(gates), BLOCK))


def activations(gates: np.ndarray) -> np.ndarray:
    """Turn a block of gates to one contiguous row a path, ``(path, image)``, with 0 for NaN."""
    return np.fmax(gates.T, np.zeros((), gates.dtype), order="C")


def _count(
    net: nn.Module,
    gates: np.ndarray,
    image_size: Sequence[int] | np.ndarray,
    convention: str,
    with_gates: bool | np.ndarray,
    *,
    by_part: bool = False,
    image_blind: bool = False,
    run_starved: bool = True,
) -> np.ndarray:
    """MACs ``(part or 1, image)`` int64."""
    space, gates = net.space, np.asarray(gates)
    blocks = gate_blocks(space, gates)
    tables, which = size_tables(net, image_size, len(gates), convention)
    weights = np.stack([_weights(table) for table in tables])  # (size, feature)
    parts = _part_slices(tables[0]) if by_part else [slice(None)]
    asked = np.asarray(with_gates, dtype=bool)
    if asked.shape not in ((), (space.n_cells,), (len(gates), space.n_cells)):
        raise InputError(f"with_gates of shape {asked.shape}; give True, False or ({space.n_cells},), one value a cell")
    asked = np.broadcast_to(asked, (len(gates), space.n_cells))
    unbuilt = _unbuilt(net)
    result = np.empty((len(parts), len(gates)), dtype=np.int64)

    def count(rows: slice) -> None:
        how = {"everything": convention == "released", "run_starved": run_starved}
        executed = _executed(space, gates[rows], asked[rows], **how)
        used = unbuilt[executed[unbuilt].any(axis=1)]
        if len(used):
            raise CostError(f"a route uses {_name(space, used[0])}, which this static network has not built; shut it")
        if image_blind:
            _keep_image_blind(executed, space, gates[rows])
        # einsum and not @: it multiplies int64 by bool as they are, exactly and without a copy.
        for part, features in enumerate(parts):
            if len(tables) == 1:
                result[part, rows] = np.einsum("f,fi->i", weights[0, features], executed[features])
            else:
                result[part, rows] = np.einsum("if,fi->i", weights[which[rows], features], executed[features])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(count, blocks))
    return result


def size_tables(
    net: nn.Module, image_size: Sequence[int] | np.ndarray, n_images: int, convention: str
) -> tuple[list[CostTable], np.ndarray]:
    """Give the cost tables of all sizes that occur, and for each image the position of its own, ``(image,)``."""
    sizes = np.asarray(image_size)
    if sizes.ndim != 2:
        return [cost_table(net, image_size, convention)], np.zeros(n_images, dtype=np.intp)
    if sizes.shape != (n_images, 2):
        raise InputError(
            f"image sizes of shape {sizes.shape}; give (height, width) or one row an image, ({n_images}, 2)"
        )
    distinct, which = np.unique(sizes, axis=0, return_inverse=True)
    return [cost_table(net, size, convention) for size in distinct], which


# The features of a route, one row each: stem, cells that are open, cells that compute their gate, open paths, decoder
# stages that run, predictor.


def _weights(table: CostTable) -> np.ndarray:
    """Cost of each feature, ``(feature,)`` int64."""
    return np.concatenate([[table.stem], table.operation, table.gate, table.path, table.decoder, [table.predictor]])


def _part_slices(table: CostTable) -> list[slice]:
    """The features of each of `PARTS`."""
    lengths = (1, len(table.operation), len(table.gate), len(table.path), len(table.decoder) + 1)
    ends = np.cumsum(lengths).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _executed(
    space: RoutingSpace, gates: np.ndarray, asked: np.ndarray, *, everything: bool, run_starved: bool
) -> np.ndarray:
    """Which features routes execute, ``(feature, image)`` bool.

    The states are those of `routeviz.space.cell_states` without the kind of input, which costs do not depend on: a
    third of the time. ``everything`` charges gates to unreached cells and the whole decoder, as the released code does.
    Without ``run_starved``, only open paths and what closed cells pass on reach a cell.
    """
    alphas = activations(gates)
    n_cells, n_scales = space.n_cells, space.exits.sum()
    executed = np.ones((1 + 2 * n_cells + space.n_paths + n_scales + 1, len(gates)), dtype=bool)
    live, gate, is_open, decoder = np.split(executed[1:], np.cumsum([n_cells, n_cells, space.n_paths]))
    reached = np.zeros((n_cells + n_scales, len(gates)), dtype=bool)
    reached[0] = True
    target = np.where(space.exits, n_cells + space.paths.target_scale, space.target).tolist()
    np.greater(alphas, OPEN_THRESHOLD, out=is_open)
    for cell in range(n_cells):
        paths = space.paths_from(cell)
        np.logical_and(reached[cell], alphas[paths].sum(axis=0) >= OPEN_THRESHOLD, out=live[cell])
        for path in range(paths.start, paths.stop):
            is_open[path] &= live[cell]
            if not run_starved:
                reached[target[path]] |= is_open[path]
                if space.passes[path]:
                    reached[target[path]] |= reached[cell] & ~live[cell]
            else:
                reached[target[path]] |= reached[cell] if space.passes[path] else live[cell]
    gate[:] = asked.T if everything else asked.T & reached[:n_cells]
    if not everything:
        # Coarse to fine: a stage runs on what is sent to its scale and on what the coarser stage hands on.
        runs = np.logical_or.accumulate(reached[: n_cells - 1 : -1])[::-1]
        decoder[:-1], decoder[-1] = runs, runs[0]
    return executed


def _keep_image_blind(executed: np.ndarray, space: RoutingSpace, gates: np.ndarray) -> None:
    """Clear all features but those of cells whose input holds nothing of the image."""
    cells = cell_states(space, gates).image_blind.T
    blind = np.concatenate([cells, cells, cells[space.source]])
    executed[0] = False
    executed[1 : 1 + len(blind)] &= blind
    executed[1 + len(blind) :] = False


def _unbuilt(net: nn.Module) -> np.ndarray:
    """Features that a static network lacks: operations and transforms that its fixed route does not use."""
    space, cells = net.space, net.cells
    operations = [1 + cell for cell in range(space.n_cells) if cells[cell].operation is None]
    first_path = 1 + 2 * space.n_cells
    transforms = zip(space.source, space.moves, strict=True)
    paths = [first_path + p for p, (cell, move) in enumerate(transforms) if move not in cells[cell].transforms]
    return np.array(operations + paths, dtype=np.intp)


def _name(space: RoutingSpace, feature: int) -> str:
    """Name of an operation's or a path's feature."""
    path = feature - 1 - 2 * space.n_cells
    return f"cell {space.cell_names[feature - 1]}" if path < 0 else f"path {space.path_names[path]}"
