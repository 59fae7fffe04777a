import io
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import routeviz as rv
from routeviz.dashboard import curves, links, running, runs, state, uploads, work
from routeviz.dashboard.joblist import duration, words
from routeviz.dashboard.settings import VARIABLE, Settings
from routeviz.dashboard.shelf import Item, find
from routeviz.jobs import Progress, launch, list_jobs, stop
from routeviz.space.svg import lattice_data
from routeviz.training import Budget, TrainConfig, read_metrics, train

USE = "Run a checkpoint"
APP = Path(__file__).parents[2] / "app.py"
SCENES = {"length": 4, "size": (64, 96)}
WORK = """
import sys, time
from routeviz.progress import Bar
if "length=13" in sys.argv:
    sys.exit("routeviz: error: no image can be read; give another folder")
with Bar(total=8, desc="tracing", unit="image", mininterval=0) as bar:
    bar.update(3)
    while True:
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A tiny run of six steps: checkpoints at 2, 4 and 6, evaluations at 3 and 6."""
    config = TrainConfig(
        dataset="scenes",
        options=SCENES,
        crop=(64, 96),
        scale=(1, 1),
        layers=4,
        width=4,
        stem_width=4,
        batch_size=2,
        steps=6,
        checkpoint_every=2,
        eval_every=3,
        log_every=1,
        budget=Budget(0.5, 0.2),
    )
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(config, folder)
    return folder


@pytest.fixture
def open_view(monkeypatch, tmp_path):
    """Open the view on folders, at an address, with jobs that only seem to work; stops them at the end."""
    home = tmp_path / "jobs"
    script = tmp_path / "work.py"
    script.write_text(WORK)
    monkeypatch.setattr(launch, "PROGRAM", (sys.executable, str(script)))
    monkeypatch.setattr(launch, "GRACE_S", 1)

    def run(*folders, roots=None, **address):
        settings = Settings(folders=(*folders, home), roots=roots or {}, jobs=home)
        monkeypatch.setenv(VARIABLE, settings.to_environment()[VARIABLE])
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.switch_page(str(links.file_of("checkpoints")))
        for name, value in address.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception[0].message
        app.home = home
        return app

    yield run
    for job in list_jobs(home):
        stop(job)
    wait_for(lambda: not any(job.running for job in list_jobs(home)))


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def metric(app, label):
    return next(item.value for item in app.metric if item.label == label)


def evaluation(folder, step):
    return next(line for line in read_metrics(folder) if line["kind"] == "evaluation" and line["step"] == step)


def option(job, name):
    return job.command[job.command.index(name) + 1]


def picture():
    data = io.BytesIO()
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(data, "PNG")
    return data.getvalue()


def test_the_last_step_is_shown_with_what_was_measured_there(open_view, run_folder):
    app = open_view(run_folder)
    slider = app.select_slider(key=state.STEP)
    assert list(slider.options) == ["2", "3", "4", "6"]
    assert slider.value == 6
    line = evaluation(run_folder, 6)
    assert metric(app, "mIoU") == f"{100 * line['miou']:.1f}%"
    assert metric(app, "pixel accuracy") == f"{100 * line['pixel_accuracy']:.1f}%"
    loss = [line["loss"] for line in read_metrics(run_folder) if line["kind"] == "step"][-1]
    assert metric(app, "loss") == f"{loss:.3f}"
    assert metric(app, "real MACs (conv)").endswith(("k", "M"))


def test_the_slider_and_the_address_lead_to_another_step(open_view, run_folder):
    app = open_view(run_folder, step="3")
    assert app.select_slider(key=state.STEP).value == 3
    assert metric(app, "mIoU") == f"{100 * evaluation(run_folder, 3)['miou']:.1f}%"
    app.select_slider(key=state.STEP).set_value(2).run()
    assert metric(app, "mIoU") == "—"
    assert any("not evaluated yet" in item.value for item in app.caption)


def test_a_step_without_a_checkpoint_says_whose_routes_are_shown(open_view, run_folder):
    app = open_view(run_folder, step="3")
    assert any("Step 3 has no checkpoint; shown are the routes of step 2." in item.value for item in app.caption)


