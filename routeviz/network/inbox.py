"""What has been sent to the cells so far, for each image of a batch on its way through the network."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


class Inbox:
    """Sum of the tensors sent to one cell, and which images anything was sent for.

    Zeros that a live cell sends along a path that is not open are not added up: they only mark the image as reached.

    Attributes
    ----------
    reached : Tensor, (N,) bool
        Images for which something was sent, be it zeros. On the CPU, as all that decides what runs.
    """

    def __init__(self, shape: tuple[int, int, int, int], like: Tensor, *, in_place: bool = False):
        self._shape = shape
        self._like = like
        self._sum: Tensor | None = None
        # Adding in place is for inference, channels-last, and only where the sum is this inbox's alone.
        self._in_place, self._owned = in_place, False
        self.reached = torch.zeros(shape[0], dtype=torch.bool)

    def mark(self, images: Tensor) -> None:
        """Note that zeros were sent for these images, ``(n,)`` int64 on the CPU."""
        self.reached[images] = True

    def add(self, images: Tensor, x: Tensor, activations: Tensor | None = None) -> None:
        """Add ``x (n, C, H, W)`` for these images, ``(n,)`` int64 on the CPU, in ascending order.

        ``activations (n, 1, 1, 1)``, where given, are what it is multiplied by.
        """
        self.mark(images)
        whole, owned = len(images) == self._shape[0], self._in_place and self._owned
        if whole and owned:
            self._sum = self._sum.add_(x) if activations is None else self._sum.addcmul_(x, activations.to(x.dtype))
            return
        sent = x if activations is None else x * activations.to(x.dtype)
        if whole:
            self._owned = activations is not None or self._sum is not None
            self._sum = sent if self._sum is None else self._sum + sent
            return
        if self._sum is None:
            layout = torch.channels_last if self._in_place else torch.contiguous_format
            self._sum, owned = self._like.new_zeros(self._shape).to(memory_format=layout), self._in_place
        self._owned = True
        rows = rows_on(sent.device, images)
        if owned:
            self._sum.permute(0, 2, 3, 1).index_add_(0, rows, sent.permute(0, 2, 3, 1))
        else:
            self._sum = self._sum.index_add(0, rows, sent)

    def features(self, images: Tensor) -> Tensor:
        """The cell's input for these images, ``(n, C, H, W)``; zeros where only zeros were sent."""
        if self._sum is None:
            return self._like.new_zeros((len(images), *self._shape[1:]))
        return take(self._sum, images)

    def fork(self, images: Tensor | None) -> Inbox:
        """The same inbox for some of its images, ``(n,)`` int64 on the CPU, or all; what arrives in one stays there."""
        self._owned = False
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

    def fork(self, images: Tensor | None = None) -> Passage:
        """A passage that stands at the same place and goes on by itself.

        Parameters
        ----------
        images : Tensor, (n,) int64 on the CPU, optional
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
    """Rows of x for ascending image indices on the CPU: x itself, not a copy, where these are all of its rows."""
    if len(images) == len(x):
        return x
    images = rows_on(x.device, images)
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return x.permute(0, 2, 3, 1).index_select(0, images).permute(0, 3, 1, 2)  # a quarter of the time
    return x[images]


def rows_on(device: torch.device, images: Tensor) -> Tensor:
    """Image indices on the device where they are to choose; the CPU does not wait until they arrive."""
    return images.to(device, non_blocking=True)
