import json
import shutil

import numpy as np
import pytest
import torch

import routeviz as rv
from routeviz.dashboard import curves, running, runs, state
from routeviz.space.svg import lattice_data
from routeviz.training import read_metrics

from .conftest import SCENES

USE = "Run a checkpoint"


def metric(app, label):
    return next(item.value for item in app.metric if item.label == label)


def evaluation(folder, step):
    return next(line for line in read_metrics(folder) if line["kind"] == "evaluation" and line["step"] == step)


def test_the_last_step_is_shown_with_what_was_measured_there(open_checkpoints, run_folder):
    app = open_checkpoints(run_folder)
    slider = app.select_slider(key=state.STEP)
    assert list(slider.options) == ["2", "3", "4", "6"]
    assert slider.value == 6
    line = evaluation(run_folder, 6)
    assert metric(app, "mIoU") == f"{100 * line['miou']:.1f}%"
    assert metric(app, "pixel accuracy") == f"{100 * line['pixel_accuracy']:.1f}%"
    loss = [line["loss"] for line in read_metrics(run_folder) if line["kind"] == "step"][-1]
    assert metric(app, "loss") == f"{loss:.3f}"
    assert metric(app, "real MACs (conv)").endswith(("k", "M"))


def test_the_slider_and_the_address_lead_to_another_step(open_checkpoints, run_folder):
    app = open_checkpoints(run_folder, step="3")
    assert app.select_slider(key=state.STEP).value == 3
    assert metric(app, "mIoU") == f"{100 * evaluation(run_folder, 3)['miou']:.1f}%"
    app.select_slider(key=state.STEP).set_value(2).run()
    assert metric(app, "mIoU") == "—"
    assert any("not evaluated yet" in item.value for item in app.caption)


def test_a_step_without_a_checkpoint_says_whose_routes_are_shown(open_checkpoints, run_folder):
    app = open_checkpoints(run_folder, step="3")
    assert any("Step 3 has no checkpoint; shown are the routes of step 2." in item.value for item in app.caption)


def test_at_most_four_images_are_played_and_the_address_names_them(open_checkpoints, run_folder):
    app = open_checkpoints(run_folder, images="val-00002")
    assert app.multiselect(key=state.PLAYED).value == ["val-00002"]
    drawn = [item.proto.component_name for item in app.get("bidi_component")]
    assert drawn == ["routeviz_tab", "routeviz_player"]
    app.multiselect(key=state.PLAYED).set_value([]).run()
    assert not app.exception


def test_a_run_with_metrics_only_says_so(open_checkpoints, run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "checkpoints")
    app = open_checkpoints(tmp_path / "bare")
    assert metric(app, "mIoU").endswith("%")
    assert any("metrics only" in item.value for item in app.info)


def test_a_run_whose_pictures_are_not_at_hand_says_what_to_do(open_checkpoints, run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"scenes"', '"camvid"'))
    app = open_checkpoints(tmp_path / "run")
    assert any("--root camvid=FOLDER" in item.value for item in app.info)


@pytest.mark.parametrize("file", ["config.json", "metrics.jsonl"])
def test_a_damaged_run_is_an_error_in_one_line(open_checkpoints, run_folder, tmp_path, file):
    shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "run" / file).write_text('{"training": 5}\n')
    app = open_checkpoints(tmp_path / "run")
    assert len(app.error) == 1
    assert "\n" not in app.error[0].value


def test_without_runs_it_says_where_one_comes_from(open_checkpoints, tmp_path):
    (tmp_path / "empty").mkdir()
    app = open_checkpoints(tmp_path / "empty")
    assert "no training run" in app.info[0].value


def test_the_checkpoint_of_the_step_is_offered_to_be_run_on_other_images(open_checkpoints, run_folder):
    app = open_checkpoints(run_folder, step="4")
    app.button(key="checkpoint_elsewhere").click().run()
    assert app.segmented_control(key=state.PART).value == USE
    assert app.selectbox(key=state.CHECKPOINT).value.endswith("step-000004.safetensors")


