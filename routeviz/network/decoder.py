"""The decoder: the four final features, coarse to fine, to logits at the size of the input."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import interpolate

from routeviz.network.blocks import ConvNorm
from routeviz.network.inbox import Inbox, rows_on

STEM_STRIDE = 4


class Decoder(nn.Module):
    """From the coarsest scale up: 1x1 convolution, bilinear x2, add the next finer feature; at scale 0 the predictor.

    Parameters
    ----------
    channels : sequence of int
        Channels of the final feature of each scale, finest first.
    num_classes : int
    """

    def __init__(self, channels: list[int], num_classes: int):
        super().__init__()
        finer = [channels[0], *channels[:-1]]
        self.stages = nn.ModuleList(ConvNorm(c, out, 1) for c, out in zip(channels, finer, strict=True))
        self.predictor = nn.Conv2d(channels[0], num_classes, 3, padding=1)

    def forward(self, finals: list[Inbox], size: tuple[int, int]) -> Tensor:
        """Final features of each scale to logits ``(N, class, H, W)``, where ``size`` is (H, W).

        A scale to which nothing was sent adds nothing; an image for which nothing was sent at all gets the predictor's
        bias (the released code fails on either).
        """
        for scale in reversed(range(len(self.stages))):
            images = np.flatnonzero(finals[scale].reached)
            if len(images) == 0:
                continue
            y = self.stages[scale](finals[scale].features(images))
            if scale:
                y = interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
                finals[scale - 1].add(images, y, spend=True)
                continue
            logits = interpolate(self.predictor(y), scale_factor=STEM_STRIDE, mode="bilinear", align_corners=False)
            if len(images) == len(finals[0].reached):
                return logits
            return self._blank(len(finals[0].reached), size).index_copy(0, rows_on(logits.device, images), logits)
        return self._blank(len(finals[0].reached), size)

    def _blank(self, n_images: int, size: tuple[int, int]) -> Tensor:
        return self.predictor.bias.view(1, -1, 1, 1).expand(n_images, -1, *size).contiguous()
