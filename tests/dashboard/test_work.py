import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import routeviz as rv
from routeviz.dashboard import state, work
from routeviz.dashboard.settings import Settings
from routeviz.jobs import list_jobs, stop

USE = "Run a checkpoint"


def option(job, name):
    return job.command[job.command.index(name) + 1]


def picture():
    data = io.BytesIO()
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(data, "PNG")
    return data.getvalue()


def test_a_checkpoint_runs_on_uploaded_pictures(open_checkpoints, run_folder):
    app = open_checkpoints(run_folder, part=USE)
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


def test_uploads_for_a_job_are_seen_where_they_came_from_until_they_are_shared(open_checkpoints, run_folder, until):
    app = open_checkpoints(run_folder, part=USE)
    app.file_uploader(key="job_pictures").set_value([("mine alone.png", picture(), "image/png")]).run()
    app.button(key="job_run").click().run()
    (job,) = list_jobs(app.home)
    assert cards(app) == [job.id]
    assert any("only here" in item.value for item in app.markdown)
    other = open_checkpoints(run_folder, part=USE)
    assert cards(other) == []
    assert [item.value for item in other.caption if "another browser" in item.value] == [
        "1 of another browser is running; no more than 2 may."
    ]
    other.segmented_control(key="job_images").set_value(work.FOLDER).run()
    for folder in (job.folder / ".uploads" / "pictures", job.folder):
        other.text_input(key="job_folder").set_value(str(folder)).run()
        assert ["is no folder inside those" in error.value for error in other.error] == [True]
    stop(job)
    until(lambda: not list_jobs(app.home)[0].running)
    app.run()
    app.button(key=f"share_{job.id}").click().run()
    assert cards(other.run()) == cards(app) == [job.id]
    assert not any("only here" in item.value for item in app.markdown)


def cards(app):
    """The jobs that are listed."""
    starts = ("stop_", "ask_", "delete_")
    keys = [item.key for item in app.button if item.key and item.key.startswith(starts)]
    return list(dict.fromkeys(key.split("_", 1)[1] for key in keys))


def test_a_running_job_shows_its_progress_is_stopped_and_deleted(open_checkpoints, run_folder, until):
    app = open_checkpoints(run_folder, part=USE)
    app.segmented_control(key="job_images").set_value(work.DATASET).run()
    app.selectbox(key="job_dataset").set_value("scenes").run()
    app.number_input(key="job_length").set_value(7).run()
    app.button(key="job_run").click().run()
    (job,) = list_jobs(app.home)
    until(job.progress)
    other = open_checkpoints(run_folder)
    assert any("3 of 8 images" in item.proto.text for item in other.get("progress"))
    other.button(key=f"stop_{job.id}").click().run()
    until(lambda: not any(job.running for job in list_jobs(app.home)))
    other.run()
    assert [item.key for item in other.button if item.key and item.key.startswith("stop_")] == []
    other.button(key=f"delete_{job.id}").click().run()
    assert list_jobs(app.home) == []
    assert not job.folder.exists()


def test_a_job_that_fails_says_so_in_one_line(open_checkpoints, run_folder, until):
    app = open_checkpoints(run_folder, part=USE)
    app.segmented_control(key="job_images").set_value(work.DATASET).run()
    app.number_input(key="job_length").set_value(13).run()
    app.button(key="job_run").click().run()
    until(lambda: list_jobs(app.home)[0].state == "failed")
    app.run()
    assert [item.value for item in app.error] == ["no image can be read; give another folder"]


def test_a_third_job_is_refused_and_leaves_nothing(open_checkpoints, run_folder):
    app = open_checkpoints(run_folder, part=USE)
    for _ in range(3):
        app.file_uploader(key="job_pictures").set_value([("one.png", picture(), "image/png")]).run()
        app.button(key="job_run").click().run()
    assert "no more than 2 may at once" in app.error[0].value
    assert len([path for path in app.home.iterdir() if path.is_dir()]) == 2


def test_only_a_released_checkpoint_asks_for_its_gates(open_checkpoints, run_folder, tmp_path):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "released.pth").write_bytes(b"")
    app = open_checkpoints(run_folder, tmp_path / "zoo", part=USE)
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
def test_a_size_is_checked_before_anything_starts(open_checkpoints, run_folder, size, error):
    app = open_checkpoints(run_folder, part=USE)
    app.segmented_control(key="job_images").set_value(work.DATASET).run()
    next(item for item in app.text_input if item.label == "Bring images to a size").set_value(size).run()
    app.button(key="job_run").click().run()
    if error is None:
        assert option(list_jobs(app.home)[0], "--resize") == "64x96"
    else:
        assert error in app.error[0].value
        assert list_jobs(app.home) == []


def test_a_folder_outside_those_given_is_refused(open_checkpoints, run_folder, tmp_path):
    inside, outside = tmp_path / "given", tmp_path / "secret"
    for folder in (inside / "pictures", outside):
        folder.mkdir(parents=True)
    (inside / "way_out").symlink_to(outside)
    settings = Settings(folders=(inside,), jobs=tmp_path / "jobs")
    assert work.allowed("pictures", settings) == inside / "pictures"
    for text in (str(outside), "../secret", "way_out", str(inside / "way_out"), "nowhere", "/"):
        with pytest.raises(rv.InputError, match="is no folder inside"):
            work.allowed(text, settings)
    with pytest.raises(rv.InputError, match=r"the link .*/way_out leads out of the folders"):
        work.allowed("..", Settings(folders=(inside / "pictures", inside), jobs=tmp_path / "jobs"))


def test_a_training_is_started_as_its_form_says(open_checkpoints, run_folder):
    app = open_checkpoints(run_folder, part="Train")
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


def test_a_static_architecture_is_trained_without_gates_and_budget(open_checkpoints, run_folder):
    app = open_checkpoints(run_folder, part="Train")
    app.selectbox(key="train_architecture").set_value("unet").run()
    app.button(key="train_go").click().run()
    command = list_jobs(app.home)[0].command
    assert option(list_jobs(app.home)[0], "--architecture") == "unet"
    assert "--budget" not in command


def test_a_stopped_training_is_resumed_in_its_own_folder(open_checkpoints, run_folder, until):
    app = open_checkpoints(run_folder, part="Train")
    app.button(key="train_go").click().run()
    (first,) = list_jobs(app.home)
    first.result.mkdir()
    (first.result / "config.json").write_text("{}")
    stop(first)
    until(lambda: not list_jobs(app.home)[0].running)
    app.run()
    app.button(key=f"resume_{first.id}").click().run()
    second = list_jobs(app.home)[0]
    assert second.command == ("train", "--resume", "--out", str(first.result))
    assert second.title == first.title
    app.button(key=f"delete_{first.id}").click().run()
    assert "is running" in app.error[0].value
    assert first.folder.exists()


def test_the_size_of_a_checkpoint_s_run_is_offered(run_folder, tmp_path):
    path = run_folder / "checkpoints" / "step-000002.safetensors"
    assert work._trained_size(path) == ""
    shutil.copytree(run_folder, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["training"]["resize"] = [180, 240]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert work._trained_size(tmp_path / "run" / "checkpoints" / path.name) == "180x240"
    assert work._trained_size(None) == ""
