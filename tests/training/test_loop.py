"""Whole runs of a few steps: what they learn, what they write, and that nothing that interrupts them shows."""

import shutil
from contextlib import suppress

import pytest
import torch

from routeviz.datasets import open_dataset
from routeviz.errors import InputError, RoutevizError
from routeviz.network import load_checkpoint
from routeviz.training import Budget, Evaluation, checkpoint_paths, evaluate, loop, read_metrics, runs, train


class KilledError(BaseException):
    """What a kill does, for the process it happens in: nothing that follows is done."""


def history(folder):
    """Everything that a run leaves behind, but for its clock."""
    metrics = [{name: value for name, value in line.items() if name != "seconds"} for line in read_metrics(folder)]
    checkpoints = {step: path.read_bytes() for step, path in checkpoint_paths(folder).items()}
    return metrics, checkpoints, torch.load(folder / "state.pt", weights_only=True)["learner"]


def assert_same(folder, reference):
    (metrics, checkpoints, state), (other_metrics, other_checkpoints, other_state) = map(history, (folder, reference))
    assert metrics == other_metrics
    assert checkpoints == other_checkpoints
    torch.testing.assert_close(state, other_state, rtol=0, atol=0)


@pytest.fixture(scope="module")
def reference(tmp_path_factory, config):
    """A run that nothing disturbed, only to be looked at."""
    folder = tmp_path_factory.mktemp("reference")
    train(config, folder)
    return folder


def test_run_folder_holds_what_it_should(reference, config):
    metrics = read_metrics(reference)
    assert [(line["kind"], line["step"]) for line in metrics] == [
        ("step", 1), ("step", 2), ("step", 3), ("step", 4), ("evaluation", 4),
        ("step", 5), ("step", 6), ("step", 7), ("step", 8), ("evaluation", 8),
    ]  # fmt: skip
    assert list(checkpoint_paths(reference)) == [3, 6, 8]
    rate = config.base_rate * config.batch_size / 8
    assert [line["rate"] for line in metrics if line["kind"] == "step"] == [
        rate * config.rate_factor(step) for step in range(8)
    ]
    assert all(line["loss"] == line["cross_entropy"] for line in metrics if line["kind"] == "step")
    seconds = [line["seconds"] for line in metrics]
    assert seconds == sorted(seconds)


def test_last_checkpoint_is_the_network_that_was_evaluated(reference, config):
    net = load_checkpoint(checkpoint_paths(reference)[8])
    assert net.config.class_names == open_dataset("scenes").class_names
    evaluation, line = (
        evaluate(net, open_dataset("scenes", **config.options), resize=config.resize),
        read_metrics(reference)[-1],
    )
    assert (evaluation.iou, evaluation.macs) == (line["iou"], line["macs"])
    # Not to the last bit: training computes channels last, a loaded network channels first.
    assert evaluation.expected_macs == pytest.approx(line["expected_macs"], rel=1e-6)


def test_network_learns(tmp_path, other):
    train(other(steps=40, batch_size=6, scale=(1, 1), crop=(32, 64), checkpoint_every=40, eval_every=40), tmp_path)
    losses = [line["loss"] for line in read_metrics(tmp_path) if line["kind"] == "step"]
    assert losses[-1] < 0.8 * losses[0]


def test_budget_lowers_the_expected_cost_from_its_start_on(tmp_path, other, reference):
    train(other(budget=Budget(50.0, 0.0)), tmp_path / "tight")
    raw, tight = (
        [line for line in read_metrics(folder) if line["kind"] == "step"] for folder in (reference, tmp_path / "tight")
    )
    assert [line["budget_loss"] for line in tight[:4]] == [0] * 4
    assert [line["loss"] for line in tight[:4]] == [line["loss"] for line in raw[:4]]
    assert tight[4]["budget_loss"] == pytest.approx(50 * tight[4]["expected_share"] ** 2)
    assert tight[7]["expected_share"] < raw[7]["expected_share"] - 0.01


def test_finished_run_is_resumed_to_its_evaluation(tmp_path, reference, config):
    shutil.copytree(reference, tmp_path / "run")
    evaluation = train(config, tmp_path / "run", resume=True)
    assert isinstance(evaluation, Evaluation)
    assert evaluation.miou == read_metrics(reference)[-1]["miou"]
    assert_same(tmp_path / "run", reference)


