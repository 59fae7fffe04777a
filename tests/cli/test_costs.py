import json

import numpy as np
import pytest
import torch

from routeviz.costs import CONVENTIONS, PARTS, cost_table, executed_parts, image_blind_macs, macs, starved_macs
from routeviz.counterfactual import without_starved
from routeviz.datasets import open_dataset
from routeviz.network import NetworkConfig, RoutingNetwork, load_checkpoint, save_checkpoint
from routeviz.quantities import quantity
from routeviz.routelog import load_log
from routeviz.space import Route, architectures
from routeviz.tracing import trace

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


def test_the_table_tells_what_a_route_runs(routeviz, net):
    data = counted(routeviz("costs", *SMALL, "--architecture", "fcn32s", "--table", "--json"))
    runs = [row["executed"] for row in data["table"]]
    gates = architectures(net.space)["fcn32s"].activations[None]
    assert runs == executed_parts(net, gates, with_gates=False)[0].tolist()
    assert sum(row["conv"] for row in data["table"] if row["executed"]) == data["macs"]["conv"]["total"]


def test_time_is_measured_part_by_part_and_told_beside_macs(routeviz, net):
    measure = (*SMALL, "--measure", "--rounds", 3, "--table")
    data = counted(routeviz("costs", *measure, "--json"))
    time = data["time"]
    assert (time["rounds"], time["execution"]) == (3, "folded")
    assert all(0 <= time["explained"][convention]["r2"] <= 1 for convention in CONVENTIONS)
    assert all(row["low"] <= row["seconds"] <= row["high"] for row in data["table"])
    ran = sum(row["seconds"] for row in data["table"] if row["part"] != "gate")  # the pass is on a fixed route
    assert time["parts_of_the_forward"] == pytest.approx(ran)
    printed = routeviz("costs", *measure).stdout
    assert "forward pass on this route, fixed" in printed
    assert "path keep" in printed
    assert "time, µs" in printed


@pytest.fixture(scope="module")
def starving(tmp_path_factory):
    """A checkpoint with starved cells, and the log of its routes on three scenes."""
    torch.manual_seed(3)
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=7, stem_width=4))
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.weight, std=0.02)
        torch.nn.init.normal_(cell.gate.score.bias, 0.1, 0.5)
    folder = tmp_path_factory.mktemp("starving")
    save_checkpoint(net, folder / "net.safetensors")
    net = load_checkpoint(folder / "net.safetensors")
    scenes = open_dataset("scenes", length=3, size=(64, 64))
    trace(net, scenes, out=folder / "log", workers=0)
    return net, scenes, folder


def test_a_log_tells_what_starved_cells_cost(routeviz, starving):
    net, _, folder = starving
    log, size = load_log(folder / "log"), (64, 64)
    data = counted(routeviz("costs", folder / "log", "--table", "--json"))
    for convention in CONVENTIONS:
        found = data["macs"][convention]
        assert found["total"] == log.facts(f"macs_{convention}").mean().item()
        assert found["starved"] == starved_macs(net, log.gates, size, convention=convention).mean() > 0
        assert found["image_blind"] == image_blind_macs(net, log.gates, size, convention=convention).mean()
    assert data["cells"]["starved"] == log.states.starved.sum() / 3
    runs = [row["executed"] for row in data["table"]]
    np.testing.assert_allclose(runs, executed_parts(net, log.gates).mean(axis=0))
    printed = routeviz("costs", folder / "log", "--measure", "--rounds", 3).stdout
    name = next(iter(data["starved_in"]))
    assert f"only zeros were sent to them: {name}" in " ".join(printed.split())
    assert "in image-blind cells" in printed


def test_a_log_is_run_without_starved_cells(routeviz, starving):
    net, scenes, folder = starving
    arguments = ("costs", folder / "log", "--starved", "--checkpoint", folder / "net.safetensors")
    found, wanted = counted(routeviz(*arguments, "--json"))["without_starved"], without_starved(net, scenes)
    assert found["kl"] == pytest.approx(wanted.images.kl.mean())
    assert found["macs_conv_without"] == wanted.images.macs_conv_without.mean()
    assert found["miou_without"] == wanted.without.miou
    assert found["miou_difference"]["value"] == pytest.approx(wanted.difference.value)
    printed = routeviz(*arguments).stdout
    assert f"{100 * wanted.without.miou:.2f} %" in printed


def test_what_is_for_logs_is_for_logs(routeviz, starving, checkpoint):
    log = starving[2] / "log"
    for arguments, message in (
        ((log, "--starved"), "--starved and --checkpoint belong together"),
        ((log, "--width", 8), "a log says itself"),
        ((log, "--starved", "--checkpoint", checkpoint), "is not the checkpoint that was traced"),
        ((checkpoint, "--image-size", "64x64", "--starved"), "are for a log"),
    ):
        result = routeviz("costs", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


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
