import json

import numpy as np
import pytest
import torch
from PIL import Image

from routeviz.counterfactual import ForcedRoute
from routeviz.network import NetworkConfig, RoutingNetwork, save_checkpoint
from routeviz.routelog import load_log
from routeviz.space import Route

CONFIG = NetworkConfig(layers=4, width=4, num_classes=7, stem_width=4)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "step-000010.safetensors"
    save_checkpoint(RoutingNetwork(CONFIG).eval(), path, step=10)
    return path


@pytest.fixture
def scenes(routeviz, checkpoint, tmp_path):
    """Trace four scenes into ``log``, with further arguments."""

    def run(*arguments, out="log"):
        dataset = ("--dataset", "scenes", "--option", "length=4", "--option", "size=[64,64]")
        return routeviz("trace", checkpoint, *dataset, "--workers", 0, "--out", tmp_path / out, *arguments)

    return run


def test_it_writes_a_log_and_says_what_came_of_it(scenes, checkpoint, tmp_path):
    result = scenes()
    assert result.exit_code == 0, result.stderr
    log = load_log(tmp_path / "log")
    assert log.images["id"].tolist() == [f"val-0000{i}" for i in range(4)]
    assert log.source["checkpoint"]["file"] == checkpoint.name
    assert log.source["dataset"]["options"] == {"length": 4, "size": [64, 64], "seed": 0}
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["images", "4"] in rows
    assert ["skipped", "0"] in rows
    assert ["MACs", "(conv),", "max", f"{log.images['macs_conv'].max() / 1e6:.1f}", "M"] in rows
    assert f"Next: routeviz stats {tmp_path / 'log'}" in result.stdout


def test_json_holds_the_same(scenes, tmp_path):
    facts = json.loads(scenes("--json").stdout)
    log = load_log(tmp_path / "log")
    assert facts["log"] == str(tmp_path / "log")
    assert facts["images"] == 4
    assert facts["digest"] == log.digest
    assert facts["skipped"] == []
    assert facts["macs_conv"]["avg"] == log.images["macs_conv"].mean()
    assert facts["miou"] == log.images["miou"].mean()


def test_resize_and_route_reach_the_log(scenes, tmp_path):
    path = tmp_path / "route.json"
    route = Route(CONFIG.space, np.full(CONFIG.space.n_paths, 0.5), name="half")
    route.save(path)
    assert scenes("--resize", "32x96", "--route", path).exit_code == 0
    log = load_log(tmp_path / "log")
    assert log.images[["height", "width"]].drop_duplicates().to_numpy().tolist() == [[32, 96]]
    assert (log.gates == 0.5).all()
    assert log.source["settings"]["route"]["name"] == "half"


def test_a_route_forced_in_part_asks_the_other_gates(scenes, tmp_path):
    ForcedRoute(CONFIG.space, {"L0 s0": 0.5}, name="half a cell").save(tmp_path / "route.json")
    assert scenes("--route", tmp_path / "route.json").exit_code == 0
    log = load_log(tmp_path / "log")
    first = CONFIG.space.paths_from(0)
    assert (log.gates[:, first] == 0.5).all()
    assert (log.gates[:, first.stop :] != 0.5).all()
    assert log.source["settings"]["route"]["name"] == "half a cell"


def test_unreadable_images_are_listed(routeviz, checkpoint, tmp_path):
    for i in range(14):
        Image.new("RGB", (40, 30), (i, 99, 9)).save(tmp_path / f"{i:02d}.png")
    for i in range(1, 13):
        (tmp_path / f"{i:02d}.png").write_bytes(b"")
    arguments = ("trace", checkpoint, "--dataset", "folder", "--root", tmp_path, "--out", tmp_path / "log")
    result = routeviz(*arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("not readable: cannot read") == 10
    assert f"... and 2 more, all in {tmp_path / 'log' / 'log.json'}" in result.stdout
    assert "mIoU" not in result.stdout
    facts = json.loads(routeviz(*arguments, "--json").stdout)
    assert [image["index"] for image in facts["skipped"]] == list(range(1, 13))
    assert facts["miou"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--resize", "32"), "write HEIGHTxWIDTH in pixels"),
        (("--batch-size", "0"), "0 is not in the range x>=1"),
        (("--split", "nowhere"), "scenes has no split 'nowhere'"),
        (("--route", "nowhere.json"), "'nowhere.json' does not exist"),
        (("--device", "toaster"), "no device 'toaster' here"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(scenes, tmp_path, arguments, words):
    result = scenes(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "log").exists()


def test_a_route_of_another_space_a_log_of_other_settings_and_a_foreign_folder(scenes, tmp_path):
    other = NetworkConfig(layers=5, width=4).space
    Route(other, np.ones(other.n_paths)).save(tmp_path / "route.json")
    for arguments, words in (
        (("--route", tmp_path / "route.json"), "the route belongs to"),
        (("--resize", "64x32"), "settings.resize is null there, [64, 32] now"),
    ):
        assert scenes().exit_code == 0
        result = scenes(*arguments)
        assert result.exit_code == 2
        assert words in result.stderr
    assert "holds log but no route log" in scenes(out=".").stderr


def test_help_ends_with_an_example(routeviz):
    result = routeviz("trace", "--help")
    assert result.exit_code == 0
    assert "routeviz trace step-008000.safetensors --dataset camvid --root CamVid --out log" in result.stdout
