"""The figures of a paper: what each needs, and what a network adds to them."""

import numpy as np
import pandas as pd
import pytest
import torch

import routeviz as rv
from routeviz.plots import networks
from routeviz.plots.catalogue import FIGURES, Material, Pictures
from routeviz.plots.sheet import Picture, Sheet

TRAINING = {"accuracy", "training_activations", "training_budget"}


@pytest.fixture(scope="module")
def traced():
    """A tiny network and its log over six scenes."""
    scenes = rv.open_dataset("scenes", length=6, size=(64, 96))
    torch.manual_seed(1)
    net = rv.RoutingNetwork(
        rv.NetworkConfig(layers=4, width=4, stem_width=4, num_classes=7, class_names=scenes.class_names)
    ).eval()
    return net, scenes, rv.trace(net, scenes, workers=0)


def test_a_log_alone_gives_all_but_the_figures_of_training_and_importance(make_log):
    material = Material(log=make_log())
    left = {}
    for name, figure in FIGURES.items():
        try:
            assert isinstance(figure.describe(material), Sheet), name
        except rv.InputError as error:
            left[name] = str(error)
    assert "chooses among paths side by side" in left.pop("experts")
    assert set(left) == TRAINING | {"importance"}
    assert all("run" in reason and "\n" not in reason for reason in left.values())


def test_runs_give_the_figures_of_training(make_log):
    log = make_log()
    macs = {"conv": {"avg": 3e6}, "released": {"avg": 4e6}}
    line = {"kind": "evaluation", "step": 1, "miou": 0.5, "macs": macs, "expected_macs": 1e6}
    unfinished = [{"kind": "step", "step": 1}]
    material = Material(log=log, runs={"a": [line], "b": unfinished}, steps=lambda: {1: log, 2: log})
    for name in TRAINING:
        assert FIGURES[name].describe(material).table().size, name
    assert FIGURES["accuracy"].describe(material).table()[["name", "macs", "miou"]].to_numpy().tolist() == [
        ["a", 3e6, 0.5]
    ]


def test_importance_is_drawn_where_it_was_measured(make_log):
    log = make_log()
    table = pd.DataFrame({"path": log.space.path_names, "open": 1.0, "changed": 0.1, "flagged": True})
    sheet = FIGURES["importance"].describe(Material(log=log, importance=lambda: table))
    assert next(sheet.panels).title == "Closing each path alone, 12 images"
    assert sheet.table() is table


def test_experts_are_drawn_by_the_column_that_names_a_class_or_by_none():
    gates = np.tile(np.eye(3, dtype=np.float32), (4, 2))
    facts = pd.DataFrame(
        {"id": [f"row {at}" for at in range(12)], "kind": ["a", "b", None] * 4, "digit": list("ab") * 6}
    )
    titles = []
    for columns in (["id", "kind", "digit"], ["id", "kind"]):
        log = rv.RouteLog(gates, facts[columns], rv.experts_space(2, 3))
        titles.append([panel.title for panel in FIGURES["experts"].describe(Material(log=log)).panels])
    together = "Open together (lift: 1 by chance)"
    assert titles[0][1:] == ["layer 0", "layer 1", together]
    assert titles[1][1:] == [together]


def test_several_logs_stand_beside_each_other(make_log):
    material = Material(log=make_log(), name="one", others={"two": make_log(seed=1)})
    assert [panel.title.split(" (")[0] for panel in FIGURES["activations"].describe(material).panels] == ["one", "two"]
    assert FIGURES["similarity"].describe(material).table().group.tolist() == ["one", "two"]
    assert set(FIGURES["macs"].describe(material).table().log) == {"one", "two"}


def test_a_route_stands_below_its_pictures(traced):
    net, scenes, log = traced
    pictures = Pictures(
        sample=lambda id_: scenes[scenes.ids.index(id_)],
        segment=lambda image: networks.segment(net, image),
        class_names=scenes.class_names,
        class_colors=scenes.class_colors,
    )
    sheet = FIGURES["route"].describe(Material(log=log, pictures=pictures, image=scenes.ids[2]))
    image, label, prediction, lattice = sheet.panels
    assert lattice.title == scenes.ids[2]
    shown = [mark.pixels for panel in (image, label, prediction) for mark in panel.marks if isinstance(mark, Picture)]
    np.testing.assert_array_equal(shown[0], scenes[2].image)
    np.testing.assert_array_equal(shown[1], np.array(scenes.class_colors, np.uint8)[scenes[2].label])
    with pytest.raises(rv.InputError, match="no image 'nobody'"):
        FIGURES["route"].describe(Material(log=log, image="nobody"))


def test_static_architectures_cost_in_the_figure_what_they_cost(traced):
    net, _, log = traced
    found = rv.static_macs(log)
    for route in rv.architectures(log.space).values():
        assert found[route.name] == rv.macs(net, route.activations[None], (64, 96), with_gates=False)[0]
    table = FIGURES["macs"].describe(Material(log=log)).table()
    assert dict(table[table.log == "static architecture"][["id", "macs"]].to_numpy()) == found


def test_a_segmentation_is_that_of_the_trace(traced):
    net, scenes, log = traced
    for row, sample in enumerate(scenes):
        prediction = networks.segment(net, sample.image)
        assert prediction.shape == sample.label.shape
        assert (prediction == sample.label)[sample.label != 255].mean() == pytest.approx(
            log.images["pixel_accuracy"][row]
        )
        if row == 1:
            break
    small = networks.segment(net, scenes[0].image, resize=(32, 48), route=np.zeros(net.space.n_paths))
    assert small.shape == (64, 96)


def test_a_few_images_are_followed_along_a_run(traced, tmp_path):
    net, scenes, log = traced
    paths = {step: tmp_path / f"step-{step:06d}.safetensors" for step in (10, 20, 30)}
    for step, path in paths.items():
        rv.save_checkpoint(net, path, step=step)
    logs = networks.trace_steps(paths, scenes, images=3, most=2)
    assert list(logs) == [10, 30]
    assert [one.images["id"].tolist() for one in logs.values()] == [[scenes.ids[row] for row in (0, 2, 5)]] * 2
    np.testing.assert_allclose(logs[10].gates[1], log.gates[2], atol=1e-5)


def test_items_are_spread_evenly():
    assert networks.spread(range(5), 8) == [0, 1, 2, 3, 4]
    assert networks.spread(range(100), 3) == [0, 50, 99]
    assert networks.spread([7], 1) == [7]
    assert networks.spread([7, 9], 1) == [7]
