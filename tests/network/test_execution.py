"""Folded, sparse and dense execution give the same, and the folded copy follows the weights."""

import copy
import pickle

import numpy as np
import pytest
import torch

from routeviz.errors import InputError, NonFiniteError
from routeviz.network import EXECUTIONS, NetworkConfig, RoutingNetwork, fixed_network, folding, thresholded_network
from routeviz.space import Route


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(5, 3, 60, 96, generator=generator) * torch.linspace(0.2, 3, 5).view(5, 1, 1, 1)


def network(*, small_gate=False):
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=5, width=4, num_classes=3, stem_width=8, small_gate=small_gate))
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(4, 3, 64, 64))
        for cell in net.cells:
            torch.nn.init.normal_(cell.gate.score.weight, std=2.0)
            torch.nn.init.normal_(cell.gate.score.bias, mean=-0.7, std=1.0)
    return net.eval()


@torch.inference_mode()
def run(net, images, execution="folded", **how):
    net.execution = execution
    return net(images, **how)


def assert_same(one, other):
    assert torch.equal(one.gates.isnan(), other.gates.isnan())
    assert torch.equal(one.gates > 1e-4, other.gates > 1e-4)
    torch.testing.assert_close(one.gates, other.gates, rtol=0, atol=1e-5, equal_nan=True)
    assert (one.logits - other.logits).abs().max() < 1e-4 * other.logits.abs().max()


@pytest.mark.parametrize("values", [1, 2 * 4 * 24 * 8, 7 * 4 * 24 * 8])
def test_the_stem_gives_the_same_in_bands_of_any_height(images, values, monkeypatch):
    net = network()
    padded = torch.nn.functional.pad(images, (0, 0, 0, 4))  # 64 rows, 16 at stride 4
    with torch.inference_mode():
        monkeypatch.setattr(folding, "STEM_VALUES", values)  # 1, 2 and 7 rows at a time
        folded = net._folding.parts(net).stem(padded)
        torch.testing.assert_close(folded, net.stem(padded), rtol=0, atol=1e-5)


@pytest.mark.parametrize("run_starved", [True, False])
@pytest.mark.parametrize("small_gate", [False, True])
def test_all_ways_to_execute_agree(images, small_gate, run_starved):
    net, rng = network(small_gate=small_gate), np.random.default_rng(0)
    shape = (len(images), net.space.n_paths)
    forced = np.where(rng.random(shape) < 0.4, rng.random(shape), 0).astype(np.float32)
    forced[1] = 0
    forced[2, 10:40] = np.nan
    for route in (None, forced):
        dense = run(net, images, "dense", route=route, run_starved=run_starved)
        assert len(np.unique((dense.gates > 1e-4).numpy(), axis=0)) > 1  # routes do differ
        for execution in EXECUTIONS[:2]:
            assert_same(run(net, images, execution, route=route, run_starved=run_starved), dense)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("size", [(60, 96), (33, 71)])
