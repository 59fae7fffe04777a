"""BlockDrop: one policy looks at the image and decides over all blocks at once.

Wu, Nagarajan, Kumar, Rennie, Davis, Grauman and Feris: BlockDrop: Dynamic Inference Paths in Residual Networks, CVPR
2018, arXiv 1711.08393. As there: a policy network much smaller than the network that it decides over; the reward
1 - (share of blocks)² of a right answer and a penalty for a wrong one, policy gradients against the policy's own most
likely choice; a network trained first with all blocks, then the policy under a curriculum that begins with the last
blocks, then both together. Here: 9 blocks for 8×8 images; the three stages in one run; and the network's batch norms go
on following what they see while the policy alone learns.
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

HALF = 0.5
PENALTY = 2.0
"""Of a wrong answer (gamma)."""

ALONE, TOGETHER = 0.4, 0.75
"""When the policy starts to learn, with the network's weights as they are; and when both learn together."""

BOUND = 0.8
"""Probabilities are kept between 1 - this and this while they are sampled, so that every choice is tried."""


class BlockDrop(Gated):
    """A residual network with one policy for all of its blocks."""

    name: ClassVar[str] = "blockdrop"
    title: ClassVar[str] = "BlockDrop"
    paper: ClassVar[str] = "BlockDrop: Dynamic Inference Paths in Residual Networks, CVPR 2018, arXiv 1711.08393"
    epochs: ClassVar[int] = 50

    def __init__(self) -> None:
        super().__init__()
        self.space = block_space()
        self.stem, self.blocks, self.head = stem(), blocks(), head()
        self.policy = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(16 * 4, len(self.blocks)), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        return self._run(images, (self.policy(images) > HALF) | self.everything)

    def _run(self, images: Tensor, runs: Tensor) -> Tensor:
        """Logits with some blocks: runs is (image, block) bool."""
        x = self.stem(images)
        for block, chosen in zip(self.blocks, runs.T, strict=True):
            x = run_chosen(block, x, F.relu(block.shortcut(x)), chosen)
        return self.head(x)

    def loss(self, images: Tensor, labels: Tensor, progress: float) -> Tensor:
        n = len(self.blocks)
        if progress < ALONE:
            return F.cross_entropy(self._run(images, torch.ones(len(images), n, dtype=torch.bool)), labels)
        probability = self.policy(images)
        bounded = BOUND * probability + (1 - BOUND) * (1 - probability)
        # The curriculum: before the last so many blocks nothing is decided, all of it runs.
        decided = min(1.0, (progress - ALONE) / (TOGETHER - ALONE))
        fixed = torch.arange(n) < n - max(1, round(decided * n))
        sampled, greedy = (torch.bernoulli(bounded.detach()) > 0) | fixed, (probability > HALF) | fixed
        together = progress >= TOGETHER
        with torch.set_grad_enabled(together):
            logits = self._run(images, sampled)
        with torch.no_grad():
            reward = _reward(logits, sampled, labels) - _reward(self._run(images, greedy), greedy, labels)
        likelihood = torch.where(sampled, bounded, 1 - bounded).log().masked_fill(fixed, 0)
        policy_loss = -(reward[:, None] * likelihood).sum(dim=1).mean()
        return policy_loss + F.cross_entropy(logits, labels) if together else policy_loss

    def gates(self) -> Mapping[str, Gate]:
        return {
            "policy": Gate(
                self.space.cell_names,
                activations=lambda probability: (probability > HALF).float(),
                write=lambda probability, runs: runs,
            )
        }

    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        # The policy runs for every image: it is a fixed cost.
        return {"operations": dict(zip(self.space.cell_names, (block.body for block in self.blocks), strict=True))}


def _reward(logits: Tensor, runs: Tensor, labels: Tensor) -> Tensor:
    """Of each image, ``(image,)``."""
    right = logits.argmax(dim=1) == labels
    return torch.where(right, 1 - runs.float().mean(dim=1).square(), -PENALTY)
