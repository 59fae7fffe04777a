"""What has been sent to the cells so far, for each image of a batch on its way through the network."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Inbox:
    """Sum of the tensors sent to one cell, and which images anything was sent for.

    Zeros that a live cell sends along a path that is not open are not added up: they only mark the image as reached.
    Images are named by their positions in the batch, ``(n,)`` intp in ascending order: what decides what runs lies on
    the CPU, in NumPy, and what runs in torch, on whatever device.

    Attributes
    ----------
    reached : ndarray, (N,) bool
        Images for which something was sent, be it zeros.
    owned : bool
        Whether the sum is this inbox's alone, so that it may be overwritten; never outside folded execution.
    """

    def __init__(self, shape: tuple[int, int, int, int], like: Tensor, *, in_place: bool = False):
        self._shape = shape
        self._like = like
        self._sum: Tensor | None = None
        # Adding in place is for inference, channels-last.
        self._in_place, self.owned = in_place, False
        self.reached = np.zeros(shape[0], bool)

    def mark(self, images: np.ndarray) -> None:
        """Note that zeros were sent for these images."""
        self.reached[images] = True

    def add(self, images: np.ndarray, x: Tensor, activations: Tensor | None = None, *, spend: bool = False) -> None:
        """Add ``x (n, C, H, W)`` for these images.

        ``activations (n, 1, 1, 1)``, where given, are what it is multiplied by. ``spend`` says that nobody else will
        read ``x`` again, so that it may be kept and overwritten.
        """
        self.mark(images)
        spend &= self._in_place
        weights = None if activations is None else activations.to(x.dtype)
        if len(images) == self._shape[0]:
            if self._sum is None:
                self._sum, self.owned = _times(x, weights, spend), self._in_place and (spend or weights is not None)
            elif self.owned:
                self._sum = self._sum.add_(x) if weights is None else self._sum.addcmul_(x, weights)
            else:
                self._sum = self._sum + x if weights is None else self._sum.addcmul(x, weights)
                self.owned = self._in_place
            return
        sent = _times(x, weights, spend)
        if self._sum is None:
            layout = torch.channels_last if self._in_place else torch.contiguous_format
            self._sum, self.owned = self._like.new_zeros(self._shape).to(memory_format=layout), self._in_place
        rows, sent = rows_on(sent.device, images), sent.to(self._sum.dtype)  # under autocast they may differ
        if self.owned:
            self._sum.permute(0, 2, 3, 1).index_add_(0, rows, sent.permute(0, 2, 3, 1))
        else:
            self._sum, self.owned = self._sum.index_add(0, rows, sent), self._in_place

    def features(self, images: np.ndarray) -> Tensor:
        """The cell's input for these images, ``(n, C, H, W)``; zeros where only zeros were sent."""
        if self._sum is None:
            return self._like.new_zeros((len(images), *self._shape[1:]))
        return take(self._sum, images)

    def fork(self, images: np.ndarray | None) -> Inbox:
        """The same inbox for some of its images, or all; what arrives in one stays there."""
        self.owned = False
        fork = copy(self)
        fork.reached = self.reached.copy() if images is None else self.reached[images]
        if images is not None:
            fork._shape = (len(images), *self._shape[1:])
            fork._sum = None if self._sum is None else self._sum[rows_on(self._sum.device, images)]
        return fork

    @property
    def nbytes(self) -> int:
        """Bytes of the sum."""
        return 0 if self._sum is None else self._sum.nbytes


def _times(x: Tensor, weights: Tensor | None, spend: bool) -> Tensor:
    if weights is None:
        return x
    return x.mul_(weights) if spend else x * weights


@dataclass
class Passage:
    """A batch on its way through the network: where it stands, and what was sent to the cells it has yet to come to.

    Attributes
    ----------
    boxes : list of Inbox or None
        Of every cell, then of the decoder's scales; None where the cell has read it.
    gates : Tensor, (N, path) float32
        Activations used so far, on the CPU; NaN elsewhere.
    parts : RoutingNetwork or Parts
        What it runs through.
    image_size, padded_size : (height, width)
    layer : int
        The next layer to run; L + 1 where only the decoder is left.
    """

    boxes: list[Inbox | None]
    gates: Tensor
    parts: Any
    image_size: tuple[int, int]
    padded_size: tuple[int, int]
    layer: int = 0

    def fork(self, images: np.ndarray | None = None) -> Passage:
        """A passage that stands at the same place and goes on by itself.

        Parameters
        ----------
        images : ndarray, (n,) intp, optional
            Images to take along, each as often as it is named; by default all of them, which copies no features.
        """
        boxes = [None if box is None else box.fork(images) for box in self.boxes]
        gates = self.gates.clone() if images is None else self.gates[torch.from_numpy(images)]
        return replace(self, boxes=boxes, gates=gates)

    @property
    def nbytes(self) -> int:
        """Bytes of the features it holds."""
        return sum(box.nbytes for box in self.boxes if box is not None)


def take(x: Tensor, images: np.ndarray) -> Tensor:
    """Rows of x for ascending positions of images: x itself, not a copy, where these are all of its rows."""
    if len(images) == len(x):
        return x
    rows = rows_on(x.device, images)
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return x.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)  # a quarter of the time
    return x[rows]


def rows_on(device: torch.device, images: np.ndarray) -> Tensor:
    """Positions of images, ``(n,)`` int64, on the device where they are to choose; the CPU does not wait for it."""
    return torch.from_numpy(images).to(device, non_blocking=True)
