"""What has been sent to the cells so far, for each image of a batch on its way through the network."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor


class Inbox:
    """Sum of the tensors sent to one cell, and which images anything was sent for.

    Zeros that a live cell sends along a path that is not open are not added up: they only mark the image as reached.

    Attributes
    ----------
    reached : Tensor, (N,) bool
        Images for which something was sent, be it zeros.
    """

    def __init__(self, shape: tuple[int, int, int, int], like: Tensor):
        self._shape = shape
        self._like = like
        self._sum: Tensor | None = None
        self.reached = torch.zeros(shape[0], dtype=torch.bool, device=like.device)

    def mark(self, images: Tensor) -> None:
        """Note that zeros were sent for these images, ``(n,)`` int64."""
        self.reached[images] = True

    def add(self, images: Tensor, x: Tensor) -> None:
        """Add ``x (n, C, H, W)`` for these images, ``(n,)`` int64, in ascending order."""
        self.mark(images)
        if len(images) == self._shape[0]:
            self._sum = x if self._sum is None else self._sum + x
            return
        if self._sum is None:
            self._sum = self._like.new_zeros(self._shape)
        self._sum = self._sum.index_add(0, images, x)

    def features(self, images: Tensor) -> Tensor:
        """The cell's input for these images, ``(n, C, H, W)``; zeros where only zeros were sent."""
        if self._sum is None:
            return self._like.new_zeros((len(images), *self._shape[1:]))
        return take(self._sum, images)

    def fork(self, images: Tensor | None) -> Inbox:
        """The same inbox for some of its images, ``(n,)`` int64 or all of them; what arrives in one stays there."""
        fork = copy(self)
        fork.reached = self.reached.clone() if images is None else self.reached[images]
        if images is not None:
            fork._shape = (len(images), *self._shape[1:])
            fork._sum = None if self._sum is None else self._sum[images]
        return fork

    @property
    def nbytes(self) -> int:
        """Bytes of the sum."""
        return 0 if self._sum is None else self._sum.nbytes


@dataclass
class Passage:
    """A batch on its way through the network: where it stands, and what was sent to the cells it has yet to come to.

    Attributes
    ----------
    boxes : list of Inbox or None
        Of every cell, then of the decoder's scales; None where the cell has read it.
    gates : Tensor, (N, path) float32
        Activations used so far; NaN elsewhere.
    image_size, padded_size : (height, width)
    layer : int
        The next layer to run; L + 1 where only the decoder is left.
    """

    boxes: list[Inbox | None]
    gates: Tensor
    image_size: tuple[int, int]
    padded_size: tuple[int, int]
    layer: int = 0

    def fork(self, images: Tensor | None = None) -> Passage:
        """A passage that stands at the same place and goes on by itself.

        Parameters
        ----------
        images : Tensor, (n,) int64, optional
            Images to take along, each as often as it is named; by default all of them, which copies no features.
        """
        boxes = [None if box is None else box.fork(images) for box in self.boxes]
        gates = self.gates.clone() if images is None else self.gates[images]
        return replace(self, boxes=boxes, gates=gates)

    @property
    def nbytes(self) -> int:
        """Bytes of the features it holds."""
        return sum(box.nbytes for box in self.boxes if box is not None)


def take(x: Tensor, images: Tensor) -> Tensor:
    """Rows of x for ascending image indices: x itself, not a copy, where these are all of its rows."""
    return x if len(images) == len(x) else x[images]
