"""Choice blocks, of whose operations an architecture has one each: Single Path One-Shot, and FBNet over the same space.

Guo, Zhang, Mu, Heng, Liu, Wei and Sun: Single Path One-Shot Neural Architecture Search with Uniform Sampling, ECCV
2020, arXiv 1904.00420. As there: every step of training runs one architecture, drawn uniformly; an architecture is
tried with these shared weights, its batch norms' statistics computed anew; the best under a bound on the cost is kept.
Unlike there: the best of those sampled, without evolution.

Wu, Dai, Zhang, Wang, Sun, Wu, Tian, Vajda, Jia and Keutzer: FBNet: Hardware-Aware Efficient ConvNet Design via
Differentiable Neural Architecture Search, CVPR 2019, arXiv 1812.03443. As there: each block is a sum of its operations
weighted by a Gumbel softmax, which grows harder along the training; the expected cost is in the loss; the likeliest
operations are kept. Here the cost is MACs, not a measured latency, and is added. ProxylessNAS (ICLR 2019, arXiv
1812.00332) differs in that it runs one or two of the operations at a time, to save memory.

Here: six blocks for 8×8 images, each an inverted residual of MobileNetV2 with one of three kernels and expansions, or
nothing beside the shortcut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.gated.residual import WIDTHS, Block, head, stem
from routeviz.gated.supernet import Supernet
from routeviz.routelog import RouteLog
from routeviz.space import choices_space

OPERATIONS = {"k3 e1": (3, 1), "k3 e4": (3, 4), "k5 e4": (5, 4), "skip": None}
"""Kernel and expansion of an operation by its name."""

BLOCKS = 2
"""Of each of the three stages."""

BOUND = 0.5
"""The derived architecture costs no more than this share of the dearest one."""

HOT, COLD = 5.0, 0.5
"""Temperature of the Gumbel softmax, at the beginning and at the end."""

COST = 0.3
"""Weight of the expected share of the dearest architecture's MACs."""


def inverted(inputs: int, width: int, stride: int, kernel: int, expansion: int) -> nn.Sequential:
    """An inverted residual's body: to more channels, a convolution in each channel, to the block's width."""
    middle = inputs * expansion
    return nn.Sequential(
        nn.Conv2d(inputs, middle, 1, bias=False), nn.BatchNorm2d(middle), nn.ReLU(),
        nn.Conv2d(middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False),
        nn.BatchNorm2d(middle), nn.ReLU(),
        nn.Conv2d(middle, width, 1, bias=False), nn.BatchNorm2d(width),
    )  # fmt: skip


class SinglePath(Supernet):
    """Six choice blocks; a step of training runs one architecture drawn uniformly."""

    name: ClassVar[str] = "one-shot"
    title: ClassVar[str] = "Single Path One-Shot"
    paper: ClassVar[str] = (
        "Single Path One-Shot Neural Architecture Search with Uniform Sampling, ECCV 2020, arXiv 1904.00420"
    )
    epochs: ClassVar[int] = 80

    def __init__(self) -> None:
        super().__init__()
        shapes = [
            (WIDTHS[max(stage - (not at), 0)], width, 2 if stage and not at else 1)
            for stage, width in enumerate(WIDTHS)
            for at in range(BLOCKS)
        ]
        self.space = choices_space([list(OPERATIONS)] * len(shapes), strides=[1, 1, 2, 2, 4, 4])
        self.stem, self.head = stem(), head()
        self.shortcuts = [Block(*shape).shortcut for shape in shapes]
        self.blocks = nn.ModuleList(
            nn.ModuleDict({name: inverted(*shape, *size) for name, size in OPERATIONS.items() if size})
            for shape in shapes
        )

    def run(self, images: Tensor, route: Tensor) -> Tensor:
        x = self.stem(images)
        for block, shortcut, factors in zip(self.blocks, self.shortcuts, route.view(len(self.blocks), -1), strict=True):
            parts = [f * block[name](x) for name, f in zip(OPERATIONS, factors, strict=True) if name in block and f > 0]
            x = F.relu(torch.stack([shortcut(x), *parts]).sum(dim=0))
        return self.head(x)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        return np.eye(len(OPERATIONS), dtype=np.float32)[rng.integers(len(OPERATIONS), size=len(self.blocks))].ravel()

    def paths(self) -> Mapping[str, Sequence[nn.Module]]:
        return {
            f"block {at} {name}": [operation]
            for at, block in enumerate(self.blocks)
            for name, operation in block.items()
        }

    def derive(self, log: RouteLog) -> np.ndarray:
        """The sampled architecture that is best on the digits for the search, under the bound on MACs; the cheaper."""
        facts = log.facts("search_accuracy", "macs_conv")
        allowed = facts[facts.macs_conv <= BOUND * facts.macs_conv.max()]
        best = allowed.sort_values(["search_accuracy", "macs_conv"], ascending=[False, True]).index[0]
        return log.route(int(best)).activations


class FBNet(SinglePath):
    """The blocks of Single Path One-Shot; which operation each of them runs is learned beside the weights."""

    name: ClassVar[str] = "fbnet"
    title: ClassVar[str] = "FBNet"
    paper: ClassVar[str] = (
        "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture Search, CVPR 2019, "
        "arXiv 1812.03443"
    )
    epochs: ClassVar[int] = 40

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(len(self.blocks), len(OPERATIONS)))
        macs = torch.from_numpy(self.costs(torch.zeros(1, 1, 8, 8)).path).view_as(self.theta).float()
        self.share = macs / macs.amax(dim=1).sum()

    def training_route(self, progress: float, rng: np.random.Generator) -> Tensor:
        return F.gumbel_softmax(self.theta, tau=HOT * (COLD / HOT) ** progress).flatten()

    def penalty(self) -> Tensor:
        return COST * (self.theta.softmax(dim=1) * self.share).sum()

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        likely = self.theta.detach().softmax(dim=1).numpy().astype(float)
        chosen = [rng.choice(len(row), p=row / row.sum()) for row in likely]
        return np.eye(len(OPERATIONS), dtype=np.float32)[chosen].ravel()

    def derive(self, log: RouteLog) -> np.ndarray:
        """The likeliest operation of every block."""
        return np.eye(len(OPERATIONS), dtype=np.float32)[self.theta.argmax(dim=1).numpy()].ravel()
