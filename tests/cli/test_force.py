import json

import numpy as np
import pandas as pd
import pytest
import torch

from routeviz.counterfactual import ForcedRoute, forced_effect
from routeviz.datasets import open_dataset
from routeviz.network import NetworkConfig, RoutingNetwork, load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=3, width=4, num_classes=7, stem_width=4)).eval()
    path = tmp_path_factory.mktemp("run") / "step-000010.safetensors"
    save_checkpoint(net, path, step=10)
    return path


@pytest.fixture
def call(routeviz, checkpoint):
    """Force paths on three scenes, with further arguments."""

    def run(*arguments):
        dataset = ("--dataset", "scenes", "--option", "length=3", "--option", "size=[64,64]")
        return routeviz("force", checkpoint, *dataset, *arguments)

    return run


@pytest.fixture(scope="module")
def wanted(checkpoint):
    net, scenes = load_checkpoint(checkpoint), open_dataset("scenes", length=3, size=(64, 64))
    return forced_effect(net, scenes, ForcedRoute(net.space, {"L1 s0": "closed", "L2 s1 keep": 0.5}))


def test_changes_from_the_command_line_and_from_a_file_are_one_route(call, wanted, tmp_path):
    out = tmp_path / "forced.json"
    result = call("L1 s0=closed", "L2 s1 keep=0.5", "--save", out, "--csv", tmp_path / "images.csv", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["route"] == {"L1 s0": 0, "L2 s1 keep": 0.5}
    assert found["changed"] == pytest.approx(wanted.images["changed"].mean())
    assert found["macs_forced"] == wanted.images["macs_conv_forced"].mean()
    assert found["miou_difference"]["value"] == pytest.approx(wanted.difference.value)
    assert [row["iou_forced"] for row in found["classes"]] == pytest.approx(wanted.classes()["iou_forced"].tolist())
    assert found["remarks"] == wanted.remarks
    np.testing.assert_allclose(pd.read_csv(tmp_path / "images.csv")["changed"], wanted.images["changed"])
    np.testing.assert_array_equal(ForcedRoute.load(out).activations, wanted.route.activations)
    again = json.loads(call("--route", out, "--json").stdout)
    assert again["changed"] == found["changed"]
    laid = json.loads(call("--route", out, "L1 s0=open", "--json").stdout)
    assert laid["route"] == {"L2 s1 keep": 0.5, "L1 s0": 1}


def test_it_is_told_in_a_table(call, wanted):
    printed = " ".join(call("L1 s0=closed", "L2 s1 keep=0.5").stdout.split())
    assert "3 images of scenes val. Forced: L1 s0=0; L2 s1 keep=0.5." in printed
    assert f"{100 * wanted.images['changed'].mean():.2f} %, in" in printed
    change = wanted.images["macs_fvcore_forced"].mean() / wanted.images["macs_fvcore_original"].mean() - 1
    assert f"{100 * change:+.2f} %" in " ".join(call("L1 s0=0;L2 s1 keep=0.5", "--convention", "fvcore").stdout.split())
    assert "Closed now, passing on their input: L1 s0. (3 of 3 images)" in printed
    one = call("L1 s0=closed", "--image", "val-00001").stdout
    assert "image val-00001" in one
    assert "interval" not in one


def test_bad_input_is_one_line_and_exit_2(call, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    for arguments, message in (
        ((), "say what is forced"),
        (("L9 s0=1",), "L9 s0"),
        (("L1 s0=2",), "valid: 0 to 1, open, shut"),
        (("L1 s0",), "cannot read 'L1 s0'"),
        (("L1 s0=1", "--image", "val-9"), "no image 'val-9'"),
        (("--route", tmp_path / "broken.json"), "broken.json"),
    ):
        result = call(*arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
