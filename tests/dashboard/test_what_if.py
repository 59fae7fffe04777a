import dataclasses
import io
import shlex
import shutil

import numpy as np
import pytest
import streamlit as st
from PIL import EpsImagePlugin, Image

import routeviz as rv
from routeviz.counterfactual import ForcedRoute
from routeviz.dashboard import state
from routeviz.dashboard.forcing import ASK, SET, TURN, clicked


@pytest.fixture(scope="module")
def log(shelf_folder):
    return rv.load_log(shelf_folder / "logs" / "scenes")


@pytest.fixture(scope="module")
def net(shelf_folder):
    return rv.load_checkpoint(next((shelf_folder / "checkpoints").glob("*.safetensors")))


@pytest.fixture
def what_if(open_app, shelf_folder):
    """Open the view; keywords are parameters of the address."""

    def run(**address):
        app = open_app(shelf_folder, **address)
        app.switch_page("routeviz/dashboard/views/what_if.py").run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def metric(app, label):
    return next(item for item in app.metric if item.label == label)


def test_nothing_forced_changes_nothing(what_if, log):
    app = what_if()
    assert metric(app, "changed pixels").value == "0.0%"
    assert metric(app, "open paths").value == str(log.route(0).open.sum())
    assert metric(app, "mIoU").value == f"{100 * log.images['miou'][0]:.1f}%"
    assert all(not item.delta for item in app.metric)


def test_a_link_forces_what_it_names_and_the_numbers_are_those_of_a_rerun(what_if, net, log):
    app = what_if(forced="L1 s0=0; L2 s1 up=1", macs="fvcore", image="val-00003")
    assert app.text_input(key=state.FORCED).value == "L1 s0=0; L2 s1 up=1"
    dataset = rv.open_dataset("scenes", length=6, size=(64, 96))
    forced = ForcedRoute.from_text(net.space, "L1 s0=0; L2 s1 up=1")
    result = rv.rerun(net, dataset[3].image, forced, label=dataset[3].label, ignore_index=dataset.ignore_index)
    original, forced = result.macs("fvcore")
    assert metric(app, "changed pixels").value == f"{100 * result.changed.mean():.1f}%"
    assert metric(app, "mIoU").value == f"{100 * result.forced.miou:.1f}%"
    assert metric(app, "mIoU").delta == f"{100 * (result.forced.miou - result.original.miou):+.1f} points"
    assert metric(app, "MACs (fvcore)").delta == f"{100 * (forced - original) / original:+.2f}%"
    asked = result.paths[~result.paths["forced"]]
    assert f"{len(asked)} paths that are not forced changed their activation" in " ".join(
        item.value for item in app.caption
    )


def test_what_a_link_asks_for_and_is_not_here_is_told(what_if):
    app = what_if(force_to="1.5", importance="perhaps", gallery="TRUE")
    told = [item.value for item in app.warning]
    assert sum("the value 1.5, which is no number from 0 to 1; it is left out" in words for words in told) == 1
    assert sum("importance of paths perhaps, which is neither true nor false" in words for words in told) == 1
    assert len(told) == 2
    assert app.slider(key=state.FORCE_TO).value == 0.5
    assert what_if(force_to="0.35").slider(key=state.FORCE_TO).value == 0.35


def test_undo_redo_and_reset_walk_what_was_forced(what_if):
    app = what_if()

    def box():
        return app.text_input(key=state.FORCED)

    assert app.button(key="what_if_undo").disabled
    for text in ("L1 s0=0", "L1 s0=0; L2 s0=1"):
        box().set_value(text).run()
    app.button(key="what_if_undo").click().run()
    assert box().value == "L1 s0=0"
    app.button(key="what_if_undo").click().run()
    assert box().value == ""
    assert app.button(key="what_if_undo").disabled
    app.button(key="what_if_redo").click().run()
    app.button(key="what_if_redo").click().run()
    assert box().value == "L1 s0=0; L2 s0=1"
    app.button(key="what_if_reset").click().run()
    assert box().value == ""
    app.button(key="what_if_undo").click().run()
    assert box().value == "L1 s0=0; L2 s0=1"
    box().set_value("L3 s0=1").run()
    assert app.button(key="what_if_redo").disabled


def test_forcing_is_kept_from_image_to_image(what_if):
    app = what_if(forced="L1 s0=0")
    app.button(key="step_Next").click().run()
    assert app.selectbox(key=state.IMAGE).value == "val-00001"
    assert app.text_input(key=state.FORCED).value == "L1 s0=0"


@pytest.mark.parametrize("text", ["L99 s0=1", "L1 s0=7", "nonsense", "<script>=1"])
def test_what_cannot_be_forced_is_an_error_in_one_line_with_a_way_out(what_if, text):
    app = what_if(forced=text)
    assert len(app.error) == 1
    assert "\n" not in app.error[0].value
    next(button for button in app.button if button.label == "Force nothing").click().run()
    assert not app.error
    assert metric(app, "changed pixels").value == "0.0%"


def test_a_click_opens_shuts_sets_or_releases(net, monkeypatch):
    forced = ForcedRoute(net.space, {"L1 s0": 0})
    chosen = {state.CLICK: TURN, state.FORCE_TO: 0.3}
    monkeypatch.setattr(st, "session_state", chosen)
    assert clicked(forced, "L2 s0 keep", is_open=True).to_text() == "L1 s0=0; L2 s0 keep=0"
    assert clicked(forced, "L2 s0 keep", is_open=False).to_text() == "L1 s0=0; L2 s0 keep=1"
    chosen[state.CLICK] = SET
    assert clicked(forced, "L2 s0", is_open=False).to_text() == "L1 s0=0; L2 s0=0.3"
    chosen[state.CLICK] = ASK
    assert clicked(forced, "L1 s0 down", is_open=False).to_text() == "L1 s0 keep=0"


