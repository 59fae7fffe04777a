"""What all routes of a log come to, derived in one pass over its gates, which need not be in memory together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from routeviz.space import CellStates, RoutingSpace
from routeviz.space.bits import pack
from routeviz.space.states import Flow, flow

Work = Callable[[slice, np.ndarray], None]
"""What is done with the places and the gates, ``(image, path)``, of some images."""

Beside = Callable[[slice, Flow], None]
"""What is done with the places of some images and what their routes do, activations of unreached cells being 0."""


class Tally(NamedTuple):
    """Codes of each route, and sums over all.

    Attributes
    ----------
    states : CellStates
        State and kind of input of every cell, each ``(image, cell)`` uint8.
    keys : ndarray, (image, path / 8) uint8
        The paths that are open, as ``np.packbits`` packs them: equal where two images take the same route.
    opened : ndarray, (path,) int64
        Images that open each path.
    total, total_open : ndarray, (path,) float64
        Sum of each path's activations over all images, 0 where its cell is unreached; over those that open it.
    """

    states: CellStates
    keys: np.ndarray
    opened: np.ndarray
    total: np.ndarray
    total_open: np.ndarray


def tally(space: RoutingSpace, n_images: int, in_blocks: Callable[[Work], None], beside: Beside | None = None) -> Tally:
    """Derive what routes come to.

    Parameters
    ----------
    space : RoutingSpace
    n_images : int
    in_blocks : callable
        Calls what it is given for all images, so many at a time, in any order and by any thread.
    beside : callable, optional
        Called in the same pass; what it is called with changes afterwards.

    Returns
    -------
    Tally
    """
    state, kind = (np.empty((space.n_cells, n_images), np.uint8) for _ in range(2))
    keys = np.empty((n_images, -(-space.n_paths // 8)), np.uint8)
    sums: list[tuple[int, np.ndarray]] = []

    def derive(rows: slice, gates: np.ndarray) -> None:
        found = flow(space, gates)
        np.add(found.reached, found.live, out=state[:, rows], dtype=np.uint8)
        found.kinds.sum(axis=1, out=kind[:, rows], dtype=np.uint8)
        keys[rows] = pack(found.opened).T
        alphas = np.multiply(found.alphas, found.reached[space.source], out=found.alphas)
        total = _sums(alphas)
        if beside is not None:
            beside(rows, found)
        alphas *= found.opened
        sums.append((rows.start, np.stack([_counts(found.opened), total, _sums(alphas)])))

    in_blocks(derive)
    # In the order of the images, whichever thread was first: the same log has the same figures to the last digit.
    ordered = [part for _, part in sorted(sums, key=lambda part: part[0])]
    opened, total, total_open = np.sum([np.zeros((3, space.n_paths)), *ordered], axis=0)
    return Tally(CellStates(state.T, kind.T), keys, opened.astype(np.int64), total, total_open)


def _counts(opened: np.ndarray) -> np.ndarray:
    return np.array([np.count_nonzero(of_path) for of_path in opened], np.float64)


def _sums(alphas: np.ndarray) -> np.ndarray:
    return alphas.sum(axis=1, dtype=np.float64)