def test_at_most_four_images_are_played_and_the_address_names_them(open_view, run_folder):
    app = open_view(run_folder, images="val-00002")
    assert app.multiselect(key=state.PLAYED).value == ["val-00002"]
    assert [item.proto.component_name for item in app.get("bidi_component")] == ["routeviz_player"]
    app.multiselect(key=state.PLAYED).set_value([]).run()
    assert not app.exception


def test_a_run_with_metrics_only_says_so(open_view, run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "checkpoints")
    app = open_view(tmp_path / "bare")
    assert metric(app, "mIoU").endswith("%")
    assert any("metrics only" in item.value for item in app.info)


def test_a_run_whose_pictures_are_not_at_hand_says_what_to_do(open_view, run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"scenes"', '"camvid"'))
    app = open_view(tmp_path / "run")
    assert any("--root camvid=FOLDER" in item.value for item in app.info)


@pytest.mark.parametrize("file", ["config.json", "metrics.jsonl"])
def test_a_damaged_run_is_an_error_in_one_line(open_view, run_folder, tmp_path, file):
    shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "run" / file).write_text('{"training": 5}\n')
    app = open_view(tmp_path / "run")
    assert len(app.error) == 1
    assert "\n" not in app.error[0].value


def test_without_runs_it_says_where_one_comes_from(open_view, tmp_path):
    (tmp_path / "empty").mkdir()
    app = open_view(tmp_path / "empty")
    assert "no training run" in app.info[0].value


def test_the_checkpoint_of_the_step_is_offered_to_be_run_on_other_images(open_view, run_folder):
    app = open_view(run_folder, step="4")
    app.button(key="checkpoint_elsewhere").click().run()
    assert app.segmented_control(key=state.PART).value == USE
    assert app.selectbox(key=state.CHECKPOINT).value.endswith("step-000004.safetensors")


def test_the_run_shown_first_is_that_of_the_log_or_one_whose_pictures_are_at_hand(open_view, run_folder, tmp_path):
    config = json.loads((run_folder / "config.json").read_text())
    config["training"]["dataset"] = "camvid"
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        shutil.copy(run_folder / "metrics.jsonl", tmp_path / "runs" / name)
        (tmp_path / "runs" / name / "config.json").write_text(json.dumps(config))
    app = open_view(tmp_path / "runs", run_folder)
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
    app = open_view(tmp_path, run_folder)
    assert app.selectbox(key=state.RUN).value.endswith("runs/b")
    app.segmented_control(key=state.PART).set_value(USE).run()
    assert app.selectbox(key=state.CHECKPOINT).value.endswith("runs/b/checkpoints/step-000016.safetensors")
    app = open_view(tmp_path, run_folder, part=USE, run="tiny")
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


def test_a_checkpoint_runs_on_uploaded_pictures(open_view, run_folder):
    app = open_view(run_folder, part=USE)
    checkpoint = (run_folder / "checkpoints" / "step-000002.safetensors").read_bytes()
    app.selectbox(key=state.CHECKPOINT).set_value(work.UPLOAD).run()
    assert app.button(key="job_run").disabled
    app.file_uploader(key="job_checkpoint").set_value(("../../my net.safetensors", checkpoint, "")).run()
    files = [("one.png", picture(), "image/png"), ("../one.png", picture(), "image/png")]
    app.file_uploader(key="job_pictures").set_value(files).run()
    app.button(key="job_run").click().run()
    assert not app.error
    (job,) = list_jobs(app.home)
    kept = job.folder / ".uploads"
    assert sorted(path.name for path in kept.rglob("*.*")) == ["my net.safetensors", "one-2.png", "one.png"]
    assert (kept / "my net.safetensors").read_bytes() == checkpoint
    assert job.command[:2] == ("trace", str(kept / "my net.safetensors"))
    assert option(job, "--dataset") == "folder"
    assert option(job, "--root") == str(kept / "pictures")
    assert option(job, "--out") == str(job.result)
    assert job.result == job.folder / "log"
    assert job.title.endswith("on 2 uploaded pictures")


