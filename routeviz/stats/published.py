"""Figures published for networks of the routing space, to stand beside one's own."""

from __future__ import annotations

import re
from typing import NamedTuple

IMAGE_SIZE, CONVENTION, DATASET = (1024, 2048), "released", "cityscapes"
"""What all published figures are of: size of the images, convention of the MACs, dataset of the mIoU (val)."""

PAPER, RELEASE = "the paper's tables", "the released code"


class Published(NamedTuple):
    """Figures of one network, as published.

    Attributes
    ----------
    source : str
        `PAPER` or `RELEASE`.
    macs : float
        Average over the images; convention released, images of 1024 x 2048.
    miou : float or None
        In [0, 1], Cityscapes val.
    parameters : float or None
    """

    source: str
    macs: float
    miou: float | None = None
    parameters: float | None = None


def _row(source: str, miou: float | None, giga: float, millions: float | None = None) -> Published:
    return Published(source, giga * 1e9, miou and miou / 100, millions and millions * 1e6)


# "Learning Dynamic Routing for Semantic Segmentation", CVPR 2020, and what its code's repository lists. The static and
# the common networks are as remembered from the paper's table 1; nobody here has held them against the PDF.
PUBLISHED: dict[tuple[str, int], tuple[Published, ...]] = {
    ("all-open-full-gate", 16): (_row(RELEASE, None, 118.085, 17.785),),
    ("all-open-small-gate", 16): (_row(RELEASE, None, 102.270, 17.785),),
    ("dynamic-a", 16): (_row(PAPER, 72.8, 44.9), _row(RELEASE, 73.9, 52.5)),
    ("dynamic-b", 16): (_row(PAPER, 73.8, 58.7), _row(RELEASE, 74.3, 58.9)),
    ("dynamic-c", 16): (_row(PAPER, 74.6, 66.6), _row(RELEASE, 74.8, 59.8)),
    ("dynamic-raw", 16): (_row(PAPER, 76.1, 119.5), _row(RELEASE, 76.7, 114.9)),
    ("dynamic-raw-pretrained", 16): (_row(PAPER, 78.6, 119.4), _row(RELEASE, 78.8, 117.8)),
    ("dynamic-raw-pretrained", 33): (_row(PAPER, 79.2, 242.3), _row(RELEASE, 79.4, 243.1)),
    ("common-a", 16): (_row(PAPER, 71.6, 41.6, 4.1),),
    ("common-b", 16): (_row(PAPER, 73.0, 53.7, 4.3),),
    ("common-c", 16): (_row(PAPER, 73.2, 57.1, 4.5),),
    ("fcn32s", 16): (_row(PAPER, 66.9, 35.1, 2.9),),
    ("deeplabv3", 16): (_row(PAPER, 67.0, 42.5, 3.7),),
    ("unet", 16): (_row(PAPER, 71.6, 53.9, 6.1),),
    ("hrnetv2", 16): (_row(PAPER, 72.5, 62.5, 5.4),),
    ("auto-deeplab", 16): (_row(PAPER, 67.2, 33.1, 2.5),),
}
"""Published figures by (key, L); the networks have C = 64 and 19 classes. The first is the one to compare with."""


def published_figures(name: str, layers: int) -> tuple[Published, ...]:
    """Find what is published of a network by its name, as in ``Dynamic-A``, ``dynamic a`` or ``auto_deeplab``."""
    return PUBLISHED.get((re.sub(r"[\s_-]+", "-", name.strip().lower()), layers), ())
