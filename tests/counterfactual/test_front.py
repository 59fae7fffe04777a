"""A front's points are settings of one network: what is written is what was swept."""

import json
import shutil

import numpy as np
import pytest
import torch

from routeviz.bundled import bundled_data
from routeviz.costs import macs
from routeviz.counterfactual import budget_front, load_front, sweep
from routeviz.counterfactual.closing import close_each
from routeviz.datasets import Scenes, open_dataset
from routeviz.errors import DatasetError, InputError, LogError
from routeviz.metrics import ClassCounts, confusion
from routeviz.network import (
    NetworkConfig,
    RoutingNetwork,
    fixed_network,
    load_checkpoint,
    save_checkpoint,
    thresholded_network,
)
from routeviz.routelog import load_log
from routeviz.space import OPEN_THRESHOLD, architectures

SETTINGS = {"rounds": 2, "share": 0.1, "rank_images": 2, "workers": 0, "batch_size": 1}


@pytest.fixture(scope="module")
def net(make_net):
    return make_net(0.6, 0.4, layers=4, num_classes=7)


@pytest.fixture(scope="module")
def scenes():
    return open_dataset("scenes", length=3, size=(64, 64))


@pytest.fixture(scope="module")
def made(net, scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("front")
    other = thresholded_network(net, 0.4)
    return budget_front(net, scenes, out=folder, thresholds=(0.2, 0.6), others={"other": other}, **SETTINGS), folder


@torch.inference_mode()
def run(net, sample):
    output = net(net.preprocess(sample.image)[None])
    return output.logits[0].numpy(), output.gates[0].numpy()


def test_the_written_network_is_the_swept_one(net, scenes, made, tmp_path):
    front, folder = made
    assert [*front.thresholds] == ["as-trained", "threshold-0.2", "threshold-0.6", "greedy-01", "greedy-02"]
    for name in front.thresholds:
        save_checkpoint(front.network(net, name), tmp_path / f"{name}.safetensors")
        written, log = load_checkpoint(tmp_path / f"{name}.safetensors"), load_log(folder / "points" / name)
        swept = thresholded_network(net, front.thresholds[name])
        row = front.points.set_index("name").loc[name]
        found, costs = [], []
        for index, sample in enumerate(scenes):
            (logits, gates), (wanted, same) = run(written, sample), run(swept, sample)
            np.testing.assert_array_equal(logits, wanted)
            np.testing.assert_array_equal(gates, same)
            np.testing.assert_allclose(gates, log.gates[index], atol=1e-6)
            costs.append(int(macs(written, gates[None], sample.image.shape[:2])[0]))
            found.append(confusion(sample.label, logits.argmax(axis=0), 7, scenes.ignore_index))
        assert log.facts("macs_conv").macs_conv.tolist() == costs
        assert row.macs_conv == np.mean(costs)
        assert row.miou == ClassCounts.of(np.array(found)).miou
        assert row.miou_low <= row.miou <= row.miou_high


def test_points_shut_more_and_cost_less(made):
    front, _ = made
    points = front.points.set_index("name")
    assert points.difference["as-trained"] == 0
    for kind in ("threshold", "greedy"):
        chosen = points[points.kind.isin(("trained", kind))]
        assert (np.diff(chosen.open) < 0).all()
        assert (np.diff(chosen.macs_conv) < 0).all()
    assert points.macs_conv["other"] < points.macs_conv["as-trained"]
    table = front.table()
    assert not table.efficient[table.kind == "other"].any()
    best = table[table.efficient]
    assert (np.diff(best.macs_conv) < 0).all()
    assert (np.diff(best.miou) < 0).all()
    assert front.verdict()


def test_a_greedy_round_closes_what_does_least_for_what_it_saves(net, scenes, made):
    front, folder = made
    rounds = json.loads((folder / "front.json").read_text())["rounds"]
    closings = [close_each(net, net.preprocess(scenes[index].image)) for index in (0, 2)]
    kl = np.mean([one.kl for one in closings], axis=0)
    saved = np.mean([one.macs["conv"][0] - one.macs["conv"][1:] for one in closings], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(np.where(saved > 0, kl / saved, np.inf), kind="stable")
    chosen = [one["path"] for one in rounds[0]]
    assert chosen == order[: len(chosen)].tolist()
    goal = 0.1 * front.points.macs_conv[0]
    assert saved[chosen].sum() >= goal > saved[chosen[:-1]].sum()
    setting = np.array(front.thresholds["greedy-01"])
    assert np.flatnonzero(setting == 1).tolist() == sorted(chosen)
    assert (setting[setting < 1] == OPEN_THRESHOLD).all()


def test_stopped_it_goes_on_and_comes_to_the_same(net, scenes, made, tmp_path, monkeypatch):
    front, _ = made
    calls = []

    def dies(*arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return sweep_record(*arguments, **options)

    sweep_record = sweep.record
    monkeypatch.setattr(sweep, "record", dies)
    others = {"other": thresholded_network(net, 0.4)}
    with pytest.raises(KeyboardInterrupt):
        budget_front(net, scenes, out=tmp_path, thresholds=(0.2, 0.6), others=others, **SETTINGS)
    assert len(load_front(tmp_path).points) == 3
    again = budget_front(net, scenes, out=tmp_path, thresholds=(0.2, 0.6), others=others, **SETTINGS)
    assert again.points.equals(front.points)
    more = budget_front(net, scenes, out=tmp_path, thresholds=(0.3,), **SETTINGS)
    assert more.points.name.tolist() == [*front.points.name, "threshold-0.3"]


def test_rounds_are_added_to_a_front_without(net, scenes, made, tmp_path):
    front, _ = made
    budget_front(net, scenes, out=tmp_path, thresholds=(), rounds=0, rank_on=open_dataset("scenes", length=1))
    more = budget_front(net, scenes, out=tmp_path, thresholds=(), **SETTINGS)
    assert more.points.name.tolist() == ["as-trained", "greedy-01", "greedy-02"]
    assert more.thresholds["greedy-02"] == front.thresholds["greedy-02"]
    assert load_front(tmp_path).settings == front.settings


class Unreadable(Scenes):
    def __getitem__(self, index):
        raise OSError("gone")


def test_where_no_image_can_rank_paths_the_front_does_not_end_for_good(net, scenes, tmp_path):
    with pytest.raises(DatasetError, match="no image to rank paths on could be read"):
        budget_front(net, scenes, out=tmp_path, thresholds=(), rank_on=Unreadable(length=2), **SETTINGS)
    assert len(budget_front(net, scenes, out=tmp_path, thresholds=(), **SETTINGS).points) == 3


def test_another_setting_is_refused_and_a_damaged_file_named(net, scenes, made, tmp_path):
    front, folder = made
    with pytest.raises(LogError, match="a front of other settings: ranking"):
        budget_front(net, scenes, out=folder, **SETTINGS | {"share": 0.2})
    # Where no round is asked for, how paths were ranked is no matter.
    again = budget_front(net, scenes, out=folder, thresholds=(), rounds=0, rank_on=open_dataset("scenes", length=1))
    assert again.settings == front.settings
    other = RoutingNetwork(net.config).eval()
    with pytest.raises(InputError, match="other weights"):
        front.network(other, "greedy-01")
    with pytest.raises(InputError, match="no point 'greedy-9'"):
        front.network(net, "greedy-9")
    shutil.copy(folder / "front.json", tmp_path)
    (tmp_path / "front.json").write_text((tmp_path / "front.json").read_text()[:-40])
    with pytest.raises(InputError, match="cannot be read"):
        load_front(tmp_path)
    with pytest.raises(InputError, match="holds no front"):
        load_front(tmp_path / "nowhere")


def test_thresholds_that_make_different_networks_have_points_of_their_own():
    assert sweep.point_names((0.05, 1, 0.00015), 1) == [
        "as-trained",
        "threshold-0.00015",
        "threshold-0.05",
        "threshold-1",
        "greedy-01",
    ]
    near = sweep.point_names((0.3, 0.3000001, 0.1 + 0.2), 0)  # the last is 0.3 in a network's float32
    assert near == ["as-trained", "threshold-0.3", "threshold-0.3000001"]


def test_what_cannot_be_swept_is_refused(net, scenes, tmp_path):
    route = architectures(net.space)["fcn32s"]
    for given, options, words in (
        (net, {"thresholds": (0, 0.5)}, "give each above 0.0001"),
        (net, {"rounds": -1}, "rounds -1"),
        (fixed_network(net, route), {}, "a static network has no gates"),
        (net, {"others": {"greedy-01": net}}, "not the name of a point"),
    ):
        with pytest.raises(InputError, match=words):
            budget_front(given, scenes, out=tmp_path, **options)
    assert not list(tmp_path.iterdir())
    unlabelled = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=3, stem_width=4)).eval()
    with pytest.raises(InputError, match="cannot be scored"):
        budget_front(unlabelled, scenes, out=tmp_path, **SETTINGS)


def test_a_network_whose_thresholds_are_raised_already_keeps_them(net, scenes, tmp_path):
    raised = np.full(net.space.n_paths, OPEN_THRESHOLD)
    raised[3] = 1
    front = budget_front(thresholded_network(net, raised.tolist()), scenes, out=tmp_path, thresholds=(0.3,), rounds=0)
    assert front.thresholds["threshold-0.3"] == tuple(np.maximum(raised, 0.3).tolist())


def test_the_bundled_front_is_of_the_bundled_checkpoint():
    run = bundled_data("checkpoints/camvid-budget-0.1")
    front, net = load_front(run / "front"), load_checkpoint(run / "checkpoints" / "step-005600.safetensors")
    assert front.network(net, "greedy-02").config.open_threshold == front.thresholds["greedy-02"]
    log = load_log(bundled_data("logs/camvid-budget-0.1"))
    assert front.points.macs_conv[0] == log.facts("macs_conv").macs_conv.mean()
