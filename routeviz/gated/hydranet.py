"""HydraNet: a gate sends each image through two of five branches, each for digits of its own.

Mullapudi, Mark, Shazeer and Fatahalian: HydraNets: Specialized Dynamic Architectures for Efficient Inference, CVPR
2018. As there: a stem, branches that compute features for a part of the classes each, a gate on the stem's features
that chooses the k best branches, and a combiner of what they compute; classes are parted by what they look like. Here:
five branches for ten digits, parted by k-means of the digits' mean images; the combiner gets zeros where a branch did
not run; and the gate learns which part an image is of beside the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.gated.base import Gated, forced_scores, run_chosen, unless_forced
from routeviz.gated.residual import CLASSES, stem
from routeviz.recording import Gate
from routeviz.space import branches_space

BRANCHES, TOP, WIDTH = 5, 2, 16
PARTS = (0, 1, 1, 2, 3, 1, 3, 4, 1, 2)
"""The branch that is for each digit."""

GATE = 0.5
"""Weight of the gate's own loss."""


class Hydra(Gated):
    """A stem, five branches of which two run, and a combiner."""

    name: ClassVar[str] = "hydranet"
    title: ClassVar[str] = "HydraNet"
    paper: ClassVar[str] = "HydraNets: Specialized Dynamic Architectures for Efficient Inference, CVPR 2018"
    epochs: ClassVar[int] = 30

    def __init__(self) -> None:
        super().__init__()
        self.space = branches_space(BRANCHES, width=16)
        self.stem = stem()
        self.gate = nn.Linear(16 * 4, BRANCHES)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
                nn.Conv2d(32, WIDTH, 3, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(),
                nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            )
            for _ in range(BRANCHES)
        )  # fmt: skip
        self.combiner = nn.Linear(BRANCHES * WIDTH, CLASSES)
        self.register_buffer("parts_of", torch.tensor(PARTS), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return self._run(images)[0]

    def _run(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the classes and of the branches."""
        x = self.stem(images)
        scores = self.gate(F.adaptive_avg_pool2d(x, 2).flatten(1))
        chosen = two_best(scores) > 0
        none = x.new_zeros(len(x), WIDTH)
        features = [
            branch(x) * runs[:, None] if self.training else run_chosen(branch, x, none, runs | self.everything)
            for branch, runs in zip(self.branches, chosen.T, strict=True)
        ]
        return self.combiner(torch.cat(features, dim=1)), scores

    def loss(self, images: Tensor, labels: Tensor, progress: float) -> Tensor:
        logits, scores = self._run(images)
        return F.cross_entropy(logits, labels) + GATE * F.cross_entropy(scores, self.parts_of[labels])

    def gates(self) -> Mapping[str, Gate]:
        return {"gate": Gate("part 0", activations=two_best, write=lambda scores, opens: forced_scores(opens))}

    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        return {"paths": dict(zip(self.space.path_names, self.branches, strict=True)), "gates": {"part 0": "gate"}}


def two_best(scores: Tensor) -> Tensor:
    """1 for the branches with the largest scores, or those that are forced, ``(image, branch)``."""
    best = torch.zeros_like(scores).scatter(1, scores.topk(TOP, dim=1).indices, 1.0)
    return unless_forced(best, scores)
