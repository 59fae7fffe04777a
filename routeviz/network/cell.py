"""A cell of the routing space: its operation, its soft conditional gate and the transforms of its paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from routeviz.network.blocks import ConvNorm, Separable
from routeviz.network.inbox import take

GATE_BIAS = 1.5
"""Every path starts open: tanh(1.5) = 0.905."""


class Gate(nn.Module):
    """Soft conditional gate (CVPR 2020, section 3.3): ``x (N, C, H, W) -> activations (N, path)`` in [0, 1).

    The activations stand in the space's order of the cell's paths. The small gate sees x resized by 1/4.
    """

    def __init__(self, channels: int, n_paths: int, *, small: bool):
        super().__init__()
        self.small = small
        self.reduce = ConvNorm(channels, channels // 2, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.score = nn.Conv2d(channels // 2, n_paths, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.small:
            x = _quarter(x)
        z = self.score(self.pool(self.reduce(x))).flatten(1)  # (N, path)
        return torch.tanh(z).relu()


def _quarter(x: Tensor) -> Tensor:
    """Resize by 1/4, bilinear: sampled every 4 features, also where the size is no multiple of 4, as released."""
    if min(x.shape[-2:]) >= 4:
        return F.interpolate(x, scale_factor=0.25, mode="bilinear", align_corners=False)
    # Given a factor, interpolate fails below 4 features (as the released code does).
    return F.interpolate(x, size=[max(1, n // 4) for n in x.shape[-2:]], mode="bilinear", align_corners=False)


def transform(move: str, channels: int) -> nn.Module:
    """What carries a cell's output along a path, before its gate: C/2 at twice the size, as it is, or 2C at half."""
    if move == "up":
        upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        return nn.Sequential(nn.ReLU(), ConvNorm(channels, channels // 2, 1), upsample)
    if move == "down":
        return nn.Sequential(nn.ReLU(), ConvNorm(channels, channels * 2, 1, stride=2))
    return nn.ReLU()


class Cell(nn.Module):
    """One cell at (layer, scale).

    Parameters
    ----------
    channels : int
        C·2^s.
    moves : iterable of str
        The cell's moves in the space's order.
    gated : bool
        Whether it has a gate; cells of a network with fixed gates have none.
    small_gate : bool
        See :class:`Gate`.
    live : bool
        Whether it has an operation; a cell that a fixed route closes or never reaches needs none.
    built : iterable of str
        The moves that get a transform.
    """

    def __init__(
        self, channels: int, moves: Iterable[str], *, gated: bool, small_gate: bool, live: bool, built: Iterable[str]
    ):
        super().__init__()
        self.moves = tuple(moves)
        self.gate = Gate(channels, len(self.moves), small=small_gate) if gated else None
        self.operation = (
            nn.Sequential(Separable(channels, channels), Separable(channels, channels, relu=False)) if live else None
        )
        self.transforms = nn.ModuleDict({move: transform(move, channels) for move in built})

    def forward(self, x: Tensor) -> Tensor:
        """h, the sum of the two candidates: ``(N, C, H, W) -> (N, C, H, W)``."""
        return self.operation(x) + x

    def send(
        self, x: Tensor, activations: Tensor, opens: np.ndarray, *, spend: bool = False
    ) -> Iterator[tuple[int, np.ndarray, Tensor, Tensor | None]]:
        """Run the cell on images that open it, and each of its paths on those that open the path.

        Parameters
        ----------
        x : Tensor, (N, C, H, W)
        activations : Tensor, (N, path)
            In the order of `moves`.
        opens : ndarray, (N, path) bool
        spend : bool
            Whether x may be overwritten; a cell as it was trained never does.

        Yields
        ------
        offset : int
            Position of the path among the cell's.
        chosen : ndarray, (n,) intp
            The images that open it.
        y : Tensor, (n, C', H', W')
            What goes along it. Whoever reads it may overwrite it.
        activation : Tensor, (n, 1, 1, 1), or None
            What y is yet to be multiplied by.
        """
        h = self(x)
        for offset, move in enumerate(self.moves):
            chosen = np.flatnonzero(opens[:, offset])
            if len(chosen):
                y = self.transforms[move](take(h, chosen))
                yield offset, chosen, y, take(activations, chosen)[:, offset, None, None, None]