def test_resuming_where_nothing_is_yet_starts_at_the_beginning(tmp_path, config, reference):
    train(config, tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", reference)


@pytest.mark.slow
def test_run_killed_before_any_of_its_writes_goes_on_to_the_same_end(tmp_path, other, monkeypatch):
    smallest = {"layers": 3, "width": 2, "batch_size": 2, "options": {"length": 2, "size": [64, 64]}}
    config = other(steps=4, budget_start=0.25, checkpoint_every=2, eval_every=3, **smallest)
    owners = [(runs.RunFolder, "append"), (runs.RunFolder, "_write"), (loop, "save_checkpoint")]
    whole, killed = tmp_path / "whole", []

    def kept(write, *arguments, **settings):
        """Keep what a kill before this write would leave."""
        killed.append(tmp_path / str(len(killed)))
        if whole.exists():
            shutil.copytree(whole, killed[-1])
        write(*arguments, **settings)

    with monkeypatch.context() as patch:
        for owner, name in owners:
            write = getattr(owner, name)
            # A function, not a partial, so that it binds as the method that it stands for.
            patch.setattr(owner, name, lambda *a, write=write, **k: kept(write, *a, **k))
        train(config, whole)
    # Settings and metrics; four steps and two evaluations; two checkpoints and three states.
    assert len(killed) == 2 + 6 + 5
    for folder in killed:
        train(config, folder, resume=True)
        assert_same(folder, whole)


def test_branch_is_the_run_that_had_the_budget_from_the_beginning(tmp_path, other, reference):
    budget = other(budget=Budget(5.0, 0.1))
    train(budget, tmp_path / "whole")
    train(budget, tmp_path / "branch", branch=reference)
    assert_same(tmp_path / "branch", tmp_path / "whole")


def test_branch_can_itself_be_resumed_and_branched_from(tmp_path, other, reference, monkeypatch):
    train(other(budget=Budget(5.0, 0.1)), tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(loop.RunFolder, "save_state", lambda *_, **__: (_ for _ in ()).throw(KilledError))
        with suppress(KilledError):
            train(other(budget=Budget(5.0, 0.2)), tmp_path / "first", branch=reference)
    train(other(budget=Budget(5.0, 0.2)), tmp_path / "first", resume=True)
    train(other(budget=Budget(5.0, 0.1)), tmp_path / "second", branch=tmp_path / "first")
    assert_same(tmp_path / "second", tmp_path / "whole")


def test_architecture_is_trained_without_gates(tmp_path, other):
    train(other(architecture="unet", layers=8), tmp_path / "run")
    net = load_checkpoint(checkpoint_paths(tmp_path / "run")[8])
    assert net.config.fixed_gates is not None
    assert not any(".gate." in name for name in net.state_dict())
    step, figures = read_metrics(tmp_path / "run")[-2:]
    assert step["expected_share"] is None
    assert figures["expected_macs"] is None
    macs = figures["macs"]["conv"]
    assert macs["avg"] == macs["max"] == macs["min"] > 0


def test_unknown_architecture_is_refused_with_the_known_ones(tmp_path, other):
    with pytest.raises(InputError, match="unet"):
        train(other(architecture="vgg", layers=8), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_init_takes_over_what_fits_and_lists_what_does_not(tmp_path, config, other, reference, caplog):
    train(other(init=str(checkpoint_paths(reference)[8]), layers=5, seed=1, steps=1, warmup_steps=0), tmp_path / "run")
    assert any("decoder" not in record.getMessage() and "missing" in record.getMessage() for record in caplog.records)
    start = load_checkpoint(checkpoint_paths(reference)[8]).state_dict()
    end = load_checkpoint(checkpoint_paths(tmp_path / "run")[1]).state_dict()
    name = "stem.0.conv.weight"
    assert (end[name] - start[name]).norm() < 0.1 * start[name].norm()


def test_loss_that_is_no_longer_finite_ends_the_run(tmp_path, other):
    with pytest.raises(RoutevizError, match="try a base rate below"):
        train(other(base_rate=1e20, clip=1e20, warmup_steps=0), tmp_path / "run")


def test_run_that_is_there_is_refused_and_left_as_it_is(tmp_path, config, reference):
    shutil.copytree(reference, tmp_path / "run")
    with pytest.raises(InputError, match="already holds a run"):
        train(config, tmp_path / "run")
    assert_same(tmp_path / "run", reference)


def test_bfloat16_trains_too(tmp_path, other):
    evaluation = train(other(precision="bf16"), tmp_path / "run")
    assert evaluation.images == 6
