"""MACs of any number of routes: what each executes, as one 0/1 matrix, times the costs of the parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import nn

from routeviz.costs.table import CostTable, cost_table
from routeviz.errors import CostError, InputError
from routeviz.space import RoutingSpace
from routeviz.space.bits import byte_sums, pack, weighted
from routeviz.space.states import Flow, checked, flow, in_blocks

PARTS = ("stem", "operations", "gates", "paths", "decoder")
"""The parts that the MACs of a route are made of."""


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


def executed_parts(
    net: nn.Module,
    gates: np.ndarray,
    *,
    with_gates: bool | np.ndarray = True,
    run_starved: bool = True,
    starved: bool = False,
    image_blind: bool = False,
) -> np.ndarray:
    """Tell which parts of a network run on each route, whatever a convention charges.

    Parameters
    ----------
    net : RoutingNetwork
    gates : ndarray, (image, path) float
    with_gates, run_starved
        As of `macs`.
    starved, image_blind : bool
        Only those of starved cells, or of all cells whose input holds nothing of the image; see `image_blind_macs`.

    Returns
    -------
    ndarray, (image, part) bool
        The parts are the rows of `CostTable.frame`.
    """
    space, gates = net.space, checked(net.space, gates)
    asked = np.broadcast_to(np.asarray(with_gates, dtype=bool), (len(gates), space.n_cells))
    result = np.empty((len(gates), 2 + 2 * space.n_cells + space.n_paths + int(space.exits.sum())), dtype=bool)

    def tell(rows: slice, some: np.ndarray) -> None:
        found = flow(space, some, zeros=run_starved)
        executed = _executed(space, found, asked[rows], everything=False, run_starved=run_starved)
        if starved or image_blind:
            _keep_of_cells(executed, space, found.image_blind if image_blind else found.starved)
        result[rows] = executed.T

    in_blocks(gates, tell)
    return result


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
    return _count(net, gates, image_size, convention, with_gates, kept="image_blind")[0]


def starved_macs(
    net: nn.Module,
    gates: np.ndarray,
    image_size: Sequence[int] | np.ndarray,
    *,
    convention: str = "conv",
    with_gates: bool | np.ndarray = True,
) -> np.ndarray:
    """Count what routes spend in starved cells: those that run although only zeros were sent to them.

    Parameters are those of `macs`; of `image_blind_macs`, which adds the cells that only they feed, this is a part.

    Returns
    -------
    ndarray, (image,) int64
    """
    return _count(net, gates, image_size, convention, with_gates, kept="starved")[0]


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


def _count(
    net: nn.Module,
    gates: np.ndarray,
    image_size: Sequence[int] | np.ndarray,
    convention: str,
    with_gates: bool | np.ndarray,
    *,
    by_part: bool = False,
    kept: str = "",
    run_starved: bool = True,
) -> np.ndarray:
    """MACs ``(part or 1, image)`` int64."""
    space, gates = net.space, checked(net.space, gates)
    tables, which = size_tables(net, image_size, len(gates), convention)
    parts = _part_slices(tables[0]) if by_part else [slice(None)]
    sums = [[byte_sums(_weights(table, part)) for part in parts] for table in tables]
    asked = np.asarray(with_gates, dtype=bool)
    if asked.shape not in ((), (space.n_cells,), (len(gates), space.n_cells)):
        raise InputError(f"with_gates of shape {asked.shape}; give True, False or ({space.n_cells},), one value a cell")
    asked = np.broadcast_to(asked, (len(gates), space.n_cells))
    unbuilt = _unbuilt(net)
    result = np.empty((len(parts), len(gates)), np.int64)

    def count(rows: slice, some: np.ndarray) -> None:
        # Zeros that nothing runs on might as well not have been sent.
        found = flow(space, some, zeros=run_starved)
        how = {"everything": convention == "released", "run_starved": run_starved}
        executed = _executed(space, found, asked[rows], **how)
        used = unbuilt[executed[unbuilt].any(axis=1)]
        if len(used):
            raise CostError(f"a route uses {_name(space, used[0])}, which this static network has not built; shut it")
        if kept:
            _keep_of_cells(executed, space, getattr(found, kept))
        packed = pack(executed)
        for of_size, here in enumerate(which[rows] == size for size in range(len(tables))):
            chosen = packed if here.all() else packed[:, here]
            for part, of_part in enumerate(sums[of_size]):
                result[part, rows][here] = weighted(of_part, chosen)

    in_blocks(gates, count)
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


def _weights(table: CostTable, part: slice) -> np.ndarray:
    """Cost of each feature, ``(feature,)`` int64, 0 for those of other parts."""
    costs = np.concatenate([[table.stem], table.operation, table.gate, table.path, table.decoder, [table.predictor]])
    of_part = np.zeros_like(costs)
    of_part[part] = costs[part]
    return of_part


def _part_slices(table: CostTable) -> list[slice]:
    """The features of each of `PARTS`."""
    lengths = (1, len(table.operation), len(table.gate), len(table.path), len(table.decoder) + 1)
    ends = np.cumsum(lengths).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _executed(
    space: RoutingSpace, found: Flow, asked: np.ndarray, *, everything: bool, run_starved: bool
) -> np.ndarray:
    """Which features routes execute, ``(feature, image)`` bool.

    ``everything`` charges gates to unreached cells and the whole decoder, as the released code does.
    """
    n_cells, n_scales, n_images = space.n_cells, space.exits.sum(), len(asked)
    executed = np.ones((1 + 2 * n_cells + space.n_paths + n_scales + 1, n_images), dtype=bool)
    live, gate, opened, decoder = np.split(executed[1:], np.cumsum([n_cells, n_cells, space.n_paths]))
    live[:], opened[:] = found.live, found.opened
    gate[:] = asked.T if everything else asked.T & found.reached
    if not everything:
        arrived = np.zeros((n_scales, n_images), dtype=bool)
        for path in np.flatnonzero(space.exits):
            cell = space.source[path]
            arrived[space.paths.target_scale[path]] |= live[cell] if run_starved else opened[path]
            if space.passes[path]:
                arrived[space.paths.target_scale[path]] |= found.reached[cell] & ~live[cell]
        # Coarse to fine: a stage runs on what is sent to its scale and on what the coarser stage hands on.
        runs = np.logical_or.accumulate(arrived[::-1])[::-1]
        decoder[:-1], decoder[-1] = runs, runs[0]
    return executed


def _keep_of_cells(executed: np.ndarray, space: RoutingSpace, cells: np.ndarray) -> None:
    """Clear all features but those of chosen cells, ``(cell, image)`` bool."""
    of_cells = np.concatenate([cells, cells, cells[space.source]])
    executed[0] = False
    executed[1 : 1 + len(of_cells)] &= of_cells
    executed[1 + len(of_cells) :] = False


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
