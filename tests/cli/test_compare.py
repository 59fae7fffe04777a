import csv
import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from routeviz.cli.compare import table_in
from routeviz.costs import macs
from routeviz.network import NetworkConfig, RoutingNetwork, export_released, fixed_network, save_checkpoint
from routeviz.routelog import RouteLog
from routeviz.space import architectures
from routeviz.stats import NetworkFacts, compare_networks
from routeviz.training import TrainConfig

SIZE = (32, 64)
CONFIG = NetworkConfig(layers=7, width=4, num_classes=3, stem_width=4)
SPACE = CONFIG.space
GATES = (np.random.default_rng(0).random((5, SPACE.n_paths)) < 0.6).astype(np.float32)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return RoutingNetwork(CONFIG).eval()


@pytest.fixture(scope="module")
def shelf(net, tmp_path_factory):
    """A log, two runs (one of a static architecture) and two checkpoints of one small space."""
    folder = tmp_path_factory.mktemp("shelf")
    facts = {"id": list("abcde"), "height": 32, "width": 64, "miou": [0.1, 0.2, 0.3, 0.4, 0.5]}
    source = {"network": net.config.to_dict(), "dataset": {"name": "scenes"}}
    RouteLog(GATES, pd.DataFrame(facts), net.space, source).save(folder / "a_log & more")
    unet = architectures(net.space)["unet"]
    for name, network, chosen in (("dynamic", net, None), ("static", fixed_network(net, unet), "unet")):
        config = TrainConfig(
            dataset="scenes", resize=SIZE, crop=SIZE, layers=7, width=4, stem_width=4, architecture=chosen, steps=8
        )
        run = folder / name
        (run / "checkpoints").mkdir(parents=True)
        save_checkpoint(network, run / "checkpoints" / "step-000004.safetensors", step=4)
        save_checkpoint(network, run / "checkpoints" / "step-000008.safetensors", step=8)
        (run / "config.json").write_text(json.dumps({"training": config.to_dict()}))
        line = {"kind": "evaluation", "step": 8, "miou": 0.25, "macs": {"conv": {"avg": 7, "max": 9, "min": 5}}}
        (run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    export_released(net, folder / "released.pth")
    return folder


def compared(result):
    assert result.exit_code == 0, result.stderr
    data = json.loads(result.stdout)
    return data, {row["network"]: row for row in data["networks"]}


def fails(result, message):
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    return True


@pytest.mark.slow
def test_the_whole_dynamic_network_as_published(routeviz):
    data, rows = compared(routeviz("compare", "--convention", "released", "--architecture", "unet", "--json"))
    assert data["image_size"] == [1024, 2048]
    for kind, giga in (("full", 118.085), ("small", 102.270)):
        row = rows[f"Dynamic, all open, {kind} gate"]
        assert row["dynamic"] is True
        assert [round(row[name] / 1e9, 3) for name in ("macs_avg", "macs_max", "macs_min")] == [giga] * 3
        assert round(row["parameters"] / 1e6, 3) == 17.785
        assert row["published_macs"] == pytest.approx(giga * 1e9)
        assert abs(row["macs_difference"]) < 0.0005e9
        assert row["notes"] == ["equal to what the released code counts"]
    assert list(rows) == ["Dynamic, all open, full gate", "Dynamic, all open, small gate", "U-Net"]
    assert rows["U-Net"]["dynamic"] is False
    assert rows["U-Net"]["published_parameters"] == 6.1e6


def test_logs_runs_checkpoints_and_architectures(routeviz, net, shelf):
    inputs = [f"mine={shelf / 'a_log & more'}", shelf / "dynamic", shelf / "static"]
    inputs += [shelf / "dynamic" / "checkpoints" / "step-000004.safetensors", shelf / "released.pth"]
    chosen = ("--architecture", "unet", "--architecture", "fcn32s", "--full-gate", "--json")
    data, rows = compared(routeviz("compare", *inputs, *chosen))
    assert data["image_size"] == list(SIZE)
    names = ["mine", "dynamic", "static", "step-000004.safetensors", "released.pth", "U-Net", "FCN-32s"]
    assert list(rows) == names
    assert [row["dynamic"] for row in rows.values()] == [True, True, False, True, True, False, False]

    logged = macs(net, GATES, SIZE)
    assert rows["mine"]["macs_avg"] == pytest.approx(logged.mean())
    assert (rows["mine"]["macs_max"], rows["mine"]["macs_min"]) == (logged.max(), logged.min())
    assert rows["mine"]["miou"] == pytest.approx(0.3)
    assert "mean of the images' own" in rows["mine"]["notes"][0]

    run = rows["dynamic"]
    assert [run[name] for name in ("macs_avg", "macs_max", "macs_min", "miou")] == [7, 9, 5, 0.25]
    unet = architectures(net.space)["unet"]
    own = int(macs(net, unet.activations[None], SIZE, with_gates=False)[0])
    for name in ("static", "U-Net"):
        assert [rows[name][key] for key in ("macs_avg", "macs_max", "macs_min")] == [own] * 3
    assert rows["static"]["parameters"] == rows["U-Net"]["parameters"] < run["parameters"]
    assert rows["static"]["miou"] == 0.25
    assert rows["U-Net"]["miou"] is None

    every = int(macs(net, np.ones((1, net.space.n_paths)), SIZE)[0])
    for name in ("step-000004.safetensors", "released.pth"):
        assert (rows[name]["macs_avg"], rows[name]["macs_max"], rows[name]["macs_min"]) == (None, every, None)
        assert "only the cost with every path open is known" in rows[name]["notes"][0]


def test_a_run_of_which_metrics_alone_are_left_has_its_row(routeviz, net, shelf, tmp_path):
    network = fixed_network(net, architectures(net.space)["unet"]).config.to_dict()
    settings = json.loads((shelf / "static" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings | {"network": network}))
    (tmp_path / "metrics.jsonl").write_text((shelf / "static" / "metrics.jsonl").read_text())
    _, rows = compared(routeviz("compare", f"kept={tmp_path}", f"whole={shelf / 'static'}", "--json"))
    assert {**rows["kept"], "network": "whole"} == rows["whole"]


def test_at_another_size_and_convention(routeviz, net, shelf):
    size = (64, 96)
    options = ("--image-size", "64x96", "--convention", "fvcore", "--json")
    _, rows = compared(routeviz("compare", shelf / "a_log & more", shelf / "dynamic", *options))
    logged = macs(net, GATES, size, convention="fvcore")
    assert rows["a_log & more"]["macs_avg"] == pytest.approx(logged.mean())
    # What the evaluation counted is of another size: only the most it can cost is known.
    assert rows["dynamic"]["macs_avg"] is None
    assert rows["dynamic"]["miou"] == 0.25


def test_formats(routeviz, shelf, tmp_path):
    inputs = ("compare", shelf / "a_log & more", shelf / "dynamic")
    terminal = routeviz(*inputs).stdout
    assert terminal.startswith("MACs for images of 32x64, convention conv\n\nnetwork ")
    assert "\n1 mIoU is the mean" in terminal

    rows = list(csv.DictReader(io.StringIO(routeviz(*inputs, "--format", "csv").stdout)))
    assert [row["network"] for row in rows] == ["a_log & more", "dynamic"]
    assert (rows[1]["macs_max"], rows[1]["convention"], rows[1]["image_size"]) == ("9", "conv", "32x64")
    assert rows[1]["published_macs"] == ""

    markdown = routeviz(*inputs, "--format", "markdown").stdout.splitlines()
    widths = {line.count("|") for line in markdown if line.startswith("|")}
    assert len(widths) == 1
    assert "--:" in markdown[3]

    latex = routeviz(*inputs, "--format", "latex").stdout
    assert r"a\_log \& more" in latex
    assert [latex.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    body = latex[latex.index(r"\toprule") : latex.index(r"\bottomrule")]
    ends = {line.replace(r"\&", "").count("&") for line in body.splitlines() if "&" in line}
    assert ends == {len(latex.split(r"\begin{tabular}{")[1].split("}")[0]) - 1}
    assert not set("·−Δ") & set(latex)

    result = routeviz(*inputs, "--format", "latex", "--out", tmp_path / "table.tex")
    assert result.stdout == f"wrote {tmp_path / 'table.tex'}: 2 networks\n"
    assert (tmp_path / "table.tex").read_text() == latex


@pytest.fixture
def paper_table():
    paper = {"layers": 16, "width": 64, "num_classes": 19}
    unet = NetworkFacts(
        name="U-Net", dynamic=False, parameters=2_527_000, macs_avg=26.1e9, macs_max=26_050_000_000, macs_min=1,
        published="unet", cell_macs=1.17e9, **paper,
    )  # fmt: skip
    whole = replace(unet, name="whole", dynamic=True, macs_avg=102.2701e9, published="all-open-small-gate")
    mine = replace(unet, name="mine", published="", miou=0.5)
    return compare_networks([unet, whole, mine], image_size=(1024, 2048), convention="released")


def test_published_figures_follow_in_a_terminal(paper_table):
    ours, theirs = table_in("terminal", paper_table, (1024, 2048), "released").split("Published, and ours less theirs")
    assert max(map(len, ours.splitlines())) <= 100
    rows = [line.split() for line in theirs.splitlines() if line.startswith(("U-Net", "whole", "mine"))]
    assert [row[0] for row in rows] == ["U-Net", "whole"]
    # With as many decimals as were published.
    assert rows[0][-6:] == ["71.6", "·", "53.9", "−27.8", "6.1", "−3.6"]
    assert rows[1][-6:] == ["·", "·", "102.270", "0.000", "17.785", "−15.258"]
    assert "about 24 open cells more, at 1.17 G each" in " ".join(theirs.split())


@pytest.mark.parametrize("style", ["markdown", "latex"])
def test_published_figures_stand_beside_ours_on_paper(paper_table, style):
    text = table_in(style, paper_table, (1024, 2048), "released")
    bare = [line.removeprefix("| ").removesuffix(" |").removesuffix(r" \\") for line in text.splitlines()]
    between = " | " if style == "markdown" else " & "
    cells = [line.split(between) for line in bare if line.startswith(("U-Net", "whole", "mine"))]
    assert [len(row) for row in cells] == [14, 14, 14]
    assert cells[0][9] == "53.9"
    assert cells[2][7:13] == [{"markdown": "·", "latex": "--"}[style]] * 6
    assert cells[2][2] == "50.0"


def test_bad_input_ends_in_one_line(routeviz, shelf, tmp_path):
    assert fails(routeviz("compare", tmp_path / "none"), "there is no")
    assert fails(routeviz("compare", tmp_path), "neither a route log (log.json) nor the folder of a run")
    assert fails(routeviz("compare", shelf / "dynamic", "--layers", "8"), "--layers cannot be given with networks")
    assert fails(routeviz("compare", shelf / "dynamic", "--architecture", "vgg"), "valid: fcn32s")
    assert fails(routeviz("compare", shelf / "dynamic", "--architecture", "auto_deeplab"), "needs 12 layers")
    assert fails(routeviz("compare", shelf / "released.pth"), "--small-gate or --full-gate")
    empty = shelf / "begun"
    empty.mkdir()
    (empty / "config.json").write_text((shelf / "dynamic" / "config.json").read_text())
    assert fails(routeviz("compare", empty), "has neither a checkpoint nor an evaluation yet")
    assert fails(routeviz("compare", shelf / "dynamic", shelf / "dynamic"), "two networks are called dynamic")
    other = RouteLog(GATES[:1], pd.DataFrame({"id": ["a"], "height": 64, "width": 64}), SPACE, {})
    other.save(tmp_path / "bare")
    assert fails(routeviz("compare", tmp_path / "bare"), "does not say which network it is of")


def test_sizes_that_differ_have_to_be_settled(routeviz, net, shelf, tmp_path):
    images = pd.DataFrame({"id": ["a"], "height": 64, "width": 64})
    RouteLog(GATES[:1], images, net.space, {"network": net.config.to_dict()}).save(tmp_path / "square")
    inputs = ("compare", shelf / "a_log & more", tmp_path / "square")
    assert fails(routeviz(*inputs), "saw images of 32x64, 64x64: say with --image-size")
    assert routeviz(*inputs, "--image-size", "64x64").exit_code == 0
