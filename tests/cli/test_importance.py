import json

import numpy as np
import pandas as pd
import pytest
import torch

from routeviz.counterfactual import Limits, flag_paths, load_importance
from routeviz.network import NetworkConfig, RoutingNetwork, save_checkpoint
from routeviz.routelog import load_log

CONFIG = NetworkConfig(layers=3, width=4, num_classes=7, stem_width=4)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "step-000010.safetensors"
    save_checkpoint(RoutingNetwork(CONFIG).eval(), path, step=10)
    return path


@pytest.fixture
def call(routeviz, checkpoint):
    """Close the paths of three scenes, with further arguments."""

    def run(*arguments):
        dataset = ("--dataset", "scenes", "--option", "length=3", "--option", "size=[64,64]")
        return routeviz("importance", checkpoint, *dataset, "--workers", 0, *arguments)

    return run


def test_it_keeps_the_result_and_ranks_paths(call, tmp_path):
    out = tmp_path / "importance"
    result = call("--out", out, "--csv", tmp_path / "paths.csv", "--top", 3)
    assert result.exit_code == 0, result.stderr
    table = flag_paths(load_importance(out).table())
    assert len(load_log(out)) == 3
    written = pd.read_csv(tmp_path / "paths.csv")
    assert written["path"].tolist() == table["path"].tolist()
    np.testing.assert_allclose(written["changed_open"], table["changed_open"])
    best = table.sort_values("changed_open", ascending=False, kind="stable")["path"][:3].tolist()
    places = [result.stdout.index(f"\n{path} ") for path in best]
    assert places == sorted(places)
    assert "costly      closing it saves at least 0.1 % of the MACs (conv)" in result.stdout
    assert f"wrote {out}" in result.stdout


def test_json_holds_the_whole_table_and_a_finished_result_is_used(call, tmp_path):
    out = tmp_path / "importance"
    assert call("--out", out).exit_code == 0
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    data = json.loads(call("--out", out, "--json", "--costly", 0, "--convention", "fvcore").stdout)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.*")} == files
    found = load_importance(out)
    table = flag_paths(found.table(), Limits(costly=0), convention="fvcore")
    assert data["miou"] == pytest.approx(found.miou())
    assert data["limits"]["costly"] == 0
    assert [row["flagged"] for row in data["paths"]] == table["flagged"].tolist()
    assert [row["kl"] for row in data["paths"]] == pytest.approx(table["kl"].tolist())


def test_one_image_needs_no_folder(call):
    data = json.loads(call("--image", "val-00001", "--json").stdout)
    assert data["images"] == 1
    assert data["out"] is None
    text = call("--image", "val-00001", "--rank", "kl").stdout
    assert "image val-00001" in text
    assert "often open" not in text
    markdown = call("--image", "val-00001", "--format", "markdown", "--top", 2).stdout
    assert markdown.splitlines()[0].startswith("| path | activation |")
    header = call("--image", "val-00001", "--format", "csv").stdout.splitlines()[0]
    assert header.startswith("path,layer,scale,move")


def test_bad_input_is_one_line_and_exit_2(call, tmp_path):
    for arguments, message in (
        ((), "give --out"),
        (("--image", "val-9"), "no image 'val-9'; there are 3, such as val-"),
        (("--out", tmp_path / "x", "--often", 2), "0<=x<=1"),
    ):
        result = call(*arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
