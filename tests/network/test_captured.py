"""The masked pass that a GPU captures gives what folded execution gives; here without a GPU and without a graph."""

import numpy as np
import pytest
import torch

from routeviz.network import NetworkConfig, RoutingNetwork, thresholded_network
from routeviz.network.captured import run_masked


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(5, 3, 64, 96, generator=generator) * torch.linspace(0.2, 3, 5).view(5, 1, 1, 1)


def network(**config):
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=5, width=4, num_classes=3, stem_width=8, **config))
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(4, 3, 64, 64))
        for cell in net.cells:
            torch.nn.init.normal_(cell.gate.score.weight, std=2.0)
            torch.nn.init.normal_(cell.gate.score.bias, mean=-0.7, std=1.0)
    return net.eval()


def asking(net, n):
    return torch.full((n, net.space.n_paths), torch.nan)


@torch.inference_mode()
def assert_same(net, images, forced, *, run_starved=True):
    expected = net(images, route=forced, run_starved=run_starved)
    assert len(expected.gates.gt(1e-4).unique(dim=0)) > 1  # routes do differ
    for parts in (net, net._folding.parts(net)):
        logits, gates = run_masked(net, parts, images, forced, run_starved=run_starved)
        assert torch.equal(gates.isnan(), expected.gates.isnan())
        torch.testing.assert_close(gates, expected.gates, rtol=0, atol=1e-5, equal_nan=True)
        assert (logits - expected.logits).abs().max() < 1e-4 * expected.logits.abs().max()


@pytest.mark.parametrize("run_starved", [True, False])
@pytest.mark.parametrize("small_gate", [False, True])
def test_masked_pass_is_the_folded_one(images, small_gate, run_starved):
    net, rng = network(small_gate=small_gate), np.random.default_rng(0)
    forced = asking(net, len(images))
    assert_same(net, images, forced, run_starved=run_starved)
    some = torch.from_numpy(rng.random(forced.shape).astype(np.float32))
    forced = torch.where(some < 0.4, some, 0.0)
    forced[1] = 0  # reaches the decoder from scale 0 alone, by the inputs that closed cells pass on
    forced[2, 10:40] = torch.nan
    assert_same(net, images, forced, run_starved=run_starved)


def test_thresholds_that_were_raised(images):
    net = thresholded_network(network(), 0.3)
    assert_same(net, images, asking(net, len(images)))


def test_without_a_gpu_captured_is_folded(images):
    net = network()
    with torch.inference_mode():
        expected = net(images)
        net.execution = "captured"
        assert torch.equal(net(images).logits, expected.logits)