def test_a_running_job_shows_its_progress_is_stopped_and_deleted(open_view, run_folder):
    app = open_view(run_folder, part=USE)
    app.segmented_control(key="job_images").set_value(work.DATASET).run()
    app.selectbox(key="job_dataset").set_value("scenes").run()
    app.number_input(key="job_length").set_value(7).run()
    app.button(key="job_run").click().run()
    (job,) = list_jobs(app.home)
    wait_for(job.progress)
    other = open_view(run_folder)
    assert any("3 of 8 images" in item.proto.text for item in other.get("progress"))
    other.button(key=f"stop_{job.id}").click().run()
    wait_for(lambda: not any(job.running for job in list_jobs(app.home)))
    other.run()
    assert [item.key for item in other.button if item.key and item.key.startswith("stop_")] == []
    other.button(key=f"delete_{job.id}").click().run()
    assert list_jobs(app.home) == []
    assert not job.folder.exists()


def test_a_job_that_fails_says_so_in_one_line(open_view, run_folder):
    app = open_view(run_folder, part=USE)
    app.segmented_control(key="job_images").set_value(work.DATASET).run()
    app.number_input(key="job_length").set_value(13).run()
    app.button(key="job_run").click().run()
    wait_for(lambda: list_jobs(app.home)[0].state == "failed")
    app.run()
    assert [item.value for item in app.error] == ["no image can be read; give another folder"]


def test_a_third_job_is_refused_and_leaves_nothing(open_view, run_folder):
    app = open_view(run_folder, part=USE)
    for _ in range(3):
        app.file_uploader(key="job_pictures").set_value([("one.png", picture(), "image/png")]).run()
        app.button(key="job_run").click().run()
    assert "no more than 2 may at once" in app.error[0].value
    assert len([path for path in app.home.iterdir() if path.is_dir()]) == 2


def test_only_a_released_checkpoint_asks_for_its_gates(open_view, run_folder, tmp_path):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "released.pth").write_bytes(b"")
    app = open_view(run_folder, tmp_path / "zoo", part=USE)
    options = app.selectbox(key=state.CHECKPOINT).options
    own, released = (next(name for name in options if name.endswith(suffix)) for suffix in (".safetensors", ".pth"))
    app.selectbox(key=state.CHECKPOINT).set_value(own).run()
    assert "job_gate" not in [item.key for item in app.segmented_control]
    app.selectbox(key=state.CHECKPOINT).set_value(released).run()
    app.segmented_control(key="job_gate").set_value("small gate").run()
    app.file_uploader(key="job_pictures").set_value([("one.png", picture(), "image/png")]).run()
    app.button(key="job_run").click().run()
    assert "--small-gate" in list_jobs(app.home)[0].command


@pytest.mark.parametrize(("size", "error"), [("64x96", None), ("64", "is no size"), ("0x5", "is no size")])
def test_a_size_is_checked_before_anything_starts(open_view, run_folder, size, error):
    app = open_view(run_folder, part=USE)
    app.segmented_control(key="job_images").set_value(work.DATASET).run()
    next(item for item in app.text_input if item.label == "Bring images to a size").set_value(size).run()
    app.button(key="job_run").click().run()
    if error is None:
        assert option(list_jobs(app.home)[0], "--resize") == "64x96"
    else:
        assert error in app.error[0].value
        assert list_jobs(app.home) == []


def test_a_folder_outside_those_given_is_refused(open_view, run_folder, tmp_path):
    inside, outside = tmp_path / "given", tmp_path / "secret"
    for folder in (inside / "pictures", outside):
        folder.mkdir(parents=True)
    (inside / "way_out").symlink_to(outside)
    settings = Settings(folders=(inside,), jobs=tmp_path / "jobs")
    assert work.allowed("pictures", settings) == inside / "pictures"
    assert work.allowed(str(inside), settings) == inside
    for text in (str(outside), "../secret", "way_out", str(inside / "way_out"), "nowhere", "/"):
        with pytest.raises(rv.InputError, match="is no folder inside"):
            work.allowed(text, settings)


