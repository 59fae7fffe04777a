import json

import pandas as pd
import pytest
import torch

from routeviz.network import NetworkConfig, RoutingNetwork, save_checkpoint
from routeviz.routelog import load_log
from routeviz.stats import collapses, drift, path_courses, path_events
from routeviz.training import TrainConfig

CONFIG = NetworkConfig(layers=4, width=4, num_classes=7, stem_width=4)
STEPS = (10, 20, 30)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of three checkpoints whose gates shut more and more."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "checkpoints").mkdir()
    config = TrainConfig(dataset="scenes", resize=(64, 96), layers=4, width=4)
    (folder / "config.json").write_text(json.dumps({"training": config.to_dict()}))
    torch.manual_seed(0)
    net = RoutingNetwork(CONFIG).eval()
    for step in STEPS:
        for cell in net.cells:
            cell.gate.score.bias.data -= torch.rand_like(cell.gate.score.bias)
        save_checkpoint(net, folder / "checkpoints" / f"step-{step:06d}.safetensors", step=step)
    return folder


@pytest.fixture
def call(routeviz, run, tmp_path):
    """Follow the run on four scenes, with further arguments."""

    def invoke(*arguments, run=run):
        dataset = ("--dataset", "scenes", "--option", "length=4", "--workers", 0)
        return routeviz("drift", run, *dataset, "--out", tmp_path / "drift", *arguments)

    return invoke


def read(folder):
    return {step: load_log(folder / "drift" / f"step-{step:06d}") for step in STEPS}


def test_it_traces_each_checkpoint_as_it_was_trained_and_tells_what_changed(call, tmp_path):
    result = call("--csv", tmp_path / "drift.csv")
    assert result.exit_code == 0, result.stderr
    logs = read(tmp_path)
    assert [log.source["checkpoint"]["step"] for log in logs.values()] == list(STEPS)
    assert logs[10].images[["height", "width"]].drop_duplicates().to_numpy().tolist() == [[64, 96]]
    table = drift(logs)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "drift.csv"), table)
    lines = [line.split() for line in result.stdout.splitlines()]
    for row in table.itertuples():
        assert [str(row.step), str(row.alive), str(row.born), str(row.died)] in [line[:4] for line in lines]
    assert "3 checkpoints on the same 4 images" in result.stdout
    assert f"The route logs are in {tmp_path / 'drift'}" in result.stdout
    died = path_events(logs).query("event == 'died'")
    assert len(died)
    assert ["by", "step", str(died.step.iloc[0]), "died"] in [line[:4] for line in lines]
    assert f"constant gate, {(collapses(logs).kind == 'constant gate').sum()}:" in result.stdout


def test_json_is_what_the_library_gives_and_finished_logs_are_used(call, tmp_path):
    assert call().exit_code == 0
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "drift").rglob("*.*")}
    data = json.loads(call("--json").stdout)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "drift").rglob("*.*")} == files
    logs = read(tmp_path)
    assert data["images"] == 4
    assert data["logs"]["20"] == str(tmp_path / "drift" / "step-000020")
    assert [row["alive"] for row in data["steps"]] == drift(logs).alive.tolist()
    assert data["events"] == json.loads(path_events(logs).to_json(orient="records"))
    assert data["warnings"] == json.loads(collapses(logs).to_json(orient="records"))
    assert [row["30"] for row in data["gate_entropy"]] == path_courses(logs)[30].tolist()


def test_bad_input_is_one_line_and_exit_2(call, run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no training run" in call(run=tmp_path / "empty").stderr
    (tmp_path / "empty" / "config.json").write_text((run / "config.json").read_text())
    assert "holds no checkpoints" in call(run=tmp_path / "empty").stderr
    assert call().exit_code == 0
    other = call("--resize", "32x64")
    assert other.exit_code == 2
    assert "settings.resize is [64, 96] there, [32, 64] now" in other.stderr
    assert other.stderr.count("\n") == 1
