"""MACs of routes against what two counters see when the same routes are executed."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from routeviz.costs import asked_cells, cost_table, macs
from routeviz.costs.operators import FlopCountAnalysis
from routeviz.space import architectures

SIZES = [(50, 33), (96, 128), (1, 1)]
"""Padded and unpadded; at 32 pixels the coarsest features are 1 x 1, smaller than the small gate's quarter."""


class LogitsAndGates(nn.Module):
    """What fvcore has to trace: without the gates among the outputs it drops those of closed cells as dead code."""

    def __init__(self, net, **how):
        super().__init__()
        self.net, self.how = net, how

    def forward(self, images):
        return tuple(self.net(images, **self.how))


def executed(net, images, **how):
    """Gates, convolution MACs and fvcore's count of one forward pass."""
    with torch.no_grad():
        counter = FlopCounterMode(display=False)
        with counter:
            gates = net(images, **how).gates
        analysis = FlopCountAnalysis(LogitsAndGates(net, **how), (images,))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        fvcore = analysis.total()
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return gates.numpy(), {"conv": flops // 2, "fvcore": fvcore}


def assert_counts(net, images, route=None, with_gates=True, run_starved=True):
    gates, counted = executed(net, images, route=route, run_starved=run_starved)
    how = {"with_gates": with_gates, "run_starved": run_starved}
    for convention, count in counted.items():
        ours = macs(net, gates, tuple(images.shape[-2:]), convention=convention, **how)
        assert ours.dtype == np.int64
        assert ours.sum() == count, convention
    return gates


def random_images(n_images, *size):
    """Images that differ in brightness and contrast, so that gates tell them apart."""
    return (
        torch.randn(n_images, 3, *size) * (1 + torch.rand(n_images, 1, 1, 1) * 4) + torch.randn(n_images, 3, 1, 1) * 3
    )


def random_route(rng, net, n_images=None, *, share_open=0.5):
    shape = (net.space.n_paths,) if n_images is None else (n_images, net.space.n_paths)
    return np.where(rng.random(shape) < share_open, rng.random(shape), 0).astype(np.float32)


@pytest.mark.parametrize("small_gate", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_free_routes_alone_and_in_a_batch(make_net, size, small_gate):
    net = make_net(small_gate=small_gate)
    images = random_images(3, *size)
    assert_counts(net, images)
    assert_counts(net, images[1:2])


def test_free_routes_do_differ_between_images(make_net):
    net = make_net()
    with torch.no_grad():
        gates = net(random_images(8, 64, 64)).gates.numpy()
    assert len(np.unique(macs(net, gates, (64, 64)))) > 1
    assert np.isnan(gates).any()


@pytest.mark.parametrize("small_gate", [False, True])
@pytest.mark.parametrize("share_open", [0.1, 0.5, 1.0])
def test_forced_routes_compute_no_gates(make_net, share_open, small_gate):
    net, rng = make_net(small_gate=small_gate), np.random.default_rng(3)
    for size in ((32, 64), (70, 40)):
        route = random_route(rng, net, 2, share_open=share_open)
        assert_counts(net, random_images(2, *size), route, with_gates=False)


def test_routes_forced_in_part_ask_the_gates_of_the_other_cells(make_net):
    net, rng = make_net(), np.random.default_rng(4)
    images = random_images(3, 48, 64)
    same = random_route(rng, net)
    same[rng.random(same.shape) < 0.5] = np.nan
    each = random_route(rng, net, 3)
    each[rng.random(each.shape) < 0.4] = np.nan
    for route in (same, each, {3: 0.0, 5: 0.5}):
        forced = route
        if isinstance(route, dict):
            forced = np.full(net.space.n_paths, np.nan)
            forced[list(route)] = list(route.values())
        assert_counts(net, images, route, with_gates=asked_cells(net.space, forced))


def test_starved_cells_that_are_left_unreached_cost_nothing(make_net):
    net, rng = make_net(), np.random.default_rng(5)
    images = random_images(3, 48, 64)
    gates = assert_counts(net, images, run_starved=False)
    all_gates = assert_counts(net, images)
    assert np.isnan(gates).sum() > np.isnan(all_gates).sum()  # some were starved
    assert (macs(net, gates, (48, 64), run_starved=False) < macs(net, all_gates, (48, 64))).all()
    route = random_route(rng, net, 3, share_open=0.4)
    assert_counts(net, images, route, with_gates=False, run_starved=False)


def test_a_closed_space_costs_stem_and_finest_decoder_stage(make_net):
    net = make_net()
    route = np.zeros(net.space.n_paths, np.float32)
    # Closed cells pass the image on along keep, so the decoder gets it at scale 0, and nothing at coarser scales.
    assert_counts(net, random_images(1, 32, 32), route, with_gates=False)
    table = cost_table(net, (32, 32))
    assert macs(net, route[None], (32, 32), with_gates=False) == [table.stem + table.decoder[0] + table.predictor]
    # A live cell sends zeros along the paths that are shut, and they reach the decoder at every scale below it.
    route[net.space.path_index(0, 0, "keep")] = 1
    assert_counts(net, random_images(1, 32, 32), route, with_gates=False)
    assert macs(net, route[None], (32, 32), with_gates=False) == [
        table.stem + table.decoder[:2].sum() + table.predictor + table.operation[0]
    ]


def test_static_networks_cost_what_their_routes_do(make_net):
    net = make_net(layers=6)
    for name, route in architectures(net.space).items():
        fixed = type(net)(
            type(net.config)(
                layers=6, width=4, num_classes=3, stem_width=6, fixed_gates=tuple(route.activations.tolist())
            )
        ).eval()
        images = random_images(2, 64, 32)
        gates = assert_counts(fixed, images)
        for convention in ("conv", "fvcore"):
            np.testing.assert_array_equal(
                macs(fixed, gates, (64, 32), convention=convention),
                macs(net, gates, (64, 32), convention=convention, with_gates=False),
                err_msg=name,
            )
