"""What each cell does under given gates, and what kind of input it gets: derived from the activations alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from routeviz.errors import InputError
from routeviz.space.space import RoutingSpace

OPEN_THRESHOLD = 1e-4
"""A path is open where its activation is above this; in the lattice a cell is closed where their sum is below."""

STATES = ("unreached", "closed", "open")
UNREACHED, CLOSED, OPEN = range(3)

INPUTS = ("none", "zeros", "constant", "image")
NONE, ZEROS, CONSTANT, IMAGE = range(4)

BLOCK = 8192
"""Routes that are worked on together: what a processor's cache holds of them decides the speed."""

THREADS = 2
"""numpy lets go of the interpreter's lock for most of the work on a block, not for all of it."""


class CellStates(NamedTuple):
    """State and kind of input of every cell for every image.

    Attributes
    ----------
    state : ndarray, (image, cell) uint8
        Position in ``STATES``.
    input : ndarray, (image, cell) uint8
        Position in ``INPUTS``: the strongest kind that any path brought (image over constant over zeros over none).
    """

    state: np.ndarray
    input: np.ndarray

    @property
    def starved(self) -> np.ndarray:
        """Cells to which only zeros were sent, ``(image, cell)`` bool."""
        return self.input == ZEROS

    @property
    def image_blind(self) -> np.ndarray:
        """Reached cells whose input holds nothing of the image (zeros or constant), ``(image, cell)`` bool."""
        return (self.input == ZEROS) | (self.input == CONSTANT)


class Flow(NamedTuple):
    """What routes do in every cell: the one derivation from activations that states and costs both read.

    One contiguous row a cell or path and one column an image, so that every step works on contiguous memory.

    Attributes
    ----------
    alphas : ndarray, (path, image) float
        Activations, 0 for NaN; those of unreached cells are as they were given.
    opened : ndarray, (path, image) bool
        Paths that are open and whose cell is reached.
    live : ndarray, (cell, image) bool
        Cells that are reached and not closed.
    kinds : ndarray, (cell, 3, image) bool
        Whether anything was sent to a cell, whether anything but zeros, whether anything of the image: each of these
        within the one before, so that their sum is the position in ``INPUTS``.
    """

    alphas: np.ndarray
    opened: np.ndarray
    live: np.ndarray
    kinds: np.ndarray

    @property
    def reached(self) -> np.ndarray:
        """Cells to which anything was sent, ``(cell, image)`` bool."""
        return self.kinds[:, 0]

    @property
    def starved(self) -> np.ndarray:
        """Cells to which only zeros were sent, ``(cell, image)`` bool."""
        return self.kinds[:, 0] & ~self.kinds[:, 1]

    @property
    def image_blind(self) -> np.ndarray:
        """Reached cells whose input holds nothing of the image, ``(cell, image)`` bool."""
        return self.kinds[:, 0] & ~self.kinds[:, 2]


def flow(space: RoutingSpace, gates: np.ndarray, *, zeros: bool | None = None) -> Flow:
    """Derive what routes do in every cell, layer by layer.

    A live cell (sum of activations >= 1e-4) sends a tensor along all its paths, zeros along those not open; a closed
    cell passes its input along its pass path and sends nothing elsewhere; a cell to which nothing is sent is unreached.
    In a space without ``zeros`` a cell is live where one of its paths is open, and nothing goes along the others; in
    one with a ``bypass`` a closed cell's input comes to wherever its paths lead, along none of them.

    Parameters
    ----------
    space : RoutingSpace
    gates : ndarray, (image, path) float
        Activations; NaN counts as 0, as what is unreached follows from the rest. Of many images, work on blocks of them
        (`in_blocks`).
    zeros : bool, optional
        Whether a live cell sends zeros along paths that are not open; as it is in the space by default.
    """
    zeros = space.zeros if zeros is None else zeros
    alphas = activations(gates)
    opened = alphas > OPEN_THRESHOLD
    live = np.empty((space.n_cells, alphas.shape[1]), bool)
    kinds = np.zeros((space.n_cells, 3, alphas.shape[1]), bool)
    kinds[space.fed] = True
    for cell in range(space.n_cells):
        paths, kind = space.paths_from(cell), kinds[cell]
        # Of what sends no zeros a cell with all paths shut would lose the image: there the sum does not make it live.
        wanted = alphas[paths].sum(axis=0) >= OPEN_THRESHOLD if space.zeros else opened[paths].any(axis=0)
        np.logical_and(wanted, kind[0], out=live[cell])
        opened[paths] &= live[cell]
        passed = kind & ~live[cell]
        for path in range(paths.start, paths.stop):
            if (target := space.target[path]) >= 0:
                to = kinds[target]
                to[0] |= live[cell] if zeros else opened[path]
                # The operation turns zeros into a constant (its biases), and keeps an image an image.
                to[1] |= opened[path]
                to[2] |= opened[path] & kind[2]
                if space.passes[path] or space.bypass:
                    to |= passed
    return Flow(alphas, opened, live, kinds)


