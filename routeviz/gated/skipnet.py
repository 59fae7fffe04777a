"""SkipNet: a recurrent gate decides block after block whether the next one runs.

Wang, Yu, Dou, Darrell and Gonzalez: SkipNet: Learning Dynamic Routing in Convolutional Networks, ECCV 2018,
arXiv 1711.09485. As there: one LSTM for all blocks, on the pooled features that a block is given; training in two
stages, first with decisions that are hard forward and soft backward, then with sampled decisions and policy gradients
of loss and cost together. Here: 9 blocks for 8×8 images; shortcuts without weights, so that the first block of a stage
can be skipped too; returns measured against the batch's mean, in its standard deviations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.gated.base import Gated, run_chosen
from routeviz.gated.residual import WIDTHS, block_space, blocks, head, stem
from routeviz.recording import Gate

HIDDEN = 10
HALF = 0.5
COST = 1.5
"""Weight of the cost beside the loss; the cost of an image is the share of blocks that run."""

SOFT = 0.5
"""Share of the training that is supervised; the rest is reinforced."""


class RecurrentGate(nn.Module):
    """Pooled features and the state of an LSTM to the probability that the block runs."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(width, HIDDEN) for width in WIDTHS)
        self.lstm = nn.LSTMCell(HIDDEN, HIDDEN)
        self.answer = nn.Linear(HIDDEN, 1)
        nn.init.constant_(self.answer.bias, 0.5)  # most blocks start open

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        pooled = x.mean(dim=(2, 3))
        state = self.lstm(self.project[WIDTHS.index(pooled.shape[1])](pooled), state)
        return self.answer(state[0]).sigmoid()[:, 0], state


class SkipNet(Gated):
    """A residual network whose blocks are skipped one by one."""

    name: ClassVar[str] = "skipnet"
    title: ClassVar[str] = "SkipNet"
    paper: ClassVar[str] = "SkipNet: Learning Dynamic Routing in Convolutional Networks, ECCV 2018, arXiv 1711.09485"

    epochs: ClassVar[int] = 30

    def __init__(self) -> None:
        super().__init__()
        self.space = block_space()
        self.stem, self.blocks, self.gate, self.head = stem(), blocks(), RecurrentGate(), head()

    def forward(self, images: Tensor) -> Tensor:
        x, state = self.stem(images), None
        for block in self.blocks:
            probability, state = self.gate(x, state)
            x = run_chosen(block, x, F.relu(block.shortcut(x)), (probability > HALF) | self.everything)
        return self.head(x)

    def loss(self, images: Tensor, labels: Tensor, progress: float) -> Tensor:
        supervised = progress < SOFT
        x, state = self.stem(images), None
        decisions, likelihoods = [], []
        for block in self.blocks:
            probability, state = self.gate(x, state)
            if supervised:
                # Hard forward, soft backward.
                runs = (probability > HALF).float() + probability - probability.detach()
            else:
                runs = torch.bernoulli(probability.detach())
                likelihoods.append(torch.where(runs > 0, probability, 1 - probability).clamp_min(1e-6).log())
            decisions.append(runs)
            x = F.relu(block.shortcut(x) + runs[:, None, None, None] * block.body(x))
        errors = F.cross_entropy(self.head(x), labels, reduction="none")
        runs = torch.stack(decisions, dim=1)  # (image, block)
        if supervised:
            return errors.mean()
        # What a decision is to answer for: the loss, and the blocks that run from it on.
        cost = errors.detach()[:, None] + COST * runs.flip(1).cumsum(1).flip(1) / len(self.blocks)
        advantage = (cost - cost.mean(dim=0)) / cost.std(dim=0).clamp_min(1e-3)
        return errors.mean() + (torch.stack(likelihoods, dim=1) * advantage).sum(dim=1).mean()

    def gates(self) -> Mapping[str, Gate]:
        return {
            "gate": Gate(
                self.space.cell_names,
                activations=lambda output: (output[0] > HALF).float(),
                write=lambda output, runs: (runs, output[1]),
            )
        }

    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        blocks = dict(zip(self.space.cell_names, self.blocks, strict=True))
        return {
            "operations": {cell: block.body for cell, block in blocks.items()},
            "gates": {  # a gate sees what its block is given
                cell: [self.gate.project[WIDTHS.index(block.inputs)], self.gate.lstm, self.gate.answer]
                for cell, block in blocks.items()
            },
        }
