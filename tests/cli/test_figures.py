import json
import re

import pytest
import torch
from PIL import Image

import routeviz as rv
from routeviz.cli.figures import NAMES
from routeviz.plots.catalogue import FIGURES
from routeviz.training import TrainConfig

TRAINING = {"accuracy", "training_activations", "training_budget"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A tiny run on scenes, the log of its checkpoint, and one with the importance of its paths."""
    folder = tmp_path_factory.mktemp("shelf")
    scenes = rv.open_dataset("scenes", length=6, size=(64, 96))
    torch.manual_seed(1)
    net = rv.RoutingNetwork(
        rv.NetworkConfig(layers=4, width=4, stem_width=4, num_classes=7, class_names=scenes.class_names)
    )
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.bias, 0.2, 0.8)
    run = folder / "run"
    (run / "checkpoints").mkdir(parents=True)
    checkpoint = run / "checkpoints" / "step-000010.safetensors"
    rv.save_checkpoint(net, checkpoint, step=10)
    settings = {"schema": 1, "training": TrainConfig(dataset="scenes").to_dict()}
    (run / "config.json").write_text(json.dumps(settings))
    macs = {name: {"avg": 3e6, "max": 4e6, "min": 2e6} for name in ("conv", "fvcore", "released")}
    line = {"kind": "evaluation", "step": 10, "miou": 0.5, "macs": macs, "expected_macs": 1e6}
    (run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    rv.trace(rv.load_checkpoint(checkpoint), scenes, out=folder / "log", workers=0)
    rv.importance(rv.load_checkpoint(checkpoint), scenes, out=folder / "importance", workers=0)
    return folder


def fails(result, message):
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    return True


def test_the_command_knows_the_catalogue():
    assert tuple(FIGURES) == NAMES


@pytest.mark.slow
def test_all_that_a_log_and_its_run_permit(routeviz, shelf, tmp_path):
    out = tmp_path / "figures"
    command = ("figures", shelf / "importance", "--out", out, "--run", shelf / "run", "--format", "png", "--json")
    result = routeviz(*command)
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert list(answer["left_out"]) == ["experts"]
    assert sorted(path.name for path in out.iterdir()) == sorted(f"{name}.png" for name in NAMES if name != "experts")
    assert [str(path) for path in sorted(out.iterdir())] == answer["files"]
    log = rv.load_log(shelf / "importance")
    assert log.digest in Image.open(out / "usage.png").text["Description"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures"]


def test_what_needs_a_run_is_left_out_and_said(routeviz, shelf, tmp_path):
    result = routeviz("figures", shelf / "log", "--out", tmp_path / "figures", "--format", "csv")
    assert result.exit_code == 0, result.stderr
    left = dict(re.findall(r"left out (\w+): (.*)", result.stdout))
    assert "run routeviz importance" in left.pop("importance")
    assert "of experts" in left.pop("experts")
    assert set(left) == TRAINING
    assert all("--run" in reason for reason in left.values())
    assert "note: pictures have no segmentation: give --checkpoint" in result.stdout
    assert len(list((tmp_path / "figures").iterdir())) == len(NAMES) - len(TRAINING) - 2


def test_one_figure_in_three_formats_at_the_width_that_was_asked_for(routeviz, shelf, tmp_path):
    result = routeviz("figures", shelf / "log", "--out", tmp_path / "figures", "--only", "usage", "--width", "5")
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in sorted((tmp_path / "figures").iterdir())] == ["usage.pdf", "usage.png", "usage.svg"]
    pdf = (tmp_path / "figures" / "usage.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[\s*0 0 ([\d.]+) ([\d.]+)", pdf)
    assert float(box[1]) == 5 * 72
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


def test_the_segmentation_is_that_of_the_traced_checkpoint(routeviz, shelf, tmp_path):
    command = ("figures", shelf / "log", "--out", tmp_path / "figures", "--only", "route", "--format", "csv")
    checkpoint = shelf / "run" / "checkpoints" / "step-000010.safetensors"
    result = routeviz(*command, "--checkpoint", checkpoint, "--image", "val-00003")
    assert result.exit_code == 0, result.stderr
    assert "note" not in result.stdout
    log = rv.load_log(shelf / "log")
    lines = (tmp_path / "figures" / "route.csv").read_text().splitlines()
    shown = [float(line.split(",")[-2]) for line in lines[1:]]
    assert shown == pytest.approx(log.route(3).activations.tolist())


def test_bad_input_ends_in_one_line_and_leaves_nothing(routeviz, shelf, tmp_path):
    log, out = shelf / "log", ("--out", tmp_path / "figures")
    assert fails(routeviz("figures", log, *out, "--only", "training_budget"), "need a training run: give --run")
    assert fails(routeviz("figures", log, *out, "--only", "usage", "--width", "wide"), "unknown width 'wide'")
    assert fails(routeviz("figures", log, *out, "--width", "nan"), "width")
    assert fails(routeviz("figures", log, *out, "--only", "usag"), "usag")
    assert fails(routeviz("figures", log, *out, "--only", "route", "--image", "nobody"), "no image 'nobody'")
    assert fails(routeviz("figures", log, *out, "--run", shelf), "holds no training run")
    assert fails(routeviz("figures", log, *out, "--checkpoint", shelf / "run" / "config.json"), "is not the checkpoint")
    assert fails(routeviz("figures", shelf, *out), "no route log")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_keeps_its_files(routeviz, shelf, tmp_path):
    (tmp_path / "paper.tex").write_text("mine")
    assert routeviz("figures", shelf / "log", "--out", tmp_path, "--only", "usage", "--format", "csv").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["paper.tex", "usage.csv"]
