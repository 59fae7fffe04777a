import csv

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

from routeviz.cli import export
from routeviz.graph import read_graphml, to_networkx
from routeviz.network import NetworkConfig, RoutingNetwork, load_checkpoint, save_checkpoint
from routeviz.routelog import RouteLog
from routeviz.space import Route, architecture, cell_states, lattice_space


@pytest.fixture
def log(tmp_path):
    space, rng = lattice_space(4, 4), np.random.default_rng(0)
    gates = (rng.random((25, space.n_paths)) * (rng.random((25, space.n_paths)) < 0.3)).astype(np.float32)
    gates[cell_states(space, gates).state[:, space.source] == 0] = np.nan
    images = pd.DataFrame({"id": [f"{index:02d}" for index in range(25)], "file": 'a, "b".png', "miou": rng.random(25)})
    log = RouteLog(gates, images, space, {"dataset": {"name": "camvid"}})
    log.save(tmp_path / "log")
    return log


@pytest.fixture
def folder(log, tmp_path):
    return tmp_path / "log"


def fails(result, message):
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    return True


@pytest.mark.parametrize("rows", [4096, 10])
def test_a_log_comes_back_from_csv(routeviz, log, folder, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(export, "ROWS", rows)
    out = tmp_path / "routes.csv"
    result = routeviz("export", "log", folder, "--out", out)
    assert result.exit_code == 0, result.stderr
    with out.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    gates = [[np.float32(row[path] or "nan") for path in log.space.path_names] for row in table]
    np.testing.assert_array_equal(gates, log.gates)
    facts = [(row["id"], row["file"], float(row["miou"])) for row in table]
    assert facts == list(log.images.itertuples(index=False, name=None))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "routes.csv"]


def test_a_failed_export_leaves_no_file(routeviz, folder, tmp_path):
    next((folder / "rows").iterdir()).write_bytes(b"")
    assert routeviz("export", "log", folder, "--out", tmp_path / "routes.csv").exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_route_or_one_image_of_a_log_to_graphml(routeviz, log, folder, tmp_path):
    route = Route(log.space, log.gates[7], name="07", source="camvid")
    route.save(tmp_path / "route.json")
    for arguments in ((folder, "--image", "07"), (tmp_path / "route.json",)):
        result = routeviz("export", "route", *arguments, "--out", tmp_path / "route.graphml")
        assert result.exit_code == 0, result.stderr
        assert nx.utils.graphs_equal(read_graphml(tmp_path / "route.graphml"), to_networkx(log.space, route))


def test_a_network_to_a_plain_checkpoint_of_either_layout(routeviz, tmp_path):
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=3, width=4, num_classes=3)).eval()
    images = torch.randn(1, 3, 32, 32)
    save_checkpoint(net, tmp_path / "step.safetensors", step=7, extra={"optimizer": "much"})
    for name, keywords in (("plain.safetensors", {}), ("plain.pth", {"small_gate": False})):
        result = routeviz("export", "network", tmp_path / "step.safetensors", "--out", tmp_path / name)
        assert result.exit_code == 0, result.stderr
        back = load_checkpoint(tmp_path / name, **keywords)
        assert back.provenance["step"] == 7
        with torch.no_grad():
            torch.testing.assert_close(back(images).logits, net(images).logits, rtol=0, atol=0)
    assert b"much" not in (tmp_path / "plain.safetensors").read_bytes()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_static_network_out_of_a_supernet(routeviz, tmp_path, suffix):
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=7, width=4, num_classes=3, stem_width=4)).eval()
    save_checkpoint(net, tmp_path / "step.safetensors", step=7)
    unet, images = architecture(net.space, "unet"), torch.randn(1, 3, 32, 32)
    half = Route(net.space, unet.activations / 2, name="half")
    half.save(tmp_path / "half.json")
    for route, choice in ((unet, ("--architecture", "unet")), (half, ("--route", tmp_path / "half.json"))):
        out = tmp_path / f"static{suffix}"
        result = routeviz("export", "network", tmp_path / "step.safetensors", *choice, "--out", out)
        assert result.exit_code == 0, result.stderr
        assert f"wrote {out}: {route.name}, {route.open.sum()} paths, " in result.output
        static = load_checkpoint(out)
        assert static.provenance["step"] == 7
        assert static.config.fixed_gates == tuple(route.activations.tolist())
        with torch.no_grad():
            expected = net(images, route=route).logits
            torch.testing.assert_close(static(images).logits, expected, rtol=0, atol=1e-5)
    both = ("--architecture", "unet", "--route", tmp_path / "half.json", "--out", tmp_path / "x.pth")
    assert fails(routeviz("export", "network", tmp_path / "step.safetensors", *both), "exclude each other")
    unknown = ("--architecture", "vgg", "--out", tmp_path / "x.pth")
    assert fails(routeviz("export", "network", tmp_path / "step.safetensors", *unknown), "valid: fcn32s, unet")


def test_bad_input_ends_in_one_line(routeviz, folder, tmp_path):
    out = ("--out", tmp_path / "out.graphml")
    assert fails(routeviz("export", "route", folder, *out), "say which image with --image ID")
    assert fails(
        routeviz("export", "route", folder, "--image", "7", *out), "no image '7'; there are 25, such as 17, 07"
    )
    (tmp_path / "route.json").write_text("{}")
    assert fails(routeviz("export", "route", tmp_path / "route.json", *out), "not a route")
    assert fails(routeviz("export", "route", tmp_path / "route.json", "--image", "07", *out), "is for a route log")
    assert fails(routeviz("export", "network", tmp_path / "route.json", "--out", tmp_path / "net.bin"), ".safetensors")
    assert fails(routeviz("export", "log", tmp_path, "--out", tmp_path / "log.csv"), "no route log")
    assert not (tmp_path / "out.graphml").exists()
