"""Static architectures as fixed routes of the routing space, each with its source.

What a lattice of cells can express is where an architecture downsamples, how many operations it spends at each stride,
which features meet, and which are carried past operations unchanged (a chain of closed cells). What it cannot express
is said with each: kernel sizes, atrous rates, pyramid pooling, concatenation (features that meet are summed).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from routeviz.errors import InputError
from routeviz.space.route import Route
from routeviz.space.space import RoutingSpace


def architectures(space: RoutingSpace) -> dict[str, Route]:
    """Static architectures modelled in a lattice.

    Parameters
    ----------
    space : RoutingSpace
        A lattice of four scales, deep enough for the deepest of the architectures (7 layers of cells).

    Returns
    -------
    dict of str to Route
        Keys ``fcn32s``, ``unet``, ``deeplabv3``; open paths have activation 1.

    Raises
    ------
    InputError
        If the space is no lattice of four scales, or too shallow.
    """
    if space.kind != "lattice" or space.scales != 4:
        raise InputError(f"static architectures are modelled in a lattice of 4 scales; this is {space}")
    return {name: build(space) for name, build in ARCHITECTURES.items()}


def fcn32s(space: RoutingSpace) -> Route:
    """FCN-32s: one chain down to stride 32, upsampled by the decoder alone (Long et al., CVPR 2015, fig. 3).

    Cells are shared out over strides 4, 8, 16, 32 as the convolutions of its VGG-16 are: 3, 3, 3 and 2 (fc6, fc7).
    """
    scales = _chain(space, [(0, 3), (1, 3), (2, 3), (3, 2)], "FCN-32s")
    return _route(space, scales, {}, "FCN-32s", "Long, Shelhamer, Darrell: Fully Convolutional Networks, CVPR 2015")


def unet(space: RoutingSpace) -> Route:
    """U-Net: down to stride 32 and up again, two operations a level (Ronneberger et al., MICCAI 2015, fig. 1).

    The last feature of each level on the way down is kept beside the path: closed cells carry it, unchanged, to the
    layer in which the way up returns to its scale, where the two are summed (U-Net concatenates).
    """
    scales = _chain(space, [(0, 2), (1, 2), (2, 2), (3, 2), (2, 2), (1, 2), (0, 2)], "U-Net")
    skips = {}
    for scale in range(3):
        at_scale = [layer for layer, place in enumerate(scales) if place == scale]
        leaves = next(layer for layer in at_scale if scales[layer + 1] > scale)
        returns = next(layer for layer in at_scale if layer > leaves)
        skips[scale] = (leaves, returns)
    return _route(space, scales, skips, "U-Net", "Ronneberger, Fischer, Brox: U-Net, MICCAI 2015")


def deeplabv3(space: RoutingSpace) -> Route:
    """DeepLabV3: one chain to stride 16 that stays there (Chen et al., arXiv 1706.05587).

    Cells are shared out over strides 4, 8, 16 as the blocks of its ResNet-50 are: 3, 4, and 6 + 3, the last three being
    the atrous block. Atrous rates and the pyramid pooling on top cannot be expressed.
    """
    scales = _chain(space, [(0, 3), (1, 4), (2, 9)], "DeepLabV3")
    return _route(space, scales, {}, "DeepLabV3", "Chen et al.: Rethinking Atrous Convolution, arXiv 1706.05587")


ARCHITECTURES: dict[str, Callable[[RoutingSpace], Route]] = {"fcn32s": fcn32s, "unet": unet, "deeplabv3": deeplabv3}


def _chain(space: RoutingSpace, stages: Sequence[tuple[int, int]], name: str) -> list[int]:
    """Scale of the one open cell of each layer, the layers shared out in proportion to the stages' weights.

    Every stage gets a cell, the rest by largest remainder; ties go to the earlier stage.
    """
    spare = space.layers + 1 - len(stages)
    if spare < 0:
        raise InputError(
            f"{name} needs {len(stages)} layers of cells; this space has {space.layers + 1}. Use a deeper space"
        )
    weights = np.array([weight for _, weight in stages], dtype=float)
    shares = weights / weights.sum() * (space.layers + 1) - 1
    counts = np.floor(np.maximum(shares, 0)).astype(int)
    remainders = shares - counts
    for stage in np.argsort(-remainders, kind="stable")[: spare - counts.sum()]:
        counts[stage] += 1
    return [scale for (scale, _), count in zip(stages, counts + 1, strict=True) for _ in range(count)]


def _route(
    space: RoutingSpace, scales: Sequence[int], skips: dict[int, tuple[int, int]], name: str, source: str
) -> Route:
    """Open the chain through ``scales`` and, for each skip, keep of the cell it leaves; closed cells carry it on."""
    activations = np.zeros(space.n_paths, np.float32)
    for layer, scale in enumerate(scales):
        step = scales[layer + 1] - scale if layer < space.layers else 0
        activations[space.path_index(layer, scale, ("keep", "down", "up")[step])] = 1
    for scale, (leaves, _) in skips.items():
        activations[space.path_index(leaves, scale, "keep")] = 1
    return Route(space, activations, name=name, source=source)
