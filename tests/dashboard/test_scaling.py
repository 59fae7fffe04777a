"""Does it follow scale?, in Population: tests of a log, and one image at many sizes."""

import shutil

import numpy as np
import pandas as pd
import pytest

import routeviz as rv
from routeviz.dashboard import links, rescaling, scaling, state
from routeviz.routelog import RouteLog
from routeviz.stats import path_correlation, rescaled_paths, rescaled_routes, rescaled_verdict, route_correlation
from routeviz.tracing import trace_rescaled

QUESTION = "Does it follow scale?"


@pytest.fixture(scope="module")
def log(shelf_folder):
    """Twenty-four images whose first path that varies follows the size of objects, and a class of scale does too."""
    found = rv.load_log(shelf_folder / "logs" / "scenes")
    rng = np.random.default_rng(0)
    gates = np.repeat(found.gates, 4, axis=0)
    path = int(np.ptp(found.gates, axis=0).argmax())
    large = np.arange(24) % 2
    gates[:, path] = 0.2 + 0.5 * large + 0.01 * rng.random(24)
    images = pd.DataFrame(
        {
            "id": [f"{number:02}" for number in range(24)],
            "objects_median_area": 100 + 900 * large + rng.random(24),
            "scale_class": np.where(large, "large", "small"),
        }
    )
    return RouteLog(gates, images, found.space, found.source)


@pytest.fixture
def open_question(open_app):
    def run(*folders, ends=None, **address):
        app = open_app(*folders, **{state.QUESTION: QUESTION, state.SHUFFLES: "99", **address})
        if ends:
            app.session_state["rescaled_ends"] = ends
        app.switch_page(str(links.file_of("population"))).run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def said(app):
    return " ".join(item.value for kind in (app.markdown, app.caption, app.info) for item in kind).replace("\\", "")


def test_an_effect_is_shown_with_its_chance_and_its_counts(open_question, log, tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "MOST_PREDICTED", 29)
    log.save(tmp_path / "made")
    app = open_question(tmp_path / "made")
    paths = path_correlation(log, permutations=99)
    assert app.number_input(key=state.SHUFFLES).value == 99
    best = paths.loc[paths.r.abs().idxmax()]
    shown = app.dataframe[0].value.iloc[0]
    assert (shown["path"], shown["fact"]) == (best.value, "objects_median_area")
    assert shown[["r", "low", "high", "p", "corrected"]].tolist() == pytest.approx(
        best[["r", "low", "high", "p", "p_corrected"]].tolist()
    )
    assert "**Each of" in said(app)
    assert "An effect beyond chance" in said(app)
    assert "24 images, 99 shuffles, 999 resamples" in said(app)
    assert "From activations of all paths: 100.0% right. The route tells more than chance" in said(app)
    assert "with the classes shuffled among the images, 29 times" in said(app)
    assert app.table[0].value.to_numpy().tolist() == [[12, 0], [0, 12]]
    whole = route_correlation(log, permutations=99)
    assert app.dataframe[1].value["r"].tolist() == pytest.approx(whole["r"].tolist())


def test_no_effect_is_called_no_effect(open_question, log, tmp_path):
    images = log.images.assign(objects_median_area=np.random.default_rng(1).random(24)).drop(columns="scale_class")
    RouteLog(log.gates, images, log.space, log.source).save(tmp_path / "made")
    app = open_question(tmp_path / "made", film="true")
    assert said(app).count("No effect beyond chance") == 2
    assert "23 shifts of the film" in said(app)
    assert "No class of scale is known" in said(app)


def test_frames_of_a_film_are_told_where_they_look_like_it(open_question, log, tmp_path):
    images = log.images.assign(objects_median_area=np.arange(24.0)).drop(columns="scale_class")
    RouteLog(log.gates, images, log.space, log.source).save(tmp_path / "made")
    assert "Neighbouring images are alike" in open_question(tmp_path / "made").warning[0].value
    assert not open_question(tmp_path / "made", film="true").warning


def test_a_log_without_labels_says_what_is_missing(open_question, log, tmp_path):
    RouteLog(log.gates, log.images[["id"]], log.space, log.source).save(tmp_path / "made")
    assert "knows nothing of the scale of objects; trace labelled images" in said(open_question(tmp_path / "made"))


def test_what_a_link_asks_for_and_is_not_here_is_told(open_question, log, tmp_path):
    RouteLog(log.gates, log.images[["id"]], log.space, log.source).save(tmp_path / "made")
    app = open_question(tmp_path / "made", shuffles="5", film="maybe", sizes="all")
    told = " ".join(item.value for item in app.warning)
    assert "the number of shuffles 5, which is no number from 99 to 9,999; it is left out" in told
    assert "the order of a film maybe, which is neither true nor false" in told
    assert "the run at many sizes all, which is neither true nor false" in told
    assert app.number_input(key=state.SHUFFLES).value == 999


def test_one_image_is_shown_at_every_size(open_question, shelf_folder):
    app = open_question(shelf_folder, ends=(0.5, 1.0), sizes="true", image="val-00002")
    sample = rv.open_dataset("scenes", length=6, size=(64, 96))[2]
    net = rv.load_checkpoint(shelf_folder / "checkpoints" / "step-000010.safetensors")
    factors = [float(f"{factor:.6g}") for factor in np.geomspace(0.5, 1, 5)]
    routes = trace_rescaled(net, sample, factors)
    sizes = rescaled_routes(routes)
    slider = app.select_slider(key=state.FACTOR)
    assert slider.value == "1 times: 64x96"
    assert len(slider.options) == 5
    table = next(item.value for item in app.dataframe if "padding" in item.value)
    assert table["factor"].tolist() == factors
    assert table["open paths"].tolist() == sizes["open paths"].tolist()
    assert rescaled_verdict(sizes, rescaled_paths(routes)) in said(app)
    slider.set_value("0.5 times: 32x48").run()
    assert not app.exception
    assert app.select_slider(key=state.FACTOR).value == "0.5 times: 32x48"


def test_sizes_that_are_too_large_for_all_are_left_out(open_question, shelf_folder, monkeypatch):
    monkeypatch.setattr(rescaling, "MOST_PIXELS", 64 * 96)
    app = open_question(shelf_folder, sizes="true")
    slider = app.select_slider(key=state.FACTOR)
    assert (len(slider.options), slider.options[0], slider.options[-1]) == (9, "0.25 times: 16x24", "1 times: 64x96")
    assert "are left out here" in said(app)
    monkeypatch.setattr(rescaling, "MOST_PIXELS", 100)
    assert "no two of these sizes" in said(app.run())


def test_without_the_checkpoint_nothing_is_run(open_question, shelf_folder, tmp_path):
    shutil.copytree(shelf_folder / "logs", tmp_path / "logs")
    assert "the checkpoint step-000010.safetensors is in none" in said(open_question(tmp_path / "logs", sizes="true"))
