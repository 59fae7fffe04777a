"""What has been sent to a cell so far, for each image of a batch."""

from __future__ import annotations

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


def take(x: Tensor, images: Tensor) -> Tensor:
    """Rows of x for ascending image indices: x itself, not a copy, where these are all of its rows."""
    return x if len(images) == len(x) else x[images]
