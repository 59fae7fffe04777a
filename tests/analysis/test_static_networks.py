"""The table of trained networks, on two runs so small that they learn nothing."""

import json
import runpy
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from routeviz.datasets import open_dataset
from routeviz.errors import InputError
from routeviz.network import RoutingNetwork, save_checkpoint
from routeviz.training import TrainConfig
from routeviz.training.evaluation import evaluate
from routeviz.training.loop import network_config

SCRIPT = Path(__file__).parents[2] / "analysis" / "static_networks.py"
OPTIONS = {"length": 4, "size": [64, 64]}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A dynamic run, a copy of it, and a static one, with what their own evaluations said."""
    folder, said = tmp_path_factory.mktemp("runs"), {}
    dataset = open_dataset("scenes", split="val", **OPTIONS)
    for name, architecture in (("raw", None), ("twin", None), ("unet", "unet")):
        config = TrainConfig(
            dataset="scenes", options=OPTIONS, crop=(64, 64), layers=7, width=4, stem_width=4, architecture=architecture
        )
        torch.manual_seed(0)
        net = RoutingNetwork(network_config(config, dataset)).eval()
        (folder / name / "checkpoints").mkdir(parents=True)
        save_checkpoint(net, folder / name / "checkpoints" / "step-000005.safetensors", step=5)
        (folder / name / "config.json").write_text(json.dumps({"training": config.to_dict()}))
        said[name] = evaluate(net, dataset)
        line = {"kind": "evaluation", "step": 5, **said[name].to_dict(), "seconds": 1800.0}
        (folder / name / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    return folder, said


def table(result):
    assert result.exit_code == 0, result.output
    lines = [line.strip("| ").split(" | ") for line in result.stdout.splitlines() if line.startswith("|")]
    return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}


def test_rows_are_what_the_runs_evaluations_said(runs):
    folder, said = runs
    main = runpy.run_path(str(SCRIPT))["main"]
    result = CliRunner().invoke(main, [str(folder / name) for name in said] + ["--reference", "twin"])
    rows = table(result)
    assert list(rows) == ["raw", "twin", "unet"]
    assert "at the end of its training" not in result.stderr
    assert "Evaluated on 4 images of scenes (val)." in result.stdout
    for name, row in rows.items():
        assert row["mIoU % [95 %]"].startswith(f"{100 * said[name].miou:.1f} [")
        macs = " / ".join(f"{said[name].macs['conv'][key] / 1e6:.1f}" for key in ("avg", "max", "min"))
        assert row["MACs avg / max / min, M (conv)"] == macs
        assert (row["steps"], row["hours"], row["seed"]) == ("5", "0.50", "0")
    assert [row["dynamic"] for row in rows.values()] == ["yes", "yes", "no"]
    differences = [row["difference to twin [95 %, paired]"] for row in rows.values()]
    assert differences[:2] == ["+0.0 [+0.0, +0.0]", "reference"]
    assert rows["unet"]["parameters, M"] < rows["raw"]["parameters, M"]


def test_an_unknown_reference_is_told(runs):
    folder, _ = runs
    result = CliRunner().invoke(runpy.run_path(str(SCRIPT))["main"], [str(folder / "raw"), "--reference", "none"])
    assert result.exit_code == 2
    assert "no run 'none'; there are raw" in result.output


def test_what_was_counted_is_kept_and_gives_the_same_table_without_a_checkpoint(runs, tmp_path):
    folder, said = runs
    main = runpy.run_path(str(SCRIPT))["main"]
    shutil.copytree(folder, tmp_path / "runs")
    copies = [str(tmp_path / "runs" / name) for name in said]
    first = CliRunner().invoke(main, [*copies, "--keep"])
    assert first.exit_code == 0, first.output
    for copy in copies:
        shutil.rmtree(Path(copy) / "checkpoints")
    again = CliRunner().invoke(main, copies)
    assert again.stdout == first.stdout
    (tmp_path / "runs" / "raw" / "evaluation.npz").unlink()
    with pytest.raises(InputError, match=r"neither a checkpoint nor evaluation\.npz"):
        CliRunner().invoke(main, copies, catch_exceptions=False)
