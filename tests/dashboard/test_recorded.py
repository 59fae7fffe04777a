"""Logs recorded from networks of other kinds, on the views that show them and on those that cannot."""

import json
import re

import pytest

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.dashboard import scaling, state
from routeviz.gated import NETWORKS

FOLDER = bundled_data("gated")


def address(name):
    return {state.SOURCE: f"gated/{name}/log (log)"}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_another_kind_is_inspected_with_its_own_facts(open_app, name):
    log = rv.load_log(FOLDER / name / "log")
    app = open_app(FOLDER, **address(name), **{state.SELECTED: log.space.path_names[0]})
    shown = {item.label: item.value for item in app.metric}
    first = log.images.iloc[0]
    assert shown["digit"] == first["digit"]
    assert shown["correct"] == str(first["correct"])
    assert "mIoU" not in shown
    macs = [item.value for item in app.metric if item.label == "MACs (conv)"]
    assert len(macs) == 2  # of the path that is chosen, and of the image
    drawings = [item for item in app.get("bidi_component") if item.proto.component_name == "routeviz_lattice"]
    assert len(drawings) == 1


@pytest.mark.parametrize(
    ("view", "said"), [("what_if", "only its own program runs"), ("architectures", "lattice of 4")]
)
def test_what_needs_the_routing_network_says_so(open_app, view, said):
    app = open_app(FOLDER, **address("convnet-aig"))
    app.switch_page(f"routeviz/dashboard/views/{view}.py").run()
    assert not app.exception
    assert any(said in item.value for item in app.info)


@pytest.mark.parametrize("name", ["msdnet", "moe"])
def test_its_population_is_filtered_by_the_names_of_its_paths(open_app, name):
    log = rv.load_log(FOLDER / name / "log")
    path = log.space.path_names[-1]
    app = open_app(FOLDER, **address(name), **{state.FILTER: [f"{path} open"]})
    app.switch_page("routeviz/dashboard/views/population.py").run()
    assert not app.exception
    n = int((log.gates[:, -1] > 1e-4).sum())
    assert any(f"**{n:,}** of" in item.value for item in app.markdown)


def test_a_text_that_one_image_lacks_is_a_dash_and_a_large_count_keeps_its_unit(open_app, tmp_path):
    log = rv.load_log(FOLDER / "skipnet" / "log")
    facts = log.images.assign(digit=[None, *log.images["digit"][1:]], correct=[1234, *log.images["correct"][1:]])
    rv.RouteLog(log.gates, facts, log.space, log.source).save(tmp_path / "log")
    app = open_app(tmp_path)
    shown = {item.label: item.value for item in app.metric}
    assert shown["digit"] == "—"
    assert shown["correct"] == "1.23 k"


def test_its_routes_are_held_against_its_own_facts_unless_its_rows_hang_together(open_app):
    few = {state.QUESTION: scaling.FACTS, state.FILTER: ["digit is 0 or 1"], state.SHUFFLES: "99"}
    app = open_app(FOLDER, **address("convnet-aig"), **few)
    app.switch_page("routeviz/dashboard/views/population.py").run()
    assert not app.exception
    n = int(rv.load_log(FOLDER / "convnet-aig" / "log").images["digit"].isin(["0", "1"]).sum())
    told = " ".join(item.value for item in (*app.markdown, *app.caption))
    assert f"{n} images, 99 shuffles" in told
    assert "that differ between images" in told
    assert app.selectbox(key=state.PREDICTED).value == "digit"
    assert "p 0.010" in told  # no shuffle tells zeros from ones as well as the route
    app = open_app(FOLDER, **address("moe"), **few)
    app.switch_page("routeviz/dashboard/views/population.py").run()
    assert any("which is not in the list here" in item.value for item in app.warning)


def test_groups_of_a_recorded_log_are_compared_by_any_of_its_classes(open_app):
    where = {"left_what": "a group", "left_where": "correct is 0", "right_what": "all tokens", state.ALIKE: "true"}
    app = open_app(FOLDER, **address("moe"), **where)
    app.switch_page("routeviz/dashboard/views/compare.py").run()
    assert not app.exception
    shown = {item.label: item.value for item in app.metric}
    facts = rv.load_log(FOLDER / "moe" / "log").images
    assert shown["correct: right"] == f"{facts['correct'].mean():.3g}"
    assert "mIoU: right" not in shown
    assert app.selectbox(key=state.ALIKE_BY).options == ["digit", "answer", "correct", "token"]


def test_images_of_a_classifier_are_compared_without_segmentations(open_app):
    app = open_app(FOLDER, **address("skipnet"))
    app.switch_page("routeviz/dashboard/views/compare.py").run()
    assert not app.exception
    (shown,) = [
        json.loads(item.proto.json)
        for item in app.get("bidi_component")
        if item.proto.component_name == "routeviz_figures"
    ]
    titles = [title for title in re.findall(r'"([^"]*: [a-z]+)"', json.dumps(shown))]
    assert [title.split(": ")[1] for title in titles] == ["image", "image"]


def test_weights_that_only_their_own_program_runs_are_not_offered(open_app):
    app = open_app(FOLDER, **address("skipnet"))
    (box,) = [box for box in app.selectbox if box.key == state.SOURCE]
    assert len(box.options) == len(list(FOLDER.glob("*/log")))
    assert not any("weights" in name for name in box.options)


def test_a_link_to_weights_that_only_their_own_program_runs_is_told_what_they_are(open_app):
    named = "gated/skipnet/weights.safetensors (checkpoint)"
    app = open_app(FOLDER, **{state.SOURCE: named})
    assert [box.value for box in app.selectbox if box.key == state.SOURCE] == [named]
    assert any("'SkipNet', a recorded network, which only its own program runs" in one.value for one in app.error)


def test_a_link_to_such_weights_as_a_checkpoint_to_run_is_told_what_they_are(open_app):
    named = "gated/skipnet/weights.safetensors"
    app = open_app(FOLDER, checkpoint=named, part="Run a checkpoint")
    app.switch_page("routeviz/dashboard/views/checkpoints.py").run()
    assert not app.exception
    (told,) = [item.value for item in app.warning if "weights" in item.value]
    assert "which holds the weights of a recorded network" in told
    assert "record its routes there" in told
    assert "not in the list" not in told
