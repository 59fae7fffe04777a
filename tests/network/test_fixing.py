"""A static network cut out of a supernet computes what the supernet does when the route is forced on it."""

import numpy as np
import pytest
import torch
from torch import nn

from routeviz.costs import CONVENTIONS, macs, parameters
from routeviz.errors import CostError, InputError
from routeviz.network import (
    NetworkConfig,
    RoutingNetwork,
    export_released,
    fixed_network,
    load_checkpoint,
    save_checkpoint,
)
from routeviz.space import ARCHITECTURES, Route, architecture, architectures, lattice_space

SIZE = (64, 96)


def supernet(layers, seed=0):
    """Norms and biases are drawn too, so that image-blind cells send constants that are not zero."""
    torch.manual_seed(seed)
    net = RoutingNetwork(NetworkConfig(layers=layers, width=4, num_classes=3, stem_width=4)).eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.2)
                module.running_mean.normal_(std=0.2)
                module.running_var.uniform_(0.5, 1.5)
    return net


@pytest.fixture(scope="module")
def supernets():
    return {layers: supernet(layers) for layers in (7, 11, 16, 33)}


def run(net, images, **options):
    with torch.no_grad():
        return net(images, **options).logits


def assert_computes_what_the_forced_supernet_does(net, route, tmp_path):
    torch.manual_seed(1)
    images = torch.randn(1, 3, 50, 90)
    save_checkpoint(fixed_network(net, route), tmp_path / "fixed.safetensors")
    loaded, forced = load_checkpoint(tmp_path / "fixed.safetensors"), run(net, images, route=route)
    assert forced.std() > 1e-3
    torch.testing.assert_close(run(loaded, images), forced, rtol=0, atol=1e-5)
    assert not any(".gate." in name for name in loaded.state_dict())
    assert parameters(loaded) == parameters(net, route)
    return loaded


def assert_costs_what_the_route_does(fixed, net, route):
    for convention in CONVENTIONS:
        own = macs(fixed, route.activations[None], SIZE, convention=convention)
        assert own == macs(net, route.activations[None], SIZE, convention=convention, with_gates=False)


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_every_architecture_at_16_layers(supernets, tmp_path, key):
    net = supernets[16]
    route = architectures(net.space)[key]
    loaded = assert_computes_what_the_forced_supernet_does(net, route, tmp_path)
    assert_costs_what_the_route_does(loaded, net, route)
    is_open = route.cell_states.state == "open"
    assert [cell.operation is not None for cell in loaded.cells] == is_open.tolist()
    assert sum(len(cell.transforms) for cell in loaded.cells) == route.open.sum()


@pytest.mark.parametrize("layers", [7, 11, 33])
@pytest.mark.slow
def test_other_depths(supernets, tmp_path, layers):
    net = supernets[layers]
    for key, route in architectures(net.space).items():
        fixed = assert_computes_what_the_forced_supernet_does(net, route, tmp_path)
        if key == "unet":
            assert_costs_what_the_route_does(fixed, net, route)


def test_a_route_with_factors_closed_unreached_and_starved_cells(supernets, tmp_path):
    net, rng = supernets[7], np.random.default_rng(0)
    kinds = set()
    for _ in range(6):
        gates = np.where(rng.random(net.space.n_paths) < 0.35, rng.random(net.space.n_paths), 0)
        gates[net.space.path_index(0, 0, "keep")] = 0.5
        route = Route(net.space, gates)
        assert_computes_what_the_forced_supernet_does(net, route, tmp_path)
        kinds |= set(map(tuple, route.cell_states[["state", "input"]].to_numpy()))
    assert {("closed", "image"), ("unreached", "none"), ("open", "zeros"), ("open", "constant")} <= kinds


def test_a_static_architecture_that_is_trained_has_the_same_parts(supernets):
    net = supernets[16]
    for route in architectures(net.space).values():
        config = NetworkConfig(
            layers=16, width=4, num_classes=3, stem_width=4, fixed_gates=tuple(route.activations.tolist())
        )
        built, fixed = RoutingNetwork(config), fixed_network(net, route)
        assert built.config == fixed.config
        assert list(built.state_dict()) == list(fixed.state_dict())


def test_it_goes_through_the_released_layout_too(supernets, tmp_path):
    net = supernets[11]
    route, images = architecture(net.space, "unet"), torch.randn(1, 3, 32, 64)
    export_released(fixed_network(net, route), tmp_path / "unet.pth")
    torch.testing.assert_close(
        run(load_checkpoint(tmp_path / "unet.pth"), images), run(net, images, route=route), rtol=0, atol=1e-5
    )


def test_the_supernet_and_the_random_state_are_left_alone(supernets):
    net = supernet(7)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    state = torch.random.get_rng_state()
    fixed = fixed_network(net.train(), architecture(net.space, "unet"))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert fixed.training
    with torch.no_grad():
        for parameter in fixed.parameters():
            parameter.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_a_part_of_a_static_network_can_be_cut_out_again(supernets):
    net = supernets[11]
    unet = architecture(net.space, "unet")
    static = fixed_network(net, unet)
    images = torch.randn(1, 3, 32, 64)
    torch.testing.assert_close(run(fixed_network(static, unet), images), run(static, images), rtol=0, atol=0)
    fcn = architecture(net.space, "fcn32s")
    with pytest.raises(InputError, match=r"uses parts of cell L\d+ s\d that this static network has not built"):
        fixed_network(static, fcn)
    with pytest.raises(CostError, match="has not built"):
        parameters(static, fcn)
    other = architecture(lattice_space(11, 8), "unet")
    for use in (fixed_network, parameters):
        with pytest.raises(InputError, match="the route belongs to"):
            use(net, other)


def test_parameters_by_hand():
    # Width 4, stem width 6, 3 classes; a norm has two parameters a channel.
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=3, width=4, num_classes=3, stem_width=6))
    space = net.space
    stem = (3 * 6 * 9 + 2 * 6) + (6 * 9 + 6 * 6 + 2 * 6) + (6 * 9 + 6 * 4 + 2 * 4)
    decoder = (4 * 4 + 2 * 4) + (8 * 4 + 2 * 4) + (16 * 8 + 2 * 8) + (32 * 16 + 2 * 16) + (4 * 3 * 9 + 3)
    assert parameters(net, Route(space, np.zeros(space.n_paths))) == stem + decoder
    one = np.zeros(space.n_paths)
    one[[space.path_index(*path) for path in ((0, 0, "keep"), (1, 0, "down"))]] = 1
    operation = 2 * (4 * 9 + 4 * 4 + 2 * 4)
    assert parameters(net, Route(space, one)) == stem + decoder + 2 * operation + (4 * 8 + 2 * 8)
    assert parameters(net, Route(space, np.ones(space.n_paths))) < parameters(net)