def activations(gates: np.ndarray) -> np.ndarray:
    """Turn a block of gates to one contiguous row a path, ``(path, image)``, with 0 for NaN."""
    return np.fmax(gates.T, np.zeros((), gates.dtype), order="C")


def open_activations(space: RoutingSpace, gates: np.ndarray) -> np.ndarray:
    """Activations of paths that are open and whose cell was reached, 0 of all others: ``(image, path)`` float64.

    Parameters are those of :func:`cell_states`.
    """
    return np.where(open_paths(space, gates), gates, 0).astype(np.float64)


BINS = 10


def bins(activations: np.ndarray) -> np.ndarray:
    """Bin of each activation, uint8: 0 where a path is not open, or NaN, else 1 to `BINS`, of equal widths to 1."""
    numbers = np.fmin(activations * BINS, BINS - 1).astype(np.uint8)
    numbers += 1
    numbers *= activations > OPEN_THRESHOLD
    return numbers


def checked(space: RoutingSpace, gates: np.ndarray) -> np.ndarray:
    """Return gates as an array; raises InputError where they do not fit the space."""
    gates = np.asarray(gates)
    if gates.ndim != 2 or gates.shape[1] != space.n_paths:
        raise InputError(f"gates of shape {gates.shape}; this space needs (images, {space.n_paths})")
    return gates


def in_blocks(gates: np.ndarray, work: Callable[[slice, np.ndarray], None]) -> None:
    """Call ``work`` with the place and the gates of so many images at a time, by several threads.

    Parameters
    ----------
    gates : ndarray, (image, path) float
        Possibly memory-mapped.
    work : callable
    """
    blocks = [slice(start, min(start + BLOCK, len(gates))) for start in range(0, len(gates), BLOCK)]
    if len(blocks) < 2:
        work(slice(0, len(gates)), gates)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda rows: work(rows, gates[rows]), blocks))


def cell_states(space: RoutingSpace, gates: np.ndarray) -> CellStates:
    """Derive the state and input of every cell; see `flow` for the rules.

    Parameters
    ----------
    space : RoutingSpace
    gates : ndarray, (image, path) float
        Activations; NaN counts as 0, as what is unreached follows from the rest.

    Returns
    -------
    CellStates
    """
    gates = checked(space, gates)
    state, kind = (np.empty((space.n_cells, len(gates)), np.uint8) for _ in range(2))

    def derive(rows: slice, some: np.ndarray) -> None:
        _, _, live, kinds = flow(space, some)
        np.add(kinds[:, 0], live, out=state[:, rows], dtype=np.uint8)
        kinds.sum(axis=1, out=kind[:, rows], dtype=np.uint8)

    in_blocks(gates, derive)
    return CellStates(state.T, kind.T)


def sent(space: RoutingSpace, gates: np.ndarray) -> np.ndarray:
    """Kind of tensor each path carries, ``(image, path)`` uint8: position in ``INPUTS``, none where nothing is sent.

    Parameters are those of :func:`cell_states`.
    """
    gates = checked(space, gates)
    carried = np.empty((space.n_paths, len(gates)), np.uint8)

    def derive(rows: slice, some: np.ndarray) -> None:
        _, opened, live, kinds = flow(space, some)
        source, image = space.source, IMAGE - 1
        made = (live[source] if space.zeros else opened).astype(np.uint8) + opened + (opened & kinds[source, image])
        passed = space.passes[:, None] & ~live[source]
        carried[:, rows] = np.where(passed, kinds.sum(axis=1, dtype=np.uint8)[source], made)

    in_blocks(gates, derive)
    return carried.T


def open_paths(space: RoutingSpace, gates: np.ndarray) -> np.ndarray:
    """Paths that are open and whose cell was reached, ``(image, path)`` bool. Parameters as for :func:`cell_states`."""
    gates = checked(space, gates)
    opened = np.empty(gates.shape, bool)

    def derive(rows: slice, some: np.ndarray) -> None:
        opened[rows] = flow(space, some).opened.T

    in_blocks(gates, derive)
    return opened
