"""The residual network that SkipNet, BlockDrop and ConvNet-AIG decide over, small enough for 8×8 images."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.space import RoutingSpace, chain_space

WIDTHS = (16, 32, 64)
BLOCKS = 3
"""Blocks in each of the three stages: 9, at strides 1, 2 and 4."""

CLASSES = 10


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut without weights.

    Like option A of Deep Residual Learning (CVPR 2016): zeros for the new channels, but average pooling for its stride.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.inputs, self.widened, self.stride = inputs, width - inputs, stride
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def shortcut(self, x: Tensor) -> Tensor:
        """Where the block is skipped: (n, inputs, h, w) -> (n, width, h / stride, w / stride)."""
        x = F.avg_pool2d(x, self.stride) if self.stride > 1 else x
        return F.pad(x, (0, 0, 0, 0, 0, self.widened)) if self.widened else x

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.body(x))


def blocks() -> nn.ModuleList:
    """The nine blocks."""
    shapes, inputs = [], WIDTHS[0]
    for stage, width in enumerate(WIDTHS):
        for at in range(BLOCKS):
            shapes.append((inputs, width, 2 if stage and not at else 1))
            inputs = width
    return nn.ModuleList(Block(*shape) for shape in shapes)


def block_space() -> RoutingSpace:
    """The chain of the nine blocks, with the stride of each block's output."""
    strides = [2**stage for stage in range(len(WIDTHS)) for _ in range(BLOCKS)]
    return chain_space(len(strides), strides=strides, channels=[width for width in WIDTHS for _ in range(BLOCKS)])


def stem() -> nn.Sequential:
    """From grey pixels to features."""
    return nn.Sequential(nn.Conv2d(1, WIDTHS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU())


def head() -> nn.Sequential:
    """From features to logits."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], CLASSES))
