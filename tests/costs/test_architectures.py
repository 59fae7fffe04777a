"""MACs and parameters of every static architecture, counted by hand on a small space.

Twelve layers (L = 11), width 4, stem width 6, 3 classes, images of 32 x 64: features are 8 x 16 = 128 of 4 channels at
scale 0, 4 x 8 = 32 of 8 at scale 1, 2 x 4 = 8 of 16 at scale 2 and 1 x 2 = 2 of 32 at scale 3. Convention conv.
"""

import pytest
import torch

from routeviz.costs import macs, parameters
from routeviz.network import NetworkConfig, RoutingNetwork, fixed_network
from routeviz.space import ARCHITECTURES, architectures

SIZE = (32, 64)

# An operation is twice a 3x3 depthwise and a 1x1 convolution, C to C: 2 * features * (9 C + C * C).
OPERATION = (
    2 * 128 * (9 * 4 + 4 * 4),  # 13,312
    2 * 32 * (9 * 8 + 8 * 8),  # 8,704
    2 * 8 * (9 * 16 + 16 * 16),  # 6,400
    2 * 2 * (9 * 32 + 32 * 32),  # 5,248
)
# Keep is free. Up is C to C/2 before the resizing, down is C to 2C at the coarser stride, and all come to the same:
# up 32 * 8 * 4 from scale 1, 8 * 16 * 8 from 2, 2 * 32 * 16 from 3; down 32 * 4 * 8 from 0, 8 * 8 * 16, 2 * 16 * 32.
MOVE = 1024
# 15 x 31 features after the first convolution, which does not pad.
STEM = 15 * 31 * (3 * 6 * 9 + 6 * 9 + 6 * 6) + 128 * (6 * 9 + 6 * 4)
# Live cells send at least zeros down to every scale, and closed cells pass them on: the decoder runs as a whole.
DECODER = 128 * 4 * 4 + 32 * 8 * 4 + 8 * 16 * 8 + 2 * 32 * 16 + 128 * (9 * 4 * 3)

# The same parts in parameters; a norm has two a channel. Ups start at scales 1, 2, 3 and downs at 0, 1, 2.
OPERATION_PARAMETERS = (
    2 * (9 * 4 + 4 * 4 + 2 * 4),  # 120
    2 * (9 * 8 + 8 * 8 + 2 * 8),  # 304
    2 * (9 * 16 + 16 * 16 + 2 * 16),  # 864
    2 * (9 * 32 + 32 * 32 + 2 * 32),  # 2,752
)
UP = {1: 8 * 4 + 2 * 4, 2: 16 * 8 + 2 * 8, 3: 32 * 16 + 2 * 16}  # 40, 144, 544
DOWN = {0: 4 * 8 + 2 * 8, 1: 8 * 16 + 2 * 16, 2: 16 * 32 + 2 * 32}  # 48, 160, 576
ENDS_PARAMETERS = (
    *((3 * 6 * 9 + 2 * 6), (6 * 9 + 6 * 6 + 2 * 6), (6 * 9 + 6 * 4 + 2 * 4)),  # stem
    *((4 * 4 + 2 * 4), (8 * 4 + 2 * 4), (16 * 8 + 2 * 8), (32 * 16 + 2 * 16), (4 * 3 * 9 + 3)),  # decoder
)