def test_closing_cells_is_told_in_words(what_if):
    app = what_if(forced="L0 s0=0")
    assert any("L0 s0" in item.value for item in app.info)


def test_the_command_sends_the_images_of_the_log_along_the_file(what_if, routeviz, net, log, tmp_path, monkeypatch):
    app = what_if(forced="L1 s0=0")
    command = next(item.value for item in app.code if item.value.startswith("routeviz trace"))
    monkeypatch.chdir(tmp_path)
    ForcedRoute.from_text(net.space, "L1 s0=0").save(tmp_path / "forced-val-00000.json")
    result = routeviz(*shlex.split(command)[1:])
    assert result.exit_code == 0, result.stderr
    forced = rv.load_log(tmp_path / "forced-log")
    assert forced.images["id"].tolist() == log.images["id"].tolist()
    assert forced.images["height"].tolist() == log.images["height"].tolist()
    assert (forced.gates[:, net.space.paths_named("L1 s0")] == 0).all()


def test_an_image_of_ones_own_is_segmented_without_a_label(what_if):
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)).save(picture, "PNG")
    app = what_if(forced="L1 s0=0")
    app.file_uploader(key="what_if_upload").set_value([("mine<b>.png", picture.getvalue(), "image/png")]).run()
    assert not app.exception
    assert any("seen by the network at 64 × 96" in item.value for item in app.markdown)
    assert metric(app, "mIoU").value == "—"
    assert metric(app, "changed pixels").value.endswith("%")
    assert app.text_input(key=state.FORCED).value == "L1 s0=0"


def test_a_file_that_is_no_image_is_an_error_in_one_line(what_if):
    app = what_if()
    app.file_uploader(key="what_if_upload").set_value([("broken.png", b"nothing", "image/png")]).run()
    assert "cannot read" in app.error[0].value


def test_an_upload_starts_no_program_whatever_it_is_called(what_if, monkeypatch):
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\nshowpage\n%%EOF\n"
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: started.append(True))
    app = what_if()
    app.file_uploader(key="what_if_upload").set_value([("drawing.png", page, "image/png")]).run()
    assert "cannot read drawing" in app.error[0].value
    assert started == []
    assert not app.exception


def test_a_log_without_its_checkpoint_says_what_to_do(open_app, shelf_folder, tmp_path):
    shutil.copytree(shelf_folder / "logs", tmp_path / "logs")
    app = open_app(tmp_path)
    app.switch_page("routeviz/dashboard/views/what_if.py").run()
    assert not app.exception
    assert any("checkpoint" in item.value for item in app.info)


def test_importance_ranks_the_paths_of_the_image(what_if, net):
    app = what_if(importance="true", image="val-00003")
    dataset = rv.open_dataset("scenes", length=6, size=(64, 96))
    found = rv.importance(net, dataset, images=["val-00003"], workers=0)
    shown = next(frame.value for frame in app.dataframe if "KL, nats" in frame.value)
    wanted = found.table().query("open > 0").sort_values("changed_open", ascending=False, kind="stable")
    assert shown["path"].tolist() == wanted["path"].tolist()
    np.testing.assert_allclose(shown["changed pixels"], 100 * wanted["changed_open"])
    assert any("paths are flagged" in item.value for item in app.caption)


def test_what_importance_kept_is_shown_over_all_images(open_app, shelf_folder, net, tmp_path):
    found = rv.importance(net, rv.open_dataset("scenes", length=6, size=(64, 96)), out=tmp_path / "kept", workers=0)
    app = open_app(tmp_path, shelf_folder / "checkpoints", importance="true", over="all images", ranked="KL")
    app.switch_page("routeviz/dashboard/views/what_if.py").run()
    assert not app.exception, app.exception[0].message
    shown = next(frame.value for frame in app.dataframe if "KL, nats" in frame.value)
    wanted = found.table().query("open > 0").sort_values("kl_open", ascending=False, kind="stable")
    np.testing.assert_allclose(shown["KL, nats"], wanted["kl_open"])


def test_importance_says_where_no_pixel_is_labelled(open_app, shelf_folder, net, tmp_path, monkeypatch):
    dataset = rv.open_dataset("scenes", length=6, size=(64, 96))
    labelled = type(dataset).__getitem__

    def unlabelled(self, index):
        sample = labelled(self, index)
        return dataclasses.replace(sample, label=np.full_like(sample.label, dataset.ignore_index))

    with monkeypatch.context() as patched:
        patched.setattr(type(dataset), "__getitem__", unlabelled)
        rv.importance(net, dataset, out=tmp_path / "kept", workers=0)
    app = open_app(tmp_path, shelf_folder / "checkpoints", importance="true", ranked="mIoU")
    app.switch_page("routeviz/dashboard/views/what_if.py").run()
    assert not app.exception, app.exception[0].message
    assert any("there is no mIoU" in item.value for item in app.info)
    app.segmented_control(key=state.RANKED).set_value("changed pixels").run()
    assert any("paths are flagged" in item.value and "mIoU" not in item.value for item in app.caption)
