import json
import shutil

import pytest

from routeviz.training import Budget, TrainConfig, read_config, read_metrics

SMALL = (
    *("--dataset", "scenes", "--option", "length=4", "--option", "size=[64,64]", "--resize", "32x64"),
    *("--layers", "4", "--width", "4", "--stem-width", "4", "--batch-size", "2", "--steps", "4"),
    *("--checkpoint-every", "2", "--log-every", "1", "--device", "cpu"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run by the command line, only to be looked at."""
    from click.testing import CliRunner

    from routeviz.cli.main import cli

    folder = tmp_path_factory.mktemp("run")
    result = CliRunner().invoke(cli, ["train", *SMALL, "--out", str(folder)], catch_exceptions=False)
    return folder, result


def test_run_ends_with_its_figures_and_the_next_command(run):
    folder, result = run
    assert result.exit_code == 0
    for word in ("mIoU", "IoU ground", "released", "expected (what a budget steers)"):
        assert word in result.stdout
    last = folder / "checkpoints" / "step-000004.safetensors"
    assert f"routeviz trace {last} --dataset scenes" in result.stdout
    assert "100%" in result.stderr


def test_options_become_settings_and_the_crop_is_the_images_size(run):
    assert read_config(run[0]) == TrainConfig(
        dataset="scenes",
        options={"length": 4, "size": [64, 64]},
        resize=(32, 64),
        crop=(32, 64),
        layers=4,
        width=4,
        stem_width=4,
        batch_size=2,
        steps=4,
        checkpoint_every=2,
        log_every=1,
    )


def test_resumed_run_needs_no_settings_and_json_is_one_object(run, tmp_path, routeviz):
    shutil.copytree(run[0], tmp_path / "run")
    result = routeviz("train", "--resume", "--out", tmp_path / "run", "--json")
    figures = json.loads(result.stdout)
    assert figures["miou"] == read_metrics(run[0])[-1]["miou"]
    assert figures["checkpoint"].endswith("step-000004.safetensors")


def test_resuming_with_another_setting_names_it(run, routeviz):
    result = routeviz("train", "--resume", "--out", run[0], "--steps", 5)
    assert result.exit_code == 2
    assert "steps 5, was 4" in result.stderr


def test_branch_with_a_budget_goes_on_where_it_starts(run, tmp_path, routeviz):
    result = routeviz("train", *SMALL, "--budget", 5, 0.1, "--branch", run[0], "--out", tmp_path / "b")
    assert result.exit_code == 0
    assert read_config(tmp_path / "b").budget == Budget(5.0, 0.1)
    shared, rest = (2, 2)  # 40% of 4 steps are 2
    budgets = [line["budget_loss"] for line in read_metrics(tmp_path / "b") if line["kind"] == "step"]
    assert budgets[:shared] == [0] * shared
    assert all(value > 0 for value in budgets[-rest:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "4"], "--dataset is missing"),
        (["--resume"], "holds no run to go on with"),
        ([*SMALL[:-2], "--device", "abacus"], "no device 'abacus' here: choose auto"),
        (["--dataset", "camvid"], "needs the folder"),
        (["--dataset", "pictures"], "there is no dataset 'pictures'"),
        ([*SMALL, "--budget", "0.5", "7"], "target in [0, 1]"),
        ([*SMALL, "--layers", "8", "--architecture", "vgg"], "valid: fcn32s"),
        ([*SMALL, "--warmup-steps", "9"], "give 0 to 4"),
        ([*SMALL, "--crop", "32"], "HEIGHTxWIDTH"),
        ([*SMALL, "--width", "3"], "width 3"),
        ([*SMALL, "--eval-split", "nightly"], "no split 'nightly'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(tmp_path, routeviz, arguments, message):
    result = routeviz("train", *arguments, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()
