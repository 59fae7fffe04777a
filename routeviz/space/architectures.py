"""Static architectures as fixed routes of the routing space, each with its source.

What a lattice of cells can express is where an architecture downsamples, how many operations it spends at each stride,
which features meet, and which are carried past operations unchanged: a live cell sends them along keep, and closed
cells pass them on. What it cannot express is said with each. For all of them these cannot: kernel sizes and atrous
rates, pyramid pooling and attention, concatenation (features that meet are summed), operations at strides 1 and 2 (the
stem is always the same), and upsampling without an operation (a path up starts at an open cell).

Depths are shared out in proportion to the operations that the source spends at each stride, so every architecture
works in a space of any depth that has a layer for each of its stages. Open paths have activation 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from routeviz.errors import InputError
from routeviz.space.kinds import extent
from routeviz.space.route import Route
from routeviz.space.space import RoutingSpace

SCALES = 4


class TooShallowError(InputError):
    """The space has fewer layers of cells than the architecture has stages."""


def architectures(space: RoutingSpace) -> dict[str, Route]:
    """Model the static architectures in a lattice.

    Parameters
    ----------
    space : RoutingSpace
        A lattice of four scales; one of 12 layers of cells or more holds all of them.

    Returns
    -------
    dict of str to Route
        Keys as in `ARCHITECTURES`, where each function says how its architecture maps to the lattice. Those that need
        more layers than the space has are left out, and asking for one raises InputError saying how many it needs.

    Raises
    ------
    InputError
        If the space is no lattice of four scales.
    """
    found = _Architectures(space)
    for key, build in ARCHITECTURES.items():
        with suppress(TooShallowError):
            found[key] = build(space)
    return found


class _Architectures(dict[str, Route]):
    """Routes by key, which says why one is missing."""

    def __init__(self, space: RoutingSpace):
        super().__init__()
        self.space = space

    def __missing__(self, key: str) -> Route:
        return architecture(self.space, key)


def architecture(space: RoutingSpace, key: str) -> Route:
    """Model one static architecture in a lattice.

    Parameters
    ----------
    space : RoutingSpace
        A lattice of four scales.
    key : str
        One of `ARCHITECTURES`.

    Returns
    -------
    Route
        Its paths open, its source named.

    Raises
    ------
    InputError
        If no architecture has this key, or it does not fit the space.
    """
    if key not in ARCHITECTURES:
        raise InputError(f"architecture {key!r} is unknown; valid: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[key](space)


def fcn32s(space: RoutingSpace) -> Route:
    """FCN-32s: one chain down to stride 32, upsampled by the decoder alone (Long et al., CVPR 2015, fig. 3).

    Cells are shared out over strides 4, 8, 16, 32 as the convolutions of its VGG-16 are: 3, 3, 3 and 2 (fc6, fc7). No
    closed cell carries a skip. The 7x7 kernel of fc6 and the one learned upsampling by 32 cannot be expressed: the
    decoder goes up in steps of 2.
    """
    sketch = _Sketch(space, "FCN-32s", "Long, Shelhamer, Darrell: Fully Convolutional Networks, CVPR 2015")
    sketch.chain([(0, 3), (1, 3), (2, 3), (3, 2)])
    return sketch.route()


def unet(space: RoutingSpace) -> Route:
    """U-Net: down to stride 32 and up again, two operations a level (Ronneberger et al., MICCAI 2015, fig. 1).

    Its five levels, strides 1 to 16, are four here, strides 4 to 32. The last feature of each level on the way down is
    kept beside the path: closed cells carry it to the layer in which the way up returns to its scale, where the two are
    summed. That U-Net concatenates them, and crops what its unpadded convolutions lose, cannot be expressed.
    """
    sketch = _Sketch(space, "U-Net", "Ronneberger, Fischer, Brox: U-Net, MICCAI 2015")
    stages = sketch.chain([(0, 2), (1, 2), (2, 2), (3, 2), (2, 2), (1, 2), (0, 2)])
    for down, up in ((0, 6), (1, 5), (2, 4)):
        sketch.carry(stages[down].last, stages[down].scale, to=stages[up].first)
    return sketch.route()


def deeplabv3(space: RoutingSpace) -> Route:
    """DeepLabV3: one chain to stride 16 that stays there (Chen et al., arXiv 1706.05587).

    Cells are shared out over strides 4, 8, 16 as the blocks of its ResNet-50 are: 3, 4, and 6 + 3, the last three being
    the atrous block that keeps stride 16. The atrous pyramid pooling on top cannot be expressed.
    """
    sketch = _Sketch(space, "DeepLabV3", "Chen et al.: Rethinking Atrous Convolution, arXiv 1706.05587")
    sketch.chain([(0, 3), (1, 4), (2, 9)])
    return sketch.route()


def hrnetv2(space: RoutingSpace) -> Route:
    """HRNetV2: parallel streams at strides 4 to 32, none ever left, which exchange features (Sun et al., 1904.04514).

    Stages of one to four streams have 1, 1, 4 and 3 modules, as in the source; in the last layer of a module each
    stream sends up and down to its neighbours, and the coarsest starts the next stream. An exchange between scales that
    are not neighbours takes several layers here. All four streams end in the decoder. No closed cell carries a skip.
    The four residual units of a module and the concatenation of the streams cannot be expressed.
    """
    sketch = _Sketch(space, "HRNetV2", "Sun et al.: High-Resolution Representations, arXiv 1904.04514")
    modules = (1, 1, 4, 3)
    for streams, (stage, parts) in enumerate(zip(sketch.stages(modules), modules, strict=True), start=1):
        length = stage.last + 1 - stage.first
        ends = {stage.first + round(part * length / parts) - 1 for part in range(1, parts + 1)} - {space.layers}
        for layer in range(stage.first, stage.last + 1):
            for scale in range(streams):
                sketch.open(layer, scale, "keep")
                if layer in ends and scale > 0:
                    sketch.open(layer, scale, "up")
                if layer in ends and scale + 1 < min(SCALES, streams + (layer == stage.last)):
                    sketch.open(layer, scale, "down")
    return sketch.route()


AUTO_DEEPLAB_LEVELS = (0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1)


def auto_deeplab(space: RoutingSpace) -> Route:
    """Auto-DeepLab: one chain of the strides that its search chose (Liu et al., CVPR 2019, fig. 3).

    Its twelve cells have strides 4, 4, 4, 8, 16, 8, 16, 16, 32, 32, 16, 8; in deeper spaces each step lasts longer in
    proportion. The operations inside its cells and the second-last input of each cannot be expressed.
    """
    sketch = _Sketch(space, "Auto-DeepLab", "Liu et al.: Auto-DeepLab, CVPR 2019")
    n_layers, n_cells = space.layers + 1, len(AUTO_DEEPLAB_LEVELS)
    sketch.require(n_cells)
    sketch.follow([AUTO_DEEPLAB_LEVELS[layer * n_cells // n_layers] for layer in range(n_layers)])
    return sketch.route()


def segnet(space: RoutingSpace) -> Route:
    """SegNet: VGG-16 down to stride 16 and its mirror image up (Badrinarayanan et al., TPAMI 2017, fig. 2).

    Three operations a level on either way; its pooling to stride 32 is undone at once, without an operation there. It
    hands pooling indices across, not features, so nothing is carried: the indices cannot be expressed.
    """
    sketch = _Sketch(space, "SegNet", "Badrinarayanan, Kendall, Cipolla: SegNet, TPAMI 2017")
    sketch.chain([(0, 3), (1, 3), (2, 6), (1, 3), (0, 3)])
    return sketch.route()


def fpn(space: RoutingSpace) -> Route:
    """Panoptic FPN's semantic branch: a pyramid, top-down (Kirillov et al., CVPR 2019, fig. 3).

    Bottom-up, cells are shared out over strides 4 to 32 as the blocks of ResNet-50 are: 3, 4, 6, 3. Closed cells carry
    the last feature of each level to the one cell that the top-down way spends there. All four levels go on to the
    decoder, which upsamples and sums them as the semantic branch does.
    """
    sketch = _Sketch(space, "Panoptic FPN", "Kirillov et al.: Panoptic Feature Pyramid Networks, CVPR 2019")
    stages = sketch.chain([(0, 3), (1, 4), (2, 6), (3, 3), (2, 1), (1, 1), (0, 1)])
    for bottom_up, top_down in ((0, 6), (1, 5), (2, 4)):
        sketch.carry(stages[bottom_up].last, stages[bottom_up].scale, to=stages[top_down].first)
    for level in (3, 4, 5):
        sketch.carry(stages[level].last, stages[level].scale, to=space.layers)
    return sketch.route()


def deeplabv3plus(space: RoutingSpace) -> Route:
    """DeepLabV3+: DeepLabV3 with a decoder that joins the feature of stride 4 (Chen et al., ECCV 2018, fig. 2).

    Closed cells carry the last feature of stride 4 to where the encoder's returns to it, and two operations follow. Its
    upsampling by 4 passes a cell at stride 8 here that it does not have.
    """
    sketch = _Sketch(space, "DeepLabV3+", "Chen et al.: Encoder-Decoder with Atrous Separable Convolution, ECCV 2018")
    stages = sketch.chain([(0, 3), (1, 4), (2, 9), (1, 1), (0, 2)])
    sketch.carry(stages[0].last, 0, to=stages[4].first)
    return sketch.route()


def bisenet(space: RoutingSpace) -> Route:
    """BiSeNet: a path for detail and a deep one for context, joined at stride 8 (Yu et al., ECCV 2018, fig. 2).

    The context path goes down at once, two blocks a stride as ResNet-18 has, to stride 32 and back up to stride 8; its
    feature of stride 16 is carried along to meet it there. The spatial path spends an operation at stride 4, is carried
    until the context path has left stride 8, goes down by a second one and is carried to the fusion. The first cell is
    common to both. Attention refinement and global pooling cannot be expressed.
    """
    sketch = _Sketch(space, "BiSeNet", "Yu et al.: Bilateral Segmentation Network, ECCV 2018")
    stages = sketch.chain([(0, 0), (1, 2), (2, 2), (3, 2), (2, 1), (1, 1)])
    sketch.carry(stages[2].last, 2, to=stages[4].first)
    leaves = max(stages[1].last, 2)
    sketch.open(0, 0, "keep")
    sketch.carry(1, 0, to=leaves)
    sketch.open(leaves, 0, "down")
    return sketch.route()


def icnet(space: RoutingSpace) -> Route:
    """ICNet: branches that end at strides 8, 16 and 32, joined coarse to fine (Zhao et al., ECCV 2018, fig. 2).

    Operations at strides 4, 8, 16, 32 are shared out 1, 1, 2 and 6: most are spent on the coarsest branch. Closed cells
    carry the features of strides 8 and 16 to the fusions on the way up, which ends at stride 8. Its branches read
    the image at three sizes and share no weights at first; here they share the cells that they have in common.
    """
    sketch = _Sketch(space, "ICNet", "Zhao et al.: ICNet, ECCV 2018")
    stages = sketch.chain([(0, 1), (1, 1), (2, 2), (3, 6), (2, 1), (1, 1)])
    for branch, fusion in ((1, 5), (2, 4)):
        sketch.carry(stages[branch].last, stages[branch].scale, to=stages[fusion].first)
    return sketch.route()


def all_open(space: RoutingSpace) -> Route:
    """Every path open: the whole space (CVPR 2020, section 3.1)."""
    sketch = _Sketch(space, "All open", "Li et al.: Learning Dynamic Routing, CVPR 2020")
    sketch.activations[:] = 1
    return sketch.route()


ARCHITECTURES: dict[str, Callable[[RoutingSpace], Route]] = {
    build.__name__: build
    for build in (
        fcn32s, unet, deeplabv3, hrnetv2, auto_deeplab, segnet, fpn, deeplabv3plus, bisenet, icnet, all_open,
    )
}  # fmt: skip


class _Stage(NamedTuple):
    """Layers from ``first`` to ``last`` in which a chain stays at one scale."""

    scale: int
    first: int
    last: int


class _Sketch:
    """Activations of a route as they are opened, path by path."""

    def __init__(self, space: RoutingSpace, name: str, source: str):
        if space.kind != "lattice" or space.scales != SCALES:
            raise InputError(
                f"static architectures are routes of a lattice of {SCALES} scales; this space is {extent(space)}: "
                "compare its routes with each other"
            )
        self.space, self.name, self.source = space, name, source
        self.activations = np.zeros(space.n_paths, np.float32)

    def open(self, layer: int, scale: int, move: str) -> None:
        """Open one path."""
        self.activations[self.space.path_index(layer, scale, move)] = 1

    def carry(self, layer: int, scale: int, *, to: int) -> None:
        """Have the open cell at (layer, scale) hand its feature to layer ``to`` of its scale, past closed cells."""
        if to > layer:
            self.open(layer, scale, "keep")

    def require(self, n_layers: int) -> None:
        """Raise InputError where the space has fewer layers of cells than this."""
        if self.space.layers + 1 < n_layers:
            has = self.space.layers + 1
            raise TooShallowError(
                f"{self.name} needs {n_layers} layers of cells; this space has {has}: use a deeper one"
            )

    def stages(self, weights: Sequence[int], scales: Sequence[int] | None = None) -> list[_Stage]:
        """Share out the layers in proportion to weights: one for each stage, the rest by largest remainder.

        A weight of 0 gets one layer. Ties go to the earlier stage.
        """
        self.require(len(weights))
        n_layers = self.space.layers + 1
        spare = [max(Fraction(weight * n_layers, sum(weights)) - 1, Fraction(0)) for weight in weights]
        share = (n_layers - len(weights)) / (sum(spare) or Fraction(1))
        spare = [share * layers for layers in spare]
        counts = [1 + int(layers) for layers in spare]
        by_remainder = sorted(range(len(weights)), key=lambda stage: counts[stage] - 1 - spare[stage])
        for stage in by_remainder[: n_layers - sum(counts)]:
            counts[stage] += 1
        ends = list(accumulate(counts))
        return [
            _Stage(scale, end - count, end - 1)
            for scale, end, count in zip(scales or range(len(weights)), ends, counts, strict=True)
        ]

    def follow(self, scales: Sequence[int]) -> None:
        """Open one cell a layer, at these scales, from the stem into the decoder."""
        for layer, (scale, following) in enumerate(pairwise([*scales, scales[-1]])):
            self.open(layer, scale, ("keep", "down", "up")[following - scale])

    def chain(self, stages: Sequence[tuple[int, int]]) -> list[_Stage]:
        """Follow stages of (scale, weight), the layers shared out between them."""
        shared = self.stages([weight for _, weight in stages], [scale for scale, _ in stages])
        self.follow([stage.scale for stage in shared for _ in range(stage.first, stage.last + 1)])
        return shared

    def route(self) -> Route:
        return Route(self.space, self.activations, name=self.name, source=self.source)
