import json
import shutil

import numpy as np
import pytest

import routeviz as rv
from routeviz.dashboard import caches, running, state

LOG = "logs/scenes (log)"


@pytest.fixture(scope="module")
def log(shelf_folder):
    return rv.load_log(shelf_folder / "logs" / "scenes")


def metric(app, label):
    return next(item.value for item in app.metric if item.label == label)


def source(folder, name=LOG):
    return f"{folder.name}/{name}"


def sent_to(app, name):
    """What the last run handed to a component."""
    return next(item for item in app.get("bidi_component") if item.proto.component_name == name)


def test_the_first_image_of_the_log_is_shown_with_its_numbers(open_app, shelf_folder, log):
    app = open_app(shelf_folder)
    assert app.selectbox(key=state.SOURCE).value == source(shelf_folder)
    assert app.selectbox(key=state.IMAGE).value == log.images["id"][0]
    assert metric(app, "mIoU") == f"{100 * log.images['miou'][0]:.1f}%"
    assert metric(app, "open paths") == str(log.route(0).open.sum())
    assert metric(app, "MACs (conv)").endswith(("k", "M"))


def test_a_log_whose_pictures_are_at_hand_is_shown_first(open_app, tmp_path, log):
    facts, data = log.images, log.source["dataset"]
    elsewhere = rv.RouteLog(log.gates, facts, log.space, log.source | {"dataset": data | {"name": "camvid"}})
    elsewhere.save(tmp_path / "a")
    log.save(tmp_path / "b")
    assert open_app(tmp_path).selectbox(key=state.SOURCE).value == source(tmp_path, "b (log)")
    shutil.rmtree(tmp_path / "b")
    elsewhere.save(tmp_path / "c")
    assert open_app(tmp_path).selectbox(key=state.SOURCE).value == source(tmp_path, "a (log)")


def test_a_link_shows_the_image_the_path_and_the_convention_that_it_names(open_app, shelf_folder, log):
    id_ = log.images["id"][3]
    app = open_app(shelf_folder, image=id_, selected="L0 s0 down", macs="fvcore")
    assert app.selectbox(key=state.IMAGE).value == id_
    activation = log.route(3).activations[log.space.path_names.index("L0 s0 down")]
    assert metric(app, "Activation") == f"{activation:.4f}"
    assert metric(app, "MACs (fvcore)")


def test_a_link_to_what_is_not_there_shows_the_first_image(open_app, shelf_folder, log):
    app = open_app(shelf_folder, image="../../etc/passwd", source="nowhere", selected="L99 s9")
    assert app.selectbox(key=state.IMAGE).value == log.images["id"][0]
    assert app.selectbox(key=state.SELECTED).value is None


def test_next_and_previous_follow_the_chosen_order(open_app, shelf_folder, log):
    app = open_app(shelf_folder, sort="MACs ↑")
    order = log.images["id"].iloc[np.argsort(log.images["macs_conv"], kind="stable")].tolist()
    # The first image of the table is shown until another one is chosen.
    start = order.index(app.selectbox(key=state.IMAGE).value)
    app.button(key="step_Next").click().run()
    assert app.selectbox(key=state.IMAGE).value == order[(start + 1) % 6]
    app.button(key="step_Previous").click().run()
    app.button(key="step_Previous").click().run()
    assert app.selectbox(key=state.IMAGE).value == order[(start - 1) % 6]


def test_the_filter_narrows_the_list_and_says_when_nothing_is_left(open_app, shelf_folder, log):
    app = open_app(shelf_folder)
    app.text_input(key=state.SEARCH).set_value("00002").run()
    assert app.selectbox(key=state.IMAGE).options == ["val-00002"]
    assert metric(app, "open paths") == str(log.route(2).open.sum())
    app.text_input(key=state.SEARCH).set_value("nothing").run()
    assert "No image passes the filter" in app.info[0].value
    app.text_input(key=state.SEARCH).set_value("").run()
    assert len(app.selectbox(key=state.IMAGE).options) == 6


def test_a_cell_tells_its_state_and_its_share_over_the_log(open_app, shelf_folder, log):
    app = open_app(shelf_folder, selected="L0 s0")
    assert metric(app, "State") == log.route(0).cell_states["state"][0]
    assert any("over this log: open" in item.value for item in app.caption)


def test_a_checkpoint_computes_the_routes_that_its_log_holds(open_app, shelf_folder, log):
    name = source(shelf_folder, "checkpoints/step-000010.safetensors (checkpoint)")
    app = open_app(shelf_folder, source=name, dataset="scenes")
    assert app.selectbox(key=state.IMAGE).value == "val-00000"
    assert len(app.selectbox(key=state.IMAGE).options) == 150
    assert metric(app, "open paths").isdigit()
    assert metric(app, "mIoU").endswith("%")


def test_a_log_alone_is_shown_without_segmentation(open_app, shelf_folder, tmp_path):
    shutil.copytree(shelf_folder / "logs", tmp_path / "logs")
    app = open_app(tmp_path)
    assert metric(app, "mIoU").endswith("%")


def test_an_empty_folder_says_how_to_fill_it(open_app, tmp_path):
    app = open_app(tmp_path)
    assert "Nothing to look at yet" in app.header[0].value
    assert "routeviz trace" in app.code[0].value


def test_a_broken_log_is_an_error_in_one_line(open_app, shelf_folder, tmp_path):
    shutil.copytree(shelf_folder / "logs", tmp_path / "logs")
    for path in (tmp_path / "logs").rglob("*.parquet"):
        path.unlink()
    app = open_app(tmp_path)
    assert len(app.error) == 1
    assert "\n" not in app.error[0].value


def test_every_convention_is_counted_by_name(open_app, shelf_folder):
    for convention in ("conv", "fvcore", "released"):
        app = open_app(shelf_folder, macs=convention)
        assert metric(app, f"MACs ({convention})").endswith(("k", "M"))


def test_a_filter_of_one_source_does_not_break_another(open_app, shelf_folder, log):
    cost = log.images["macs_conv"] / 1e6
    app = open_app(shelf_folder)
    app.slider(key=state.COST).set_value((float(np.floor(cost.min())), float(np.ceil(cost.min())))).run()
    assert not app.exception
    app.selectbox(key=state.CONVENTION).set_value("released").run()
    assert not app.exception
    app.selectbox(key=state.SOURCE).set_value(app.selectbox(key=state.SOURCE).options[-1]).run()
    assert not app.exception
    assert app.selectbox(key=state.IMAGE).value


def test_an_image_whose_file_is_broken_is_still_shown_with_its_route(open_app, shelf_folder, tmp_path, monkeypatch):
    def broken(self, index):
        raise rv.DatasetError("cannot read picture.png: truncated")

    scenes = type(rv.open_dataset("scenes", length=1))
    monkeypatch.setattr(scenes, "__getitem__", broken)
    shutil.copytree(shelf_folder / "logs", tmp_path / "logs")
    app = open_app(tmp_path, image="val-00005", gallery="true")
    assert metric(app, "open paths").isdigit()


def test_what_a_log_spends_is_counted_without_keeping_its_gates(shelf_folder):
    log = rv.load_log(shelf_folder / "logs" / "scenes")
    spent = caches.spending(("one",), json.dumps(log.source["network"]), running.How(), (64, 96), "conv", log)
    assert spent.parts["macs"].sum() == pytest.approx(log.images["macs_conv"].mean())
    assert "gates" not in vars(log)