def test_a_training_is_started_as_its_form_says(open_view, run_folder):
    app = open_view(run_folder, part="Train")
    app.number_input(key="train_steps").set_value(40).run()
    app.text_input(key="train_resize").set_value("64x96").run()
    app.number_input(key="train_target").set_value(0.1).run()
    app.button(key="train_go").click().run()
    command = " ".join(list_jobs(app.home)[0].command)
    for words_ in ("--dataset scenes", "--steps 40", "--budget 0.5 0.1", "--checkpoint-every 8", "--resize 64x96"):
        assert words_ in command
    assert "--architecture" not in command
    job = list_jobs(app.home)[0]
    assert job.result == job.folder / "run"


def test_a_static_architecture_is_trained_without_gates_and_budget(open_view, run_folder):
    app = open_view(run_folder, part="Train")
    app.selectbox(key="train_architecture").set_value("unet").run()
    app.button(key="train_go").click().run()
    command = list_jobs(app.home)[0].command
    assert option(list_jobs(app.home)[0], "--architecture") == "unet"
    assert "--budget" not in command


def test_a_stopped_training_is_resumed_in_its_own_folder(open_view, run_folder):
    app = open_view(run_folder, part="Train")
    app.button(key="train_go").click().run()
    (first,) = list_jobs(app.home)
    first.result.mkdir()
    (first.result / "config.json").write_text("{}")
    stop(first)
    wait_for(lambda: not list_jobs(app.home)[0].running)
    app.run()
    app.button(key=f"resume_{first.id}").click().run()
    second = list_jobs(app.home)[0]
    assert second.command == ("train", "--resume", "--out", str(first.result))
    assert second.title == first.title
    app.button(key=f"delete_{first.id}").click().run()
    assert "is running" in app.error[0].value
    assert first.folder.exists()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("net.pth", "net.pth"),
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\one.PNG", "one.png"),
        (".hidden.png", "hidden.png"),
        ("-rf.png", "rf.png"),
        ("a\nb\x00<script>.jpg", "a_b_script_.jpg"),
        ("straße 1.tar.png", "straße 1.tar.png"),
        ("..", "file"),
        ("", "file"),
        (".png", "file.png"),
    ],
)
def test_names_of_uploads_lead_nowhere(name, safe):
    assert uploads.safe_name(name) == safe


def test_a_long_name_is_cut_to_what_a_file_system_takes(tmp_path):
    name = uploads.safe_name("ß" * 400 + ".png")
    assert name.endswith(".png")
    (tmp_path / name).write_bytes(b"")


def test_uploads_of_a_job_are_not_on_the_shelf_but_serve_its_own_log(tmp_path):
    job = tmp_path / "20260101-000000-trace"
    file = io.BytesIO(b"weights")
    file.name = "net.pth"
    (kept,) = uploads.keep(job, [file])
    assert find([tmp_path]) == []
    assert uploads.checkpoints_of(Item("log", job / "log", "log")) == [Item("checkpoint", kept, "net.pth")]
    assert uploads.checkpoints_of(Item("log", tmp_path / "elsewhere" / "log", "log")) == []


def test_an_upload_that_cannot_be_kept_is_said_in_one_line(tmp_path):
    (tmp_path / "job").write_text("")
    with pytest.raises(rv.InputError, match="cannot be kept"):
        uploads.keep(tmp_path / "job", [])


def test_progress_in_words():
    inner = Progress("evaluate", "image", 30, 150, 5.0, 24.0)
    outer = Progress("train", "step", 1200, 3600, 2.345, 4000.0, inner)
    assert words(outer) == "1,200 of 3,600 steps · 2.35 a second · 1 h 6 min left · evaluate: 30 of 150"
    assert words(Progress("train", "step", 1, 3, 0.01, None)) == "1 of 3 steps · 0.6 a minute"
    assert words(None) == "Starting"
    assert [duration(seconds) for seconds in (0.4, 59, 61, 7322)] == ["0 s", "59 s", "1 min 1 s", "2 h 2 min"]


def test_the_size_of_a_checkpoint_s_run_is_offered(run_folder, tmp_path):
    path = run_folder / "checkpoints" / "step-000002.safetensors"
    assert work._trained_size(path) == ""
    shutil.copytree(run_folder, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["training"]["resize"] = [180, 240]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert work._trained_size(tmp_path / "run" / "checkpoints" / path.name) == "180x240"
    assert work._trained_size(None) == ""
