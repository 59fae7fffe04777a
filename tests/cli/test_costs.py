import json

import numpy as np
import pytest

from routeviz.cli.tables import quantity
from routeviz.costs import CONVENTIONS, PARTS, cost_table, macs
from routeviz.network import NetworkConfig, RoutingNetwork, save_checkpoint
from routeviz.space import Route, architectures

SMALL = ("--layers", 6, "--width", 4, "--classes", 3, "--stem-width", 6, "--image-size", "33x64")


@pytest.fixture(scope="module")
def net():
    return RoutingNetwork(NetworkConfig(layers=6, width=4, num_classes=3, stem_width=6)).eval()


@pytest.fixture
def checkpoint(net, tmp_path):
    save_checkpoint(net, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def counted(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_three_conventions_side_by_side(routeviz, net):
    result = routeviz("costs", *SMALL)
    assert result.exit_code == 0, result.stderr
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line and line[0] != " "}
    assert result.stdout.index("conv ") < result.stdout.index("fvcore") < result.stdout.index("released")
    for part in (*PARTS, "total"):
        assert len(rows[part]) == 1 + 2 * len(CONVENTIONS), "a number and its unit for each convention"
    assert " ".join(rows["total"][1:3]) == quantity(cost_table(net, (33, 64)).total)
    assert "image 33x64, padded to 64x64; every path open" in result.stdout
    assert f"{sum(p.numel() for p in net.parameters()) / 1e6:.3f} M parameters" in result.stdout
    assert result.stdout.count("Leaves out") == len(CONVENTIONS)


def test_json_adds_up_and_equals_the_library(routeviz, net):
    data = counted(routeviz("costs", *SMALL, "--json"))
    for convention in CONVENTIONS:
        found = data["macs"][convention]
        assert found["total"] == sum(found[part] for part in PARTS) == cost_table(net, (33, 64), convention).total
        assert found["image_blind"] == 0
        assert data["conventions"][convention]["leaves_out"]
    assert (data["image_size"], data["padded_size"]) == ([33, 64], [64, 64])
    assert data["parameters"] == sum(p.numel() for p in net.parameters())
    assert "table" not in data


def test_a_checkpoint_says_its_own_settings(routeviz, checkpoint):
    size = ("--image-size", "33x64", "--json")
    assert counted(routeviz("costs", checkpoint, *size))["macs"] == counted(routeviz("costs", *SMALL, "--json"))["macs"]
    result = routeviz("costs", checkpoint, *size, "--classes", 5)
    assert result.exit_code == 2
    assert "--classes cannot be given with a checkpoint" in result.stderr


def test_a_fixed_route_computes_no_gate(routeviz, net, tmp_path):
    rng = np.random.default_rng(0)
    route = Route(net.space, rng.random(net.space.n_paths) * (rng.random(net.space.n_paths) < 0.4), name="mine")
    route.save(tmp_path / "route.json")
    data = counted(routeviz("costs", *SMALL, "--route", tmp_path / "route.json", "--json"))
    expected = macs(net, route.activations[None], (33, 64), with_gates=False)
    assert data["macs"]["conv"]["total"] == expected[0]
    assert data["macs"]["conv"]["gates"] == 0
    assert "mine" in data["route"]


def test_a_static_architecture_by_name(routeviz, net):
    data = counted(routeviz("costs", *SMALL, "--architecture", "unet", "--json"))
    gates = architectures(net.space)["unet"].activations[None]
    assert data["macs"]["released"]["total"] == macs(net, gates, (33, 64), convention="released", with_gates=False)


def test_a_static_network_is_counted_along_its_own_route(routeviz, net, tmp_path):
    fixed = architectures(net.space)["fcn32s"].activations
    config = NetworkConfig(layers=6, width=4, num_classes=3, stem_width=6, fixed_gates=tuple(fixed.tolist()))
    save_checkpoint(RoutingNetwork(config).eval(), tmp_path / "static.safetensors")
    data = counted(routeviz("costs", tmp_path / "static.safetensors", "--image-size", "33x64", "--json"))
    assert data["macs"] == counted(routeviz("costs", *SMALL, "--architecture", "fcn32s", "--json"))["macs"]


def test_the_table_lists_every_part(routeviz, net):
    data = counted(routeviz("costs", *SMALL, "--table", "--json"))
    assert sum(row["conv"] for row in data["table"]) == data["macs"]["conv"]["total"]
    printed = routeviz("costs", *SMALL, "--table").stdout.splitlines()
    paths = [line for line in printed if line.startswith("path ")]
    assert len(paths) == net.space.n_paths
    assert f"{cost_table(net, (33, 64)).stem:,}" in next(
        line for line in printed if line.startswith("stem  ") and "," in line
    )


def test_bad_input_ends_in_one_line(routeviz, net, tmp_path):
    other = NetworkConfig(layers=5, width=4).space
    Route(other, np.ones(other.n_paths)).save(tmp_path / "other.json")
    for arguments, message in (
        (("--layers", 6), "image-size"),
        ((*SMALL, "--architecture", "resnet"), "architecture 'resnet' is unknown; valid: fcn32s"),
        ((*SMALL, "--route", tmp_path / "other.json"), "is a route of"),
        ((*SMALL, "--route", tmp_path / "other.json", "--architecture", "unet"), "exclude each other"),
        (("--image-size", "0x64"), "HEIGHTxWIDTH"),
        (("--image-size", "64x64", "--width", 3), "width 3"),
    ):
        result = routeviz("costs", *arguments)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert message in result.stderr
