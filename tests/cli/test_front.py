import csv
import json

import numpy as np
import pytest
import torch

from routeviz.counterfactual import load_front
from routeviz.network import NetworkConfig, RoutingNetwork, load_checkpoint, save_checkpoint

SCENES = ("--dataset", "scenes", "--option", "length=3", "--option", "size=[64, 64]", "--workers", 0)
FEW = ("--rounds", 1, "--share", 0.1, "--rank-images", 1, "--thresholds", "0.3,0.6")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=7, stem_width=4))
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.bias, 0.6, 0.4)
    path = tmp_path_factory.mktemp("checkpoint") / "net.safetensors"
    save_checkpoint(net, path, step=7)
    return path


def test_it_traces_a_front_tells_it_and_writes_a_point(routeviz, checkpoint, tmp_path):
    out, target = tmp_path / "front", tmp_path / "smaller.safetensors"
    result = routeviz("front", checkpoint, *SCENES, *FEW, "--out", out, "--other", f"same={checkpoint}")
    assert result.exit_code == 0, result.stderr
    front = load_front(out)
    names = ["as-trained", "same", "threshold-0.3", "threshold-0.6", "greedy-01"]
    assert front.points.name.tolist() == names
    assert "5 points, each on 3 images" in result.stdout
    assert "Paths were ranked for the greedy rounds on 1 images of scenes, train" in " ".join(result.stdout.split())
    for row in front.table().itertuples():
        (line,) = [line.split() for line in result.stdout.splitlines() if line.startswith(row.name)]
        assert ("yes" in line) == row.efficient
        assert f"{100 * row.miou:.1f}" in line
    # What is there is shown, drawn and written without the images.
    plot = tmp_path / "front.svg"
    result = routeviz(
        "front", checkpoint, "--out", out, "--write", "greedy-01", "--to", target, "--plot", plot, "--json"
    )
    assert result.exit_code == 0, result.stderr
    assert plot.stat().st_size > 1000
    data = json.loads(result.stdout)
    assert {row["name"] for row in data["points"]} == set(names)
    assert data["verdict"] == front.verdict()
    written = load_checkpoint(target)
    assert written.config.open_threshold == front.thresholds["greedy-01"]
    assert written.provenance["step"] == 7
    same = load_checkpoint(checkpoint).state_dict()
    assert all(torch.equal(tensor, same[name]) for name, tensor in written.state_dict().items())


def test_its_table_in_other_formats(routeviz, checkpoint, tmp_path):
    arguments = ("front", checkpoint, *SCENES, "--rounds", 0, "--thresholds", "0.5", "--out", tmp_path)
    rows = list(csv.DictReader(routeviz(*arguments, "--format", "csv").stdout.splitlines()))
    assert {row["name"] for row in rows} == {"as-trained", "threshold-0.5"}
    assert all(np.isfinite(float(row["macs_released"])) for row in rows)
    assert "| as-trained |" in routeviz(*arguments, "--format", "markdown").stdout
    latex = routeviz(*arguments, "--format", "latex").stdout
    assert "ranked" not in latex
    assert r"\toprule" in latex
    assert r"efficient &" in latex


def test_it_does_not_write_over_the_checkpoint_and_says_so_at_once(routeviz, checkpoint, tmp_path):
    out = tmp_path / "front"
    result = routeviz("front", checkpoint, *SCENES, "--out", out, "--write", "as-trained", "--to", checkpoint)
    assert result.exit_code == 2
    assert "is the checkpoint itself" in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--write", "greedy-01"), "--write and --to belong together"),
        (("--write", "a", "--to", "x.pth"), "name it *.safetensors"),
        (("--plot", "x.gif"), "name it *.pdf"),
        (("--thresholds", "0.1;0.2"), "write numbers with commas"),
        ((), "holds no front"),
        ((*SCENES, "--other", "x=nowhere"), "there is no checkpoint nowhere"),
        ((*SCENES, "--thresholds", "2"), "give each above"),
        (
            (*SCENES, *FEW, "--write", "greedy-02", "--to", "x.safetensors"),
            "no such point, but as-trained, threshold-0.3",
        ),
    ],
)
def test_bad_input_ends_in_one_line(routeviz, checkpoint, tmp_path, arguments, words):
    result = routeviz("front", checkpoint, "--out", tmp_path / "front", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "front").exists()
