import json

import numpy as np
import pandas as pd
import pytest
import torch

from routeviz.network import NetworkConfig, RoutingNetwork, save_checkpoint
from routeviz.routelog import RouteLog, load_log
from routeviz.space import lattice_space
from routeviz.stats import path_correlation, rescaled_routes, route_correlation

QUICK = ("--permutations", 99, "--resamples", 19)


@pytest.fixture
def folder(tmp_path):
    """Build a stored log of 48 images; ``strength`` is how far L3 s1 down opens with the area of the objects."""

    def build(strength, **facts):
        space, rng = lattice_space(4, 4), np.random.default_rng(0)
        gates = rng.uniform(0.4, 0.6, (48, space.n_paths))
        area = rng.permutation(48)
        gates[:, space.path_index(3, 1, "down")] += strength * area / 48
        images = pd.DataFrame({"id": [f"{i}" for i in range(48)], "objects_median_area": area, "macs_conv": 5 * 10**6})
        RouteLog(gates, images.assign(**facts), space, {}).save(tmp_path / "log")
        return tmp_path / "log"

    return build


def test_an_effect_is_named(routeviz, folder):
    log = folder(0.4)
    result = routeviz("scale", "log", log, *QUICK)
    assert result.exit_code == 0, result.stderr
    text = " ".join(result.stdout.split())
    assert "48 independent images" in text
    assert "Each of 29 paths. An effect beyond chance: 1 of the 29 that differ between images" in text
    assert "most of all L3 s1 down with objects_median_area" in text
    assert "no scale class is known of these images" in text
    row = next(line.split() for line in result.stdout.splitlines() if line.startswith("L3 s1 down"))
    table = path_correlation(load_log(log), permutations=99, resamples=19)
    assert row[4] == f"{table.set_index('value').r['L3 s1 down']:+.2f}"


def test_no_effect_is_said_plainly(routeviz, folder):
    result = routeviz("scale", "log", folder(0), *QUICK)
    text = " ".join(result.stdout.split())
    assert "The whole route. No effect beyond chance: none of the 1 that differ between images" in text
    assert "Each of 29 paths. No effect beyond chance: none of the 29" in text


def test_a_known_scale_class_is_predicted(routeviz, folder):
    few = ("--permutations", 4, "--resamples", 19)
    log = folder(0.4, scale_class=["large", "small"] * 24)
    result = routeviz("scale", "log", log, *few)
    assert "Predicting scale_class from the route alone (48 images, 5 folds" in " ".join(result.stdout.split())
    data = json.loads(routeviz("scale", "log", log, *few, "--json").stdout)
    rows = data["prediction"]["rows"]
    assert [row["features"] for row in rows] == ["activation", "open"]
    assert rows[0]["chance"] == 0.5
    assert len(rows[0]["shuffled"]) == 4
    routes = load_log(log)
    for key, function in (("route", route_correlation), ("paths", path_correlation)):
        expected = function(routes, permutations=4, resamples=19)
        assert data[key]["rows"] == json.loads(expected.to_json(orient="records"))


def test_neighbours_that_are_alike_are_noticed(routeviz, folder):
    log = folder(0, objects_median_area=np.sin(np.arange(48) / 8))
    assert "Test with --sequence" in routeviz("scale", "log", log, *QUICK).stdout
    result = routeviz("scale", "log", log, *QUICK, "--sequence")
    assert "Test with --sequence" not in result.stdout
    assert "48 frames of one film" in result.stdout


def test_csv_holds_every_row(routeviz, folder, tmp_path):
    log = folder(0.4)
    assert routeviz("scale", "log", log, *QUICK, "--csv", tmp_path / "all.csv").exit_code == 0
    table = pd.read_csv(tmp_path / "all.csv")
    assert table.of.value_counts().to_dict() == {"path": 29, "route": 1}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "step-000010.safetensors"
    save_checkpoint(RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=7, stem_width=4)).eval(), path, step=10)
    return path


@pytest.fixture
def show(routeviz, checkpoint):
    """Show one scene at sizes of 32x64 to 64x128."""

    def run(*arguments, image="val-00001"):
        dataset = ("--dataset", "scenes", "--option", "length=4", "--image", image)
        return routeviz("scale", "image", checkpoint, *dataset, "--factors", 0.25, 0.5, "--steps", 3, *arguments)

    return run


def test_one_image_at_many_sizes(show, tmp_path):
    result = show("--out", tmp_path / "log", "--csv", tmp_path / "sizes.csv")
    assert result.exit_code == 0, result.stderr
    sizes = rescaled_routes(load_log(tmp_path / "log"))
    assert sizes.height.tolist() == [32, 45, 64]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "sizes.csv"), sizes)
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["0.354", "45x91", "33", "%"] in [row[:4] for row in rows]
    assert result.stdout.startswith("val-00001 at 3 sizes through step-000010.safetensors. ")
    data = json.loads(show("--json").stdout)
    assert [row["factor"] for row in data["sizes"]] == [0.25, 0.353553, 0.5]
    assert " ".join(data["verdict"].split()) in " ".join(result.stdout.split())


def test_factor_1_is_the_size_given(show):
    sizes = json.loads(show("--resize", "128x128", "--json").stdout)["sizes"]
    assert [(row["height"], row["width"]) for row in sizes] == [(32, 32), (45, 45), (64, 64)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--factors", "2", "1"), "give a smaller one above 0"),
        (("--factors", "0", "1"), "give a smaller one above 0"),
        (("--steps", "1"), "1 is not in the range x>=2"),
    ],
)
def test_bad_sizes_are_one_line_and_exit_2(show, arguments, words):
    result = show(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unknown_image_and_a_log_without_labels(show, routeviz, folder, tmp_path):
    assert "scenes has no image 'val-1'; there are 4, such as val-000" in show(image="val-1").stderr
    log = load_log(folder(0))
    RouteLog(log.gates, log.images[["id"]], log.space, {}).save(tmp_path / "bare")
    result = routeviz("scale", "log", tmp_path / "bare")
    assert result.exit_code == 2
    assert "knows nothing of the scale of objects" in result.stderr


@pytest.mark.parametrize("part", ["log", "image"])
def test_each_part_has_an_example(routeviz, part):
    assert f"routeviz scale {part}" in routeviz("scale", part, "--help").stdout.partition("Example")[2]
