"""Routes of some images, one contiguous row a path or cell, so that any part of them is described in little time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from routeviz.space.states import BINS, Flow, bins

STEPS = 65_535
"""Of the activations of large logs between 0 and 1: in half of the memory, and a hundred times finer than is shown."""

_BITS = 4
"""That the number of a bin takes: 0 where a path is not open, 1 to `BINS`, and one more for unreached cells."""


class Sums(NamedTuple):
    """What some images come to, in sums that can be added.

    Attributes
    ----------
    activation : ndarray, (path,) float64
    binned : ndarray, (2 + bin, path) int64
        Images with an activation in each bin: not open, the bins of `bins`, unreached.
    reached, live : ndarray, (cell,) int64
        Images that reach a cell, and that open it.
    """

    activation: np.ndarray
    binned: np.ndarray
    reached: np.ndarray
    live: np.ndarray


@dataclass(frozen=True, eq=False)
class Block:
    """Routes of consecutive images.

    Attributes
    ----------
    rows : slice
        Where in the log they are.
    kept : ndarray, (path, image) float32 or uint16
        Activations, 0 where a path's cell is unreached; or the nearest of `STEPS`.
    binned : ndarray, (bit, path, image / 64) uint64
        The numbers of the activations' bins, each bit of them for itself.
    reached, live : ndarray, (cell, image / 64) uint64
        Bits: whether an image reaches a cell, and whether it opens it.
    """

    rows: slice
    kept: np.ndarray
    binned: np.ndarray
    reached: np.ndarray
    live: np.ndarray

    @classmethod
    def of(cls, rows: slice, flow: Flow, source: np.ndarray, *, exact: bool) -> Block:
        """Lay out what routes do, of which activations in unreached cells are 0; ``source`` is the cell of each path.

        Not ``exact``, activations are kept to the nearest of `STEPS`.
        """
        numbers = bins(flow.alphas)
        numbers += (~flow.reached * np.uint8(BINS + 1))[source]
        return cls(
            rows,
            flow.alphas.copy() if exact else (flow.alphas * np.float32(STEPS) + np.float32(0.5)).astype(np.uint16),
            np.stack([_words(numbers & (1 << bit)) for bit in range(_BITS)]),
            _words(flow.reached),
            _words(flow.live),
        )

    def values(
        self, paths: slice | np.ndarray | int = slice(None), images: slice | np.ndarray = slice(None)
    ) -> np.ndarray:
        """Activations of paths for some of the images, ``(path, image)`` float32."""
        kept = self.kept[paths][..., images]
        return kept if kept.dtype == np.float32 else kept * np.float32(1 / STEPS)

    def sums(self, mask: np.ndarray) -> Sums:
        """Add up the images of a mask, ``(image,)`` bool."""
        words = _words(mask)
        # With how many images each choice of bits is there, whatever their other bits; then just these bits.
        chosen = [np.broadcast_to(words, self.binned[0].shape)]
        for plane in self.binned:
            chosen += [plane & others for others in chosen]
        counts = np.stack([_count(choice) for choice in chosen])
        for bit in range(_BITS):
            pairs = counts.reshape(-1, 2, 1 << bit, counts.shape[-1])
            pairs[:, 0] -= pairs[:, 1]
        activation = (self.values() @ mask.astype(np.float32)).astype(np.float64)
        return Sums(activation, counts[: BINS + 2], _count(self.reached & words), _count(self.live & words))


def _words(bits: np.ndarray) -> np.ndarray:
    """Pack truth values along the last axis, 64 to a word."""
    packed = np.packbits(bits, axis=-1)
    if lacking := -packed.shape[-1] % 8:
        packed = np.pad(packed, [(0, 0)] * (packed.ndim - 1) + [(0, lacking)])
    return packed.view(np.uint64)


def _count(words: np.ndarray) -> np.ndarray:
    return np.bitwise_count(words).sum(axis=-1, dtype=np.int64)
