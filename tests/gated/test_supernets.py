"""Supernets: an architecture is a route, what it leaves out does not run, and bundled logs are what weights give."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from routeviz.bundled import bundled_data
from routeviz.datasets import Digits
from routeviz.gated import SUPERNETS, train_supernet
from routeviz.gated.choices import COST, OPERATIONS
from routeviz.gated.darts import KEPT, NODES
from routeviz.gated.supernet import record_architectures
from routeviz.routelog import load_log

PIXELS = torch.from_numpy(Digits().pixels)


@pytest.fixture(params=SUPERNETS)
def name(request):
    return request.param


@pytest.fixture
def net(name):
    torch.manual_seed(0)
    return SUPERNETS[name]().eval()


@pytest.fixture
def trained(name):
    net = SUPERNETS[name]()
    net.load_state_dict(load_file(bundled_data("gated") / name / "weights.safetensors"))
    return net.eval()


@pytest.fixture
def log(name):
    return load_log(bundled_data("gated") / name / "log")


def test_an_architecture_has_one_operation_in_each_block_or_two_edges_into_each_node(net):
    rng = np.random.default_rng(0)
    drawn = np.stack([net.sample(rng) for _ in range(20)])
    assert set(np.unique(drawn)) == {0, 1}
    assert len(np.unique(drawn, axis=0)) > 10
    if net.name == "darts":
        into = net.space.target[net.steps[:, 0]]
        for node in NODES:
            chosen = drawn[:, net.steps[into == node]]
            assert (chosen.sum(axis=2) <= 1).all()
            assert (chosen.sum(axis=(1, 2)) == KEPT).all()
        assert (drawn[:, net.outs] == 1).all()
    else:
        assert (drawn.reshape(20, len(net.blocks), -1).sum(axis=2) == 1).all()


def test_macs_of_an_architecture_are_what_executes(net):
    rng = np.random.default_rng(1)
    routes = {str(at): net.sample(rng) for at in range(6)}
    log = record_architectures(net, routes)
    assert log.rows_are == "architectures"
    counted = []
    for route in routes.values():
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            net.run(PIXELS[:1], torch.tensor(route))
        counted.append(counter.get_total_flops() // 2)
    assert log.images.macs_conv.tolist() == counted
    assert len(set(counted)) > 1


def test_what_an_architecture_leaves_out_does_not_run(net):
    route = net.sample(np.random.default_rng(2))
    with torch.no_grad():
        before = net.run(PIXELS[:4], torch.tensor(route))
        for path, modules in net.paths().items():
            if not route[net.space.path_names.index(path)]:
                for weights in (weights for module in modules for weights in module.parameters()):
                    weights.fill_(torch.nan)
        after = net.run(PIXELS[:4], torch.tensor(route))
        everything = net.run(PIXELS[:4], torch.ones(net.space.n_paths))
    assert torch.equal(before, after)
    assert everything.isnan().any()


def test_the_bundled_log_is_what_the_weights_give(trained, log):
    rows = [0, 7]
    again = record_architectures(trained, {log.images.id[row]: np.nan_to_num(log.gates[row]) for row in rows})
    assert again.images.macs_conv.tolist() == log.images.macs_conv[rows].tolist()
    assert again.images.accuracy.to_numpy() == pytest.approx(log.images.accuracy[rows].to_numpy(), abs=0.01)


def test_the_search_ends_with_the_derived_architecture(trained, log):
    drawn = log.select(log.images.role.to_numpy() == "sampled")
    derived = np.nan_to_num(log.gates[0])
    assert np.array_equal(np.nan_to_num(trained.derive(drawn)), derived)
    if trained.name == "one-shot":
        facts = drawn.images
        allowed = facts[facts.macs_conv <= facts.macs_conv.max() / 2]
        assert log.images.search_accuracy[0] == allowed.search_accuracy.max()


def test_the_cost_of_a_search_is_the_expected_share_of_the_dearest_architecture():
    net = SUPERNETS["fbnet"]()
    dearest = torch.eye(len(OPERATIONS))[net.share.argmax(dim=1)]
    with torch.no_grad():
        assert net.penalty() == pytest.approx(COST * net.share.sum().item() / len(OPERATIONS))
        net.theta.copy_(100 * dearest)  # the dearest operations for sure
        assert net.penalty() == pytest.approx(COST)
        net.theta.copy_(100 * torch.eye(len(OPERATIONS))[list(OPERATIONS).index("skip")])
        assert net.penalty() == pytest.approx(0)


def test_an_architecture_alone_learns_and_leaves_the_parameters_of_the_search():
    kind = SUPERNETS["fbnet"]
    route = kind().sample(np.random.default_rng(4))
    net = train_supernet(kind, route=route, epochs=2)
    assert torch.equal(net.theta, torch.zeros_like(net.theta))
    assert record_architectures(net, {"alone": route}).images.accuracy[0] > 0.2
