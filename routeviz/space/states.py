"""What each cell does under given gates, and what kind of input it gets: derived from the activations alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from routeviz.errors import InputError
from routeviz.space.space import RoutingSpace

OPEN_THRESHOLD = 1e-4
"""A path is open where its activation is above this; a cell is closed where the sum of its activations is below."""

STATES = ("unreached", "closed", "open")
UNREACHED, CLOSED, OPEN = range(3)

INPUTS = ("none", "zeros", "constant", "image")
NONE, ZEROS, CONSTANT, IMAGE = range(4)


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


def cell_states(space: RoutingSpace, gates: np.ndarray) -> CellStates:
    """Derive the state and input of every cell, layer by layer.

    A live cell (sum of activations >= 1e-4) sends a tensor along all its paths, zeros along those not open; a closed
    cell passes its input along its pass path and sends nothing elsewhere; a cell to which nothing is sent is unreached.
    In a space without ``zeros`` nothing goes along a path that is not open; in one with a ``bypass`` a closed cell's
    input comes to wherever its paths lead, along none of them.

    Parameters
    ----------
    space : RoutingSpace
    gates : ndarray, (image, path) float
        Activations; NaN counts as 0, as what is unreached follows from the rest.

    Returns
    -------
    CellStates
    """
    return _propagate(space, gates)[0]


def sent(space: RoutingSpace, gates: np.ndarray) -> np.ndarray:
    """Kind of tensor each path carries, ``(image, path)`` uint8: position in ``INPUTS``, none where nothing is sent.

    Parameters are those of :func:`cell_states`.
    """
    return _propagate(space, gates)[1]


def open_paths(space: RoutingSpace, gates: np.ndarray) -> np.ndarray:
    """Paths that are open and whose cell was reached, ``(image, path)`` bool. Parameters as for :func:`cell_states`."""
    reached = cell_states(space, gates).state != UNREACHED
    return (np.asarray(gates) > OPEN_THRESHOLD) & reached[:, space.source]


def _propagate(space: RoutingSpace, gates: np.ndarray) -> tuple[CellStates, np.ndarray]:
    gates = np.asarray(gates)
    if gates.ndim != 2 or gates.shape[1] != space.n_paths:
        raise InputError(f"gates of shape {gates.shape}; this space needs (images, {space.n_paths})")
    # Cell-major arrays keep each step below on contiguous memory: a million routes go through in well under a second.
    n_images = len(gates)
    state = np.zeros((space.n_cells, n_images), np.uint8)
    kind = np.zeros((space.n_cells, n_images), np.uint8)
    carried = np.zeros((space.n_paths, n_images), np.uint8)
    kind[space.fed] = IMAGE
    shut = ZEROS if space.zeros else NONE
    for cell in range(space.n_cells):
        paths = space.paths_from(cell)
        alphas = np.nan_to_num(np.ascontiguousarray(gates[:, paths].T), nan=0.0)
        reached = kind[cell] > NONE
        live = reached & (alphas.sum(axis=0) >= OPEN_THRESHOLD)
        state[cell] = reached.astype(np.uint8) + live
        # The operation turns zeros into a constant (its biases), and keeps a constant and an image what they are.
        made = np.where(live, np.maximum(kind[cell], CONSTANT), NONE).astype(np.uint8)
        for offset, path in enumerate(range(paths.start, paths.stop)):
            brought = np.where(alphas[offset] > OPEN_THRESHOLD, made, np.minimum(made, shut))
            if space.passes[path]:
                brought = np.where(live, brought, kind[cell])
            carried[path] = brought
            if space.bypass:
                brought = np.where(live, brought, kind[cell])
            if space.target[path] >= 0:
                np.maximum(kind[space.target[path]], brought, out=kind[space.target[path]])
    return CellStates(state.T, kind.T), carried.T