# Open cells at scales 0 to 3, ups from scales 1 to 3, downs from scales 0 to 2, counted in the layers written beside.
COUNTED = {
    # scale 0 in layers 0-3, 1 in 4-6, 2 in 7-9, 3 in 10-11
    "fcn32s": ((4, 3, 3, 2), (0, 0, 0), (1, 1, 1)),
    # 0: 0-1, 1: 2-3, 2: 4-5, 3: 6-7, 2: 8-9, 1: 10, 0: 11
    "unet": ((2 + 1, 2 + 1, 2 + 2, 2), (1, 1, 1), (1, 1, 1)),
    # 0: 0-1, 1: 2-4, 2: 5-11
    "deeplabv3": ((2, 3, 7, 0), (0, 0, 0), (1, 1, 0)),
    # Streams start in layers 0, 2, 3 and 8. They exchange in layers 1 (one stream), 2 (two), 3, 4, 6, 7 (three) and
    # 8, 10 (four); in layers 1, 2 and 7 the coarsest starts the next stream.
    "hrnetv2": ((12, 10, 9, 4), (1 + 4 + 2, 4 + 2, 2), (1 + 1 + 4 + 2, 1 + 4 + 2, 1 + 2)),
    # 0 0 0 1 2 1 2 2 3 3 2 1
    "auto_deeplab": ((3, 3, 4, 2), (0, 2, 1), (1, 2, 1)),
    # 0: 0-1, 1: 2-3, 2: 4-7, 1: 8-9, 0: 10-11
    "segnet": ((2 + 2, 2 + 2, 4, 0), (1, 1, 0), (1, 1, 0)),
    # 0: 0-1, 1: 2-3, 2: 4-6, 3: 7-8, 2: 9, 1: 10, 0: 11
    "fpn": ((2 + 1, 2 + 1, 3 + 1, 2), (1, 1, 1), (1, 1, 1)),
    # 0: 0-1, 1: 2-4, 2: 5-9, 1: 10, 0: 11
    "deeplabv3plus": ((2 + 1, 3 + 1, 5, 0), (1, 1, 0), (1, 1, 0)),
    # 0: 0, 1: 1-3, 2: 4-6, 3: 7-9, 2: 10, 1: 11; the spatial path opens scale 0 in layers 1 and 3 and goes down there
    "bisenet": ((1 + 2, 3 + 1, 3 + 1, 3), (0, 1, 1), (1 + 1, 1, 1)),
    # 0: 0, 1: 1, 2: 2-3, 3: 4-9, 2: 10, 1: 11
    "icnet": ((1, 1 + 1, 2 + 1, 6), (0, 1, 1), (1, 1, 1)),
    # Cells of scale s stand in layers s to 11; a path needs a layer to go to, and one up starts a layer after its scale
    # first appears at the earliest.
    "all_open": ((12, 11, 10, 9), (10, 9, 8), (11, 10, 9)),
}


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return RoutingNetwork(NetworkConfig(layers=11, width=4, num_classes=3, stem_width=6)).eval()


def by_hand(key):
    cells, ups, downs = COUNTED[key]
    counted = STEM + DECODER + (sum(ups) + sum(downs)) * MOVE
    counted += sum(n * cost for n, cost in zip(cells, OPERATION, strict=True))
    own = sum(ENDS_PARAMETERS) + sum(n * size for n, size in zip(cells, OPERATION_PARAMETERS, strict=True))
    own += sum(n * UP[scale] for scale, n in enumerate(ups, 1))
    own += sum(n * DOWN[scale] for scale, n in enumerate(downs))
    return counted, own


def test_two_sums_written_out(net):
    known = architectures(net.space)
    assert STEM == 127_164
    assert DECODER == 2048 + 3 * 1024 + 13_824
    fcn = 127_164 + 18_944 + 4 * 13_312 + 3 * 8_704 + 3 * 6_400 + 2 * 5_248 + 3 * 1_024
    unet = 127_164 + 18_944 + 3 * 13_312 + 3 * 8_704 + 4 * 6_400 + 2 * 5_248 + 6 * 1_024
    assert macs(net, known["fcn32s"].activations[None], SIZE, with_gates=False) == fcn == by_hand("fcn32s")[0]
    assert macs(net, known["unet"].activations[None], SIZE, with_gates=False) == unet == by_hand("unet")[0]


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_macs_and_parameters_by_hand(net, key):
    route = architectures(net.space)[key]
    assert (macs(net, route.activations[None], SIZE, with_gates=False)[0], parameters(net, route)) == by_hand(key)


@pytest.mark.parametrize("key", ["fcn32s", "hrnetv2", "bisenet"])
def test_a_network_that_is_built_for_the_route_alone_has_the_same(net, key):
    route = architectures(net.space)[key]
    fixed = fixed_network(net, route)
    assert (macs(fixed, route.activations[None], SIZE)[0], parameters(fixed)) == by_hand(key)