def test_cells_that_only_send_down_agree(n, size):
    net = network()
    images = torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(4))
    moves, layers = np.array(net.space.moves), net.space.paths["layer"].to_numpy()
    activations = np.where(moves == "down", 0.7, 0).astype(np.float32)
    activations[(layers >= 3) & (moves != "down")] = 0.4
    sizes = []
    with torch.inference_mode():
        parts = net._folding.parts(net)
        for cell in parts.cells:
            cell.register_forward_hook(lambda cell, given, h: sizes.append(h.shape[-1]))
        folded = run(net, images, route=activations)
    assert_same(folded, run(net, images, "dense", route=activations))
    width = net.padded_size(size)[1]
    assert sizes[:3] == [width // 8, width // 8, width // 16]  # of L0 s0, L1 s0 and L1 s1, each half of its input


@pytest.mark.parametrize("n", [1, 5])
def test_all_ways_to_execute_run_under_autocast(images, n):
    net = network()
    activations = (np.random.default_rng(0).random((n, net.space.n_paths)) < 0.5).astype(np.float32)
    expected = run(net, images[:n], "dense", route=activations).logits
    for execution in EXECUTIONS[:3]:
        with torch.autocast("cpu", torch.bfloat16):
            logits = run(net, images[:n], execution, route=activations).logits
        assert logits.dtype == torch.bfloat16
        assert (logits.float() - expected).abs().max() < 0.1 * expected.abs().max()


def test_a_forked_passage_and_what_was_sent_are_not_written_to(images):
    net, sent = network(), {}
    with torch.inference_mode():
        whole = net(images)
        passage = net.start(images)
        for layer in range(net.space.layers + 1):
            kept = passage.fork()
            net.advance(passage, until=layer + 1, opened=lambda path, y: sent.update({path: (y, y.clone())}))
            net.advance(kept)
            assert torch.equal(net.finish(kept).logits, whole.logits)
        assert torch.equal(net.finish(passage).logits, whole.logits)
    assert sent
    assert all(torch.equal(y, was) for y, was in sent.values())


@pytest.mark.parametrize("how", ["in place", "loaded", "replaced", "trained", "moved"])
def test_the_folded_copy_follows_the_weights(images, how):
    net = network()
    before = run(net, images)
    if how == "in place":
        with torch.no_grad():
            net.stem[0].norm.running_mean += 1
    elif how == "loaded":
        other = network()
        torch.nn.init.normal_(other.decoder.predictor.weight)
        net.load_state_dict(other.state_dict())
    elif how == "replaced":
        net.decoder.predictor = torch.nn.Conv2d(4, 3, 3, padding=1)
    elif how == "trained":
        with torch.no_grad():
            net.train()(images)
        net.eval()
    else:
        moved = run(net.double(), images.double())
        assert moved.logits.dtype == torch.float64
        assert_same(moved, run(net, images.double(), "sparse"))
        net.float()
    after = run(net, images)
    assert torch.equal(after.logits, before.logits) == (how == "moved")
    assert_same(after, run(net, images, "sparse"))


def test_the_copy_is_made_once_and_is_no_part_of_the_network(images):
    net = network()
    names = list(net.state_dict())
    run(net, images)
    first = net._folding.parts(net)
    run(net, images)
    assert net._folding.parts(net) is first
    assert list(net.state_dict()) == names
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other._folding._kept is None
        assert torch.equal(run(other, images).logits, run(net, images).logits)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_nan_is_seen(images, execution):
    net = network()
    broken = images.clone()
    broken[1, 0, 3, 4] = torch.nan
    with pytest.raises(NonFiniteError, match="image 1 of the batch"):
        run(net, broken, execution)
    torch.nn.init.constant_(net.cells[0].gate.score.bias, torch.nan)
    with pytest.raises(NonFiniteError, match="gate"):
        run(net, images, execution)


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("place", ["stem", "cell"])
def test_values_that_grow_beyond_float32_are_seen_behind_any_relu(images, execution, place):
    net = network()
    grown = net.stem[0].conv if place == "stem" else net.cells[0].operation[0].pointwise.conv
    with torch.no_grad():
        grown.weight *= 1e38
    with pytest.raises(NonFiniteError, match="stem" if place == "stem" else "cell L0 s0"):
        run(net, images, execution)


def test_a_hook_sees_every_pass_of_its_part(images):
    net, seen = network(), []
    run(net, images)
    handle = net.cells[0].operation[0].pointwise.conv.register_forward_hook(lambda *_: seen.append(1))
    run(net, images)
    handle.remove()
    run(net, images)
    assert seen == [1]


def test_writes_behind_torch_are_seen_when_the_weights_are_loaded_again(images):
    net = network()
    before = run(net, images)
    net.decoder.predictor.bias.data += 1
    assert torch.equal(run(net, images).logits, before.logits)
    net.load_state_dict(net.state_dict())
    assert_same(run(net, images), run(net, images, "sparse"))
    assert not torch.equal(run(net, images).logits, before.logits)


def test_gradients_flow_in_eval_mode(images):
    net = network()
    net(images).logits.sum().backward()
    assert net.stem[0].conv.weight.grad is not None


def test_networks_cut_out_of_one_execute_as_it_does():
    net = network()
    net.execution = "dense"
    every = Route(net.space, np.ones(net.space.n_paths))
    assert fixed_network(net, every).execution == thresholded_network(net, 0.5).execution == "dense"


def test_another_word_is_refused(images):
    net = network()
    net.execution = "quick"
    with pytest.raises(InputError, match="valid: folded, sparse, dense"):
        net(images)