def test_the_run_shown_first_is_that_of_the_log_or_has_its_pictures_at_hand(open_checkpoints, run_folder, tmp_path):
    config = json.loads((run_folder / "config.json").read_text())
    config["training"]["dataset"] = "camvid"
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        shutil.copy(run_folder / "metrics.jsonl", tmp_path / "runs" / name)
        (tmp_path / "runs" / name / "config.json").write_text(json.dumps(config))
    app = open_checkpoints(tmp_path / "runs", run_folder)
    assert app.selectbox(key=state.RUN).options == ["runs/a", "runs/b", "tiny"]
    assert app.selectbox(key=state.RUN).value == "tiny"

    folder = tmp_path / "runs" / "b" / "checkpoints"
    folder.mkdir()
    net = rv.load_checkpoint(run_folder / "checkpoints" / "step-000002.safetensors")
    for step in (8, 16):
        net.decoder.apply(lambda part: part.bias.data.add_(1) if getattr(part, "bias", None) is not None else None)
        rv.save_checkpoint(net, folder / f"step-{step:06d}.safetensors", step=step)
    net = rv.load_checkpoint(folder / "step-000008.safetensors")
    rv.trace(net, rv.open_dataset("scenes", **SCENES), out=tmp_path / "log", workers=0)
    app = open_checkpoints(tmp_path, run_folder)
    assert app.selectbox(key=state.RUN).value.endswith("runs/b")
    app.segmented_control(key=state.PART).set_value(USE).run()
    assert app.selectbox(key=state.CHECKPOINT).value.endswith("runs/b/checkpoints/step-000016.safetensors")
    app = open_checkpoints(tmp_path, run_folder, part=USE, run="tiny")
    assert app.selectbox(key=state.CHECKPOINT).value == "tiny/checkpoints/step-000006.safetensors"


def test_routes_along_a_run_are_those_of_its_checkpoints(run_folder):
    run = runs.read(run_folder)
    image = rv.open_dataset("scenes", **SCENES)[0].image
    routes = runs.routes([item.path for item in run.checkpoints.values()], image, running.How())
    assert routes.gates.shape == (3, routes.space.n_paths)
    net = rv.load_checkpoint(run.checkpoints[4].path)
    with torch.inference_mode():
        gates = net(net.preprocess(image)[None]).gates.numpy()
    np.testing.assert_allclose(routes.gates[1], gates[0], equal_nan=True)
    assert routes.macs["released"][1] == rv.macs(net, gates, image.shape[:2], convention="released")[0]


def test_frames_hold_what_the_lattice_draws():
    space = rv.lattice_space(4, 8)
    gates = np.random.default_rng(0).uniform(size=(3, space.n_paths)).round(1) * (np.arange(3) > 0)[:, None]
    marks = list(runs.film(space)["geometry"]["marks"])
    letters = {"open": "o", "blind": "b", "passed": "p", "": "-"}
    for frame, row in zip(runs.frames(space, gates), gates, strict=True):
        data = lattice_data(space, row)
        assert frame["activation"] == data["activation"]
        assert frame["kinds"] == "".join(letters[kind] for kind in data["path_kind"])
        assert [marks[cell] for cell in frame["cells"]] == data["cell_kind"]
        assert frame["open"] == rv.Route(space, row).open.sum()


def test_curves_hold_the_run_s_figures(run_folder):
    run = runs.read(run_folder)
    lines = {mark.name: mark for mark in curves.macs(run, "conv").named}
    costs = [evaluation(run_folder, step) for step in (3, 6)]
    million = np.array([line["macs"]["conv"]["avg"] for line in costs]) / lines["real, avg (conv)"].y
    assert million.tolist() in ([1e6, 1e6], [1e3, 1e3])
    expected = np.array([line["expected_macs"] for line in costs])
    np.testing.assert_allclose(lines["expected (released)"].y * million[0], expected)
    figure = curves.drawn(curves.accuracy(run), 3)
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == 3
    np.testing.assert_allclose(figure.data[0].y, [100 * line["miou"] for line in costs])
