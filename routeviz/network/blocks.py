"""The convolutions that stem, cells, gates and decoder are made of."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, and a ReLU where asked: ``(N, C, H, W) -> (N, C', H', W')``."""

    def __init__(self, channels: int, out: int, kernel: int, *, stride: int = 1, padding: int = 0, relu: bool = True):
        super().__init__()
        # A strided 1x1 convolution reads every stride-th value, so it may as well get only those. oneDNN 3.12's own
        # strided one overruns a buffer in training, below 8 channels without AVX-512 (oneDNN issue 6035).
        self.every = stride if kernel == 1 else 1
        self.conv = nn.Conv2d(channels, out, kernel, stride // self.every, padding, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.relu = nn.ReLU() if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(x[..., :: self.every, :: self.every])))


class Separable(nn.Module):
    """Depthwise 3x3 convolution, then pointwise 1x1 with batch norm and, where asked, ReLU."""

    def __init__(self, channels: int, out: int, *, stride: int = 1, relu: bool = True):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
        self.pointwise = ConvNorm(channels, out, 1, relu=relu)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class Stem(nn.Sequential):
    """Image to stride 4: ``(N, 3, H, W) -> (N, C, H/4, W/4)`` for H and W that are multiples of 4.

    The first convolution has no padding, as released: it gives H/2 - 1, and the last brings that to H/4.
    """

    def __init__(self, stem_width: int, out: int):
        super().__init__(
            ConvNorm(3, stem_width, 3, stride=2),
            Separable(stem_width, stem_width),
            Separable(stem_width, out, stride=2),
        )
