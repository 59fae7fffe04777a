import json

import numpy as np
import pandas as pd
import pytest
import torch

from routeviz.costs import macs, parameters
from routeviz.network import NetworkConfig, RoutingNetwork, load_checkpoint, read_checkpoint_header, save_checkpoint
from routeviz.routelog import RouteLog, load_log
from routeviz.space import Route
from routeviz.stats import common_network

SIZE = (32, 64)
IMAGES = 20


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=3, stem_width=4)).eval()


@pytest.fixture(scope="module")
def shelf(net, tmp_path_factory):
    """Twenty images that open every path with activation 0.5, but for three paths: shut in one, five and all images."""
    folder = tmp_path_factory.mktemp("shelf")
    gates = np.full((IMAGES, net.space.n_paths), 0.5, np.float32)
    paths = [net.space.path_index(*path) for path in ((1, 0, "down"), (2, 1, "up"), (3, 3, "keep"))]
    for path, images in zip(paths, (1, 5, IMAGES), strict=True):
        gates[:images, path] = 0
    facts = pd.DataFrame({"id": [f"{i}" for i in range(IMAGES)], "height": 32, "width": 64})
    save_checkpoint(net, folder / "step-000009.safetensors", step=9)
    provenance = load_checkpoint(folder / "step-000009.safetensors").provenance
    source = {"network": net.config.to_dict(), "checkpoint": provenance}
    RouteLog(gates, facts, net.space, source).save(folder / "log")
    return folder


@pytest.fixture
def log(shelf):
    return load_log(shelf / "log")


def printed(result):
    assert result.exit_code == 0, result.stderr
    return result.stdout


def fails(result, message):
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    return True


def test_what_is_kept_costs_fits_and_cuts(routeviz, net, shelf, log):
    data = json.loads(printed(routeviz("common", shelf / "log", "--keep", "0.9", "--json")))
    expected = np.ones(net.space.n_paths)
    expected[[net.space.path_index(2, 1, "up"), net.space.path_index(3, 3, "keep")]] = 0
    route = Route(net.space, expected)
    assert data["paths"] == net.space.n_paths - 2
    assert data["cells"] == net.space.n_cells
    assert data["macs"] == macs(net, route.activations[None], SIZE, with_gates=False)[0]
    assert data["macs_average_of_images"] == pytest.approx(macs(net, log.gates, SIZE).mean())
    assert data["parameters"] == parameters(net, route) < data["parameters_of_the_network"] == parameters(net)
    # Fifteen of the twenty open the path that is cut; one does not open the path that it shuts alone.
    assert (data["images_within"], data["images_that_open_all"]) == (5, 19)
    (cut,) = data["cut"]
    assert (cut["layer"], cut["scale"], cut["move"], cut["open"], cut["activation_open"]) == (2, 1, "up", 0.75, 0.5)
    assert cut["macs"] == 4 * 8 * 8 * 4


def test_in_words(routeviz, shelf):
    text = printed(routeviz("common", shelf / "log", "--keep", "0.9"))
    assert "common to 90 % of 20 images" in text
    assert "images within it" in text
    assert "L2 s1 up" in text
    assert "75.0" in text
    whole = printed(routeviz("common", shelf / "log", "--keep", "0.75"))
    assert "Nothing is cut that any image opens." in whole


def test_another_size_and_convention(routeviz, net, shelf):
    options = ("--image-size", "64x64", "--convention", "released", "--json")
    data = json.loads(printed(routeviz("common", shelf / "log", *options)))
    route = common_network(RouteLog(np.ones((1, net.space.n_paths)), pd.DataFrame({"id": ["a"]}), net.space)).route
    shut = route.activations.copy()
    shut[[net.space.path_index(2, 1, "up"), net.space.path_index(3, 3, "keep")]] = 0
    assert data["macs"] == macs(net, shut[None], (64, 64), convention="released", with_gates=False)[0]


@pytest.mark.parametrize(("factors", "activation"), [("ones", 1.0), ("mean", 0.5)])
def test_the_checkpoint_runs_without_gates_as_the_forced_network(
    routeviz, net, shelf, log, tmp_path, factors, activation
):
    out, checkpoint = tmp_path / "common.safetensors", shelf / "step-000009.safetensors"
    options = ("--keep", "0.9", "--factors", factors, "--checkpoint", checkpoint, "--out", out)
    text = printed(routeviz("common", shelf / "log", *options))
    assert f"wrote {out}" in text
    assert "note:" not in text
    static = load_checkpoint(out)
    route = common_network(log, keep=0.9, factors=factors).route
    assert set(static.config.fixed_gates) == {0.0, activation}
    assert not any(".gate." in name for name in static.state_dict())
    images = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        torch.testing.assert_close(static(images).logits, net(images, route=route).logits, rtol=0, atol=1e-5)
    extra = read_checkpoint_header(out)["extra"]["common"]
    assert (extra["keep"], extra["factors"], extra["images"]) == (0.9, factors, IMAGES)


def test_weights_of_another_file_are_told(routeviz, net, shelf, tmp_path):
    save_checkpoint(net, tmp_path / "copy.safetensors", step=10)
    options = ("--checkpoint", tmp_path / "copy.safetensors", "--out", tmp_path / "common.safetensors")
    assert "the log was traced with another file" in printed(routeviz("common", shelf / "log", *options))


def test_a_sweep_as_table_and_plot(routeviz, shelf, tmp_path):
    plot = tmp_path / "sweep.svg"
    data = json.loads(printed(routeviz("common", shelf / "log", "--sweep", "--plot", plot, "--json")))
    networks = data["networks"]
    assert [row["keep"] for row in networks][-3:] == [0.95, 0.99, 1.0]
    assert networks[0]["covered"] == networks[-1]["complete"] == 1
    assert [row["macs"] for row in networks] == sorted((row["macs"] for row in networks), reverse=True)
    assert plot.read_text().startswith("<?xml")
    text = printed(routeviz("common", shelf / "log", "--sweep"))
    assert text.splitlines()[2].split()[:2] == ["keep,", "%"]
    assert len(text.splitlines()) == 3 + len(networks)


def test_bad_input_ends_in_one_line(routeviz, shelf, tmp_path):
    log = shelf / "log"
    assert fails(routeviz("common", log, "--keep", "95"), "keep is 95; give a share of the images above 0 and up to 1")
    assert fails(routeviz("common", log, "--out", tmp_path / "x.safetensors"), "belong together")
    checkpoint = ("--checkpoint", shelf / "step-000009.safetensors")
    assert fails(routeviz("common", log, *checkpoint, "--out", tmp_path / "x.pth"), "name it *.safetensors")
    assert fails(routeviz("common", log, *checkpoint, "--out", checkpoint[1]), "is the checkpoint itself")
    assert fails(
        routeviz("common", log, "--sweep", *checkpoint, "--out", tmp_path / "x.safetensors"), "several networks"
    )
    assert fails(routeviz("common", log, "--plot", tmp_path / "x.gif"), "*.pdf, *.svg or *.png")
    assert fails(routeviz("common", tmp_path), "no route log")
    assert not list(tmp_path.iterdir())
