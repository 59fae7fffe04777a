"""What does it cost?, in Population: starved cells, and the same images without them."""

import json
import shlex
import shutil

import numpy as np
import pytest
import torch

import routeviz as rv
from routeviz.costs import image_blind_macs, macs_by_part, starved_macs
from routeviz.counterfactual import without_starved
from routeviz.dashboard import links, starving, state
from routeviz.dashboard.words import percent, short
from routeviz.routelog import RouteLog

QUESTION = "What does it cost?"
SIZE = (64, 64)


@pytest.fixture(scope="module")
def starved_folder(tmp_path_factory):
    """A checkpoint with starved cells, and the log of its routes on five scenes."""
    torch.manual_seed(3)
    net = rv.RoutingNetwork(rv.NetworkConfig(layers=4, width=4, num_classes=7, stem_width=4))
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.weight, std=0.02)
        torch.nn.init.normal_(cell.gate.score.bias, 0.1, 0.5)
    folder = tmp_path_factory.mktemp("starved")
    rv.save_checkpoint(net, folder / "net.safetensors")
    scenes = rv.open_dataset("scenes", length=5, size=SIZE)
    rv.trace(rv.load_checkpoint(folder / "net.safetensors"), scenes, out=folder / "log", workers=0)
    return folder


@pytest.fixture(scope="module")
def log(starved_folder):
    return rv.load_log(starved_folder / "log")


@pytest.fixture
def open_question(open_app):
    def run(*folders, **address):
        app = open_app(*folders, **{state.QUESTION: QUESTION, **address})
        app.switch_page(str(links.file_of("population"))).run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def said(app):
    return " ".join(item.value for kind in (app.markdown, app.caption, app.info) for item in kind).replace("\\", "")


def tables(app):
    return [table.value for table in app.table]


@pytest.mark.parametrize("convention", ["conv", "released"])
def test_a_log_tells_what_starved_cells_cost(open_question, starved_folder, log, convention):
    net, how = rv.load_checkpoint(starved_folder / "net.safetensors"), {"convention": convention}
    app = open_question(starved_folder, macs=convention)
    parts = macs_by_part(net, log.gates, SIZE, **how).mean()
    starved, blind = (one(net, log.gates, SIZE, **how).mean() for one in (starved_macs, image_blind_macs))
    assert starved > 0
    kinds, cells = tables(app)
    assert kinds["MACs"].tolist() == [*map(short, parts), short(parts.sum())]
    assert kinds.loc["all", ["in starved cells", "in cells that only they feed"]].tolist() == [
        short(starved),
        short(blind - starved),
    ]
    assert f"{percent(starved / parts.sum())} of it, {short(starved)}, goes into" in said(app)
    often = dict(zip(log.space.cell_names, log.states.starved.mean(axis=0), strict=True))
    assert dict(cells[["cell", "starved in"]].to_numpy()) == {
        name: percent(share) for name, share in often.items() if share
    }
    worst = starved_macs(net, log.gates, SIZE, **how).argmax()
    assert f"The route of {log.images['id'][worst]}, the image that spends most" in said(app)


def test_the_costs_are_those_of_the_images_that_pass(open_question, starved_folder, log):
    id_ = log.images["id"][2]
    app = open_question(starved_folder, filter=f"id has {id_}")
    assert f"An image costs {short(log.images['macs_conv'][2])} MACs" in said(app)
    assert "Mean of 1 image, counted at 64 × 64" in said(app)


def test_images_are_run_without_starved_cells(open_question, starved_folder, monkeypatch):
    app = open_question(starved_folder)
    assert not app.metric
    app.toggle(key=state.WITHOUT).set_value(True).run()
    assert not app.exception, app.exception[0].message
    net, scenes = rv.load_checkpoint(starved_folder / "net.safetensors"), rv.open_dataset("scenes", length=5, size=SIZE)
    wanted = without_starved(net, scenes).summary()
    metrics = {metric.label: metric for metric in app.metric}
    assert metrics["changed pixels"].value == percent(wanted["changed"])
    assert metrics["KL divergence, nats"].value == f"{wanted['kl']:.3g}"
    assert metrics["mIoU of these images"].value == percent(wanted["miou_without"])
    assert metrics["MACs (conv)"].value == short(wanted["macs_conv_without"])
    assert metrics["MACs (conv)"].delta == f"{100 * (wanted['macs_conv_without'] / wanted['macs_conv'] - 1):+.2f}%"
    monkeypatch.setattr(starving, "MOST_RUN", 2)
    assert "2 of the 5 images that pass, evenly spread" in said(app.run())
    ends = [scenes[0], scenes[4]]
    changed = np.mean([without_starved(net, Few([one], scenes)).images.changed[0] for one in ends])
    assert {metric.label: metric for metric in app.metric}["changed pixels"].value == percent(changed)


class Few(list):
    """Some samples as a dataset of the classes of another."""

    def __init__(self, samples, other):
        super().__init__(samples)
        self.class_names, self.ignore_index = other.class_names, other.ignore_index


def test_the_command_does_the_same_for_the_whole_log(open_question, starved_folder, routeviz):
    app = open_question(starved_folder, without="true")
    words = shlex.split(app.code[0].value)
    assert words[0] == "routeviz"
    found = json.loads(routeviz(*words[1:], "--json").stdout)["without_starved"]
    assert {metric.label: metric for metric in app.metric}["changed pixels"].value == percent(found["changed"])


def test_where_nothing_is_starved_nothing_is_run(open_question, log, tmp_path):
    RouteLog(np.ones_like(log.gates), log.images, log.space, log.source).save(tmp_path / "open")
    app = open_question(tmp_path / "open")
    assert "No cell is starved in any image: every cell that runs was sent something." in said(app)
    assert not app.toggle


def test_what_cannot_be_counted_or_run_says_why(open_question, starved_folder, log, tmp_path):
    shutil.copytree(starved_folder / "log", tmp_path / "alone" / "log")
    assert "is in none of the folders given" in said(open_question(tmp_path / "alone", without="true"))
    route = {"activations": [None] * log.space.n_paths, "name": "mine"}
    forced = log.source | {"settings": {**log.source["settings"], "route": route}}
    RouteLog(log.gates, log.images, log.space, forced).save(tmp_path / "forced")
    app = open_question(tmp_path / "forced", starved_folder, source="forced (log)", without="true")
    assert "The routes of this log were forced" in said(app)
    bare = {name: value for name, value in log.source.items() if name != "network"}
    RouteLog(log.gates, log.images, log.space, bare).save(tmp_path / "bare")
    assert "this log does not hold them" in said(open_question(tmp_path / "bare"))


def test_the_sentence_says_what_was_found():
    change = {"changed": 0.025, "kl": 0.1, "macs_conv": 100.0, "macs_conv_without": 98.0}
    apart = {"value": -0.008, "low": -0.01, "high": -0.006, "error": 0.001}
    assert starving.effect(change | {"miou_difference": apart}, "conv") == (
        "Without them 2.5% of the pixels change class; 2.0% of the MACs (conv) are saved. mIoU falls beyond chance "
        "(-1.00 to -0.60 points, 95 %)."
    )
    wide = change | {"miou_difference": apart | {"high": 0.1}}
    assert "mIoU does not change beyond chance" in starving.effect(wide, "conv")
    assert "takes two labelled images" in starving.effect(change | {"miou_difference": None}, "conv")
    nothing = {"changed": 0, "kl": 0, "miou_difference": None}
    said = starving.effect(change | nothing, "conv")
    assert said == "Without them nothing changes but the cost: 2.0% of the MACs (conv) are saved."
