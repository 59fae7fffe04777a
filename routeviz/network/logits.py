"""What logits say: the class of each pixel, and how far they are from other ones."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn.functional import interpolate, kl_div


def classes_at(logits: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """Class of each pixel at a size (H', W'), such as a label's: ``(N, class, H, W) -> (N, H', W')`` int64."""
    if tuple(logits.shape[-2:]) != tuple(shape):
        logits = interpolate(logits, size=tuple(shape), mode="bilinear", align_corners=False)
    # The indices of max are those of argmax, in a quarter of the time.
    return logits.max(dim=1).indices.cpu().numpy()


def divergence(log_p: Tensor, logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of class probabilities from others, in nats, mean over pixels.

    Parameters
    ----------
    log_p : Tensor, (1 or N, class, H, W)
        Logarithms of the others.
    logits : Tensor, (N, class, H, W)

    Returns
    -------
    Tensor, (N,) float64
    """
    pixels = kl_div(logits.log_softmax(dim=1), log_p, reduction="none", log_target=True).sum(dim=1)
    return pixels.double().mean(dim=(1, 2)).clamp(min=0)
