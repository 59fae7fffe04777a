"""A network with another open threshold: what its gates give under it is exactly 0, in what runs, is told and costs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from routeviz.costs import macs
from routeviz.errors import InputError
from routeviz.network import (
    NetworkConfig,
    RoutingNetwork,
    export_released,
    fixed_network,
    load_checkpoint,
    save_checkpoint,
    thresholded_network,
)
from routeviz.space import OPEN_THRESHOLD, STATES, Route, cell_states

N = 3


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=3, stem_width=4))
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.weight, std=0.5)
        torch.nn.init.normal_(cell.gate.score.bias, mean=0.2, std=0.5)
    return net.eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(N, 3, 40, 64, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def run(net, images, **options):
    output = net(images, **options)
    return output.logits.numpy(), output.gates.numpy()


def test_it_computes_what_the_same_zeros_forced_do(net, images):
    raised = thresholded_network(net, 0.4)
    logits, gates = run(raised, images)
    used = gates[~np.isnan(gates)]
    assert ((used == 0) | (used > 0.4)).all()
    assert (used == 0).any()
    assert (used > 0.4).any()
    wanted, forced = run(net, images, route=np.nan_to_num(gates))
    np.testing.assert_array_equal(logits, wanted)
    np.testing.assert_array_equal(gates, forced)
    state = cell_states(net.space, gates).state
    np.testing.assert_array_equal((state == STATES.index("unreached"))[:, net.space.source], np.isnan(gates))
    np.testing.assert_array_equal(macs(raised, gates, (40, 64)), macs(net, gates, (40, 64)))
    assert macs(raised, gates, (40, 64)).sum() < macs(net, run(net, images)[1], (40, 64)).sum()


def test_the_threshold_of_training_changes_no_bit_and_is_not_written(net, images, tmp_path):
    same = thresholded_network(net, OPEN_THRESHOLD)
    for one, other in zip(run(net, images), run(same, images), strict=True):
        np.testing.assert_array_equal(one, other)
    assert "open_threshold" not in net.config.to_dict()
    save_checkpoint(net, tmp_path / "one")
    save_checkpoint(same, tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_threshold_of_one_shuts_a_path_for_all_images(net, images):
    thresholds = np.full(net.space.n_paths, OPEN_THRESHOLD)
    shut = int(np.flatnonzero((run(net, images)[1] > OPEN_THRESHOLD).all(axis=0))[0])
    thresholds[shut] = 1
    one, other = run(thresholded_network(net, thresholds), images), run(net, images, route={shut: 0.0})
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    assert not np.array_equal(one[0], run(net, images)[0])


def test_with_all_shut_the_image_is_passed_on_at_the_first_scale(net, images):
    _, gates = run(thresholded_network(net, 1), images)
    states = cell_states(net.space, gates).state
    first = (net.space.cells.scale == 0).to_numpy()
    assert (states[:, first] == STATES.index("closed")).all()
    assert (states[:, ~first] == STATES.index("unreached")).all()


@pytest.mark.parametrize("several", [False, True])
def test_a_checkpoint_keeps_it(net, images, tmp_path, several):
    thresholds = np.linspace(0.1, 0.9, net.space.n_paths) if several else 0.3
    raised = thresholded_network(net, thresholds)
    save_checkpoint(raised, tmp_path / "raised.safetensors")
    loaded = load_checkpoint(tmp_path / "raised.safetensors")
    assert loaded.config == raised.config
    for one, other in zip(run(raised, images), run(loaded, images), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_forced_or_fixed_asks_no_threshold(net, images):
    raised = thresholded_network(net, 0.6)
    route = Route(net.space, np.full(net.space.n_paths, 0.5))
    wanted = run(net, images, route=route)[0]
    np.testing.assert_array_equal(run(raised, images, route=route)[0], wanted)
    fixed = fixed_network(raised, route)
    np.testing.assert_array_equal(run(fixed, images)[0], wanted)
    with pytest.raises(InputError, match="static network has no gates"):
        thresholded_network(fixed, 0.3)


def test_training_shuts_the_same_paths_and_still_learns(net, images):
    raised = thresholded_network(net, 0.4).train()
    output = raised(images)
    gates = output.gates.detach()
    assert ((gates == 0) | (gates > 0.4)).all()
    output.logits.sum().backward()
    assert any(cell.gate.score.bias.grad.abs().sum() > 0 for cell in raised.cells)


def test_bad_thresholds_are_refused(net, tmp_path):
    for value in (0.0, 1.1, float("nan")):
        with pytest.raises(InputError, match="an open threshold is"):
            replace(net.config, open_threshold=value)
    with pytest.raises(InputError, match="2 open thresholds; this space has"):
        thresholded_network(net, (0.1, 0.2))
    with pytest.raises(InputError, match="no place for an open threshold"):
        export_released(thresholded_network(net, 0.2), tmp_path / "x.pth")
