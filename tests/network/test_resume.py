import numpy as np
import pytest
import torch

from routeviz.errors import InputError
from routeviz.network import NetworkConfig, RoutingNetwork

LAYERS = 5


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=LAYERS, width=4, num_classes=3, stem_width=8))
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.weight, std=2.0)
        torch.nn.init.normal_(cell.gate.score.bias, mean=-0.2, std=1.0)
    return net.eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(4, 3, 64, 90, generator=torch.Generator().manual_seed(3)) * torch.linspace(0.2, 3, 4).view(
        4, 1, 1, 1
    )


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def same(one, other):
    return torch.equal(one.logits, other.logits) and torch.equal(
        one.gates.nan_to_num(nan=-1), other.gates.nan_to_num(nan=-1)
    )


def kept_before(net, images, layer, route=None):
    passage = net.start(images)
    net.advance(passage, route, until=layer)
    return passage


def finished(net, passage, route=None):
    net.advance(passage, route)
    return net.finish(passage)


@pytest.mark.parametrize("layer", range(LAYERS + 2))
def test_a_pass_taken_apart_before_any_layer_gives_every_bit_of_a_whole_one(net, images, layer):
    assert same(finished(net, kept_before(net, images, layer)), net(images))


def test_the_images_of_this_file_take_routes_that_differ(net, images):
    gates = net(images).gates
    assert gates.isnan().any()
    assert len(np.unique((gates > 1e-4).numpy(), axis=0)) > 1


@pytest.mark.parametrize("path", ["L0 s0 down", "L2 s1 up", "L3 s0 keep", "L5 s2 keep"])
@pytest.mark.parametrize("value", [0.0, 0.4])
def test_a_changed_path_runs_again_from_its_layer_on_as_a_whole_pass_would(net, images, path, value):
    index = net.space.path_names.index(path)
    passage = kept_before(net, images, int(net.space.paths.layer[index]))
    assert same(finished(net, passage, {index: value}), net(images, route={index: value}))


def test_a_route_that_is_forced_on_one_image_alone_goes_on_the_same_way(net, images):
    route = np.full((len(images), net.space.n_paths), np.nan)
    route[2, net.space.paths_from(net.space.cell_index(2, 0))] = 0
    assert same(finished(net, kept_before(net, images, 2), route), net(images, route=route))


def test_what_one_fork_does_leaves_the_others_as_they_were(net, images):
    kept = kept_before(net, images, 2)
    shut = {path: 0.0 for path in range(*net.space.paths_from(net.space.cell_index(2, 1)).indices(net.space.n_paths))}
    first = finished(net, kept.fork(), shut)
    assert same(finished(net, kept.fork()), net(images))
    assert same(finished(net, kept.fork(), shut), first)


def test_a_fork_takes_images_along_in_any_number(net, images):
    kept = kept_before(net, images, 3)
    chosen = np.array([2, 0, 2])
    got, wanted = finished(net, kept.fork(chosen)), net(images[chosen])
    torch.testing.assert_close(got.gates, wanted.gates, rtol=1e-5, atol=1e-6, equal_nan=True)
    torch.testing.assert_close(got.logits, wanted.logits, rtol=1e-5, atol=1e-6)
    again = finished(net, kept.fork())
    assert same(again, net(images))


def test_a_passage_holds_the_features_of_one_layer(net, images):
    kept = kept_before(net, images, 4)
    layer = net.space.cells.layer.to_numpy() == 4
    sizes = net.cell_sizes(images.shape[-2:])[layer].prod(axis=1) * net.space.cells.channels.to_numpy()[layer]
    assert 0 < kept.nbytes <= 4 * len(images) * sizes.sum()


def test_layers_that_have_run_do_not_run_again(net, images):
    net.execution = "sparse"  # hooks do not see folded parts
    passage = kept_before(net, images, 3)
    runs = []
    handles = [
        cell.register_forward_hook(lambda *_, index=index: runs.append(index)) for index, cell in enumerate(net.cells)
    ]
    finished(net, passage)
    net.execution = "folded"
    for handle in handles:
        handle.remove()
    assert runs
    assert min(net.space.cells.layer[runs]) == 3


def test_an_unfinished_passage_is_not_decoded(net, images):
    with pytest.raises(InputError, match="layers 2 to 5 have not run"):
        net.finish(kept_before(net, images, 2))


def test_a_static_network_is_taken_apart_too(images):
    fixed = np.ones(NetworkConfig(layers=LAYERS, width=4).space.n_paths)
    torch.manual_seed(2)
    net = RoutingNetwork(
        NetworkConfig(layers=LAYERS, width=4, num_classes=3, stem_width=8, fixed_gates=tuple(fixed))
    ).eval()
    assert same(finished(net, kept_before(net, images, 2)), net(images))
