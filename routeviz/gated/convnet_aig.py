"""ConvNet-AIG: each block's own gate decides whether it runs, and learns how often it should.

Veit and Belongie: Convolutional Networks with Adaptive Inference Graphs, ECCV 2018, arXiv 1711.11503. As there: a gate
is pooled features, two small layers and a choice of two, drawn by Gumbel softmax, hard forward and soft backward; a
target rate for every block, whose square distance is added to the loss. Here: 9 blocks for 8×8 images, one rate for all
of them, and at test time the likelier choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.gated.base import Gated, run_chosen
from routeviz.gated.residual import block_space, blocks, head, stem
from routeviz.recording import Gate

HIDDEN = 16
RATE = 0.5
"""Target share of the images that a block runs for."""

WEIGHT = 2.0
"""Of the square distance to the target rate."""


class BlockGate(nn.Module):
    """Pooled features to the logits of skipping a block and of running it, ``(image, 2)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))
        with torch.no_grad():
            self.layers[-1].bias[1] = 1.5  # most blocks start open

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.mean(dim=(2, 3)))


class ConvNetAIG(Gated):
    """A residual network with a gate of its own, and a target rate, for every block."""

    name: ClassVar[str] = "convnet-aig"
    title: ClassVar[str] = "ConvNet-AIG"
    paper: ClassVar[str] = "Convolutional Networks with Adaptive Inference Graphs, ECCV 2018, arXiv 1711.11503"

    def __init__(self) -> None:
        super().__init__()
        self.space = block_space()
        self.stem, self.blocks, self.head = stem(), blocks(), head()
        self.block_gates = nn.ModuleList(BlockGate(block.inputs) for block in self.blocks)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for block, gate in zip(self.blocks, self.block_gates, strict=True):
            runs = gate(x).argmax(dim=1) == 1
            x = run_chosen(block, x, F.relu(block.shortcut(x)), runs | self.everything)
        return self.head(x)

    def loss(self, images: Tensor, labels: Tensor, progress: float) -> Tensor:
        x, rates = self.stem(images), []
        for block, gate in zip(self.blocks, self.block_gates, strict=True):
            runs = F.gumbel_softmax(gate(x), tau=1, hard=True)[:, 1]
            rates.append(runs.mean())
            x = F.relu(block.shortcut(x) + runs[:, None, None, None] * block.body(x))
        return F.cross_entropy(self.head(x), labels) + WEIGHT * (torch.stack(rates) - RATE).square().mean()

    def gates(self) -> Mapping[str, Gate]:
        return {
            f"block_gates.{at}": Gate(
                cell,
                activations=lambda logits: (logits.argmax(dim=1) == 1).float(),
                write=lambda logits, runs: torch.stack([1 - runs, runs], dim=1),
            )
            for at, cell in enumerate(self.space.cell_names)
        }

    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        cells = self.space.cell_names
        return {
            "operations": {cell: block.body for cell, block in zip(cells, self.blocks, strict=True)},
            "gates": dict(zip(cells, self.block_gates, strict=True)),
        }
