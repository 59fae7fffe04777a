"""NaN and infinity are named where they first appear, whatever comes after has made of them."""

import numpy as np
import pytest
import torch

from routeviz.counterfactual.kept import KeptPass
from routeviz.errors import NonFiniteError
from routeviz.network import NetworkConfig, RoutingNetwork

LAYERS = 4


@pytest.fixture
def net():
    torch.manual_seed(0)
    return RoutingNetwork(NetworkConfig(layers=LAYERS, width=4, num_classes=3, stem_width=4)).eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 3, 32, 64, generator=torch.Generator().manual_seed(1))


def error(net, images, route=None):
    with torch.inference_mode(), pytest.raises(NonFiniteError) as caught:
        net(images, route=route)
    return caught.value


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_pixel_of_an_image(net, images, value):
    broken = images.clone()
    broken[1, 2, 10, 20] = value
    found = error(net, broken)
    assert "image 1 of the batch: the image itself holds it, at channel 2, row 10, column 20" in str(found)
    assert found.image == 1


def cell_of(net, layer, scale):
    return net.cells[net.space.cell_index(layer, scale)]


PLACES = {
    "stem": (lambda net: net.stem[0].conv, "it first appears in the stem, whose weights 0.conv.weight hold it"),
    "gate": (lambda net: cell_of(net, 2, 1).gate.reduce.conv, "the gate of cell L2 s1, whose weights reduce.conv"),
    "score": (lambda net: cell_of(net, LAYERS, 3).gate.score, "the gate of cell L4 s3, whose weights score.weight"),
    "operation": (lambda net: cell_of(net, 3, 0).operation[1].pointwise.conv, "in cell L3 s0 keep, whose weights op"),
    "path": (lambda net: cell_of(net, 1, 1).transforms["up"][1].conv, "in cell L1 s1 up, whose weights transforms.up"),
    "decoder": (lambda net: net.decoder.predictor, "in the decoder, whose weights predictor.weight hold it"),
}


@pytest.mark.parametrize(("module", "said"), PLACES.values(), ids=PLACES)
def test_weights_of_every_part(net, images, module, said):
    with torch.no_grad():
        module(net).weight.view(-1)[0] = torch.nan
    assert said in str(error(net, images))


def test_infinity_is_named_where_it_comes_through(net, images):
    with torch.no_grad():
        net.decoder.predictor.bias[1] = torch.inf
    assert "in the decoder, whose weights predictor.bias hold it" in str(error(net, images))
    with torch.no_grad():
        net.decoder.predictor.bias[1] = 0
        net.cells[0].gate.score.bias.fill_(torch.inf)  # a gate's tanh makes 1 of it
    with torch.inference_mode():
        assert net(images).gates[:, 0].eq(1).all()


def test_the_first_of_several_cells_is_named(net, images):
    with torch.no_grad():
        for layer in (4, 2, 3):
            cell_of(net, layer, 1).gate.score.bias.fill_(torch.nan)
    assert "the gate of cell L2 s1" in str(error(net, images))


def test_weights_of_a_cell_that_does_not_run_do_no_harm(net, images):
    with torch.no_grad():
        cell_of(net, 3, 3).gate.score.bias.fill_(torch.nan)
    shut = {net.space.path_names.index("L2 s2 down"): 0.0}
    closed = {path: 0.0 for path in range(*net.space.paths_from(net.space.cell_index(2, 2)).indices(net.space.n_paths))}
    assert "the gate of cell L3 s3" in str(error(net, images, shut))  # zeros reach it: it runs
    with torch.inference_mode():
        assert net(images, route=closed).logits.isfinite().all()


def test_values_that_grow_beyond_float32_are_told_from_broken_weights(net, images):
    with torch.no_grad():
        for module in (cell_of(net, 1, 0).operation, cell_of(net, 2, 0).operation):
            module[1].pointwise.norm.weight.fill_(1e30)
    all_open = np.ones(net.space.n_paths)
    assert "in cell L2 s0 keep, whose weights are finite: values grew beyond" in str(error(net, images, all_open))


def test_large_numbers_that_are_finite_are_let_through(net, images):
    with torch.no_grad():
        net.decoder.predictor.weight.zero_()
        net.decoder.predictor.bias.fill_(3e38)  # their sum overflows
    with torch.inference_mode():
        assert net(images).logits.isfinite().all()


def test_a_gate_of_nan_under_a_threshold_of_its_own_is_not_taken_for_shut(images):
    space = NetworkConfig(layers=LAYERS, width=4).space
    torch.manual_seed(0)
    config = NetworkConfig(layers=LAYERS, width=4, num_classes=3, stem_width=4, open_threshold=(0.5,) * space.n_paths)
    net = RoutingNetwork(config).eval()
    with torch.no_grad():
        net.cells[0].gate.score.bias[1] = torch.nan
    assert "the gate of cell L0 s0" in str(error(net, images))


def test_a_pass_that_is_kept_says_so_too(net, images):
    with torch.no_grad():
        cell_of(net, 2, 1).operation[0].pointwise.conv.weight.fill_(np.nan)
    with pytest.raises(NonFiniteError, match="first appears in cell L2 s1 up"):
        KeptPass(net, images)
