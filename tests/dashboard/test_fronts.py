"""Budget fronts in the Checkpoints view, and the measured time in Inspect."""

import shlex
import sys

import pytest

import routeviz as rv
from routeviz.dashboard import links, state
from routeviz.dashboard.joblist import FRONTS
from routeviz.dashboard.settings import JOBS
from routeviz.jobs import launch, list_jobs, stop


@pytest.fixture(scope="module")
def with_front(shelf_folder, tmp_path_factory):
    """The shelf's checkpoint, and a front of it."""
    path = shelf_folder / "checkpoints" / "step-000010.safetensors"
    folder = tmp_path_factory.mktemp("fronts") / "tiny"
    scenes = rv.open_dataset("scenes", length=3, size=(64, 64))
    settings = {"rounds": 1, "share": 0.1, "rank_images": 1, "workers": 0}
    rv.budget_front(rv.load_checkpoint(path), scenes, out=folder, thresholds=(0.3, 0.6), **settings)
    return shelf_folder / "checkpoints", folder, rv.load_front(folder)


def test_a_front_is_not_offered_where_routes_are_looked_at(open_app, with_front):
    app = open_app(*with_front[:2])
    assert [name.rpartition(" ")[2] for name in app.selectbox(key=state.SOURCE).options] == ["(checkpoint)"]
    app.switch_page(str(links.file_of("compare"))).run()
    assert not any("(front)" in name for item in app.selectbox for name in item.options)


@pytest.fixture
def open_fronts(open_app):
    def run(*folders, **address):
        app = open_app(*folders)
        app.switch_page(str(links.file_of("checkpoints")))
        for name, value in {state.PART: FRONTS, **address}.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def test_a_front_is_drawn_and_a_point_leads_to_its_command(open_fronts, with_front):
    checkpoints, folder, front = with_front
    app = open_fronts(checkpoints, folder, point="greedy-01")
    assert app.selectbox(key=state.FRONT).options == ["tiny"]
    row = front.points.set_index("name").loc["greedy-01"]
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["mIoU of all images"] == f"{100 * row.miou:.1f}%"
    command = shlex.split(app.code[0].value)
    assert command[:2] == ["routeviz", "front"]
    assert command[2].endswith("step-000010.safetensors")
    assert command[3:] == ["--out", str(folder), "--write", "greedy-01", "--to", "greedy-01.safetensors"]
    assert app.dataframe[0].value["point"].tolist() == front.table()["name"].tolist()
    said = app.markdown[0].value.replace("\\", "")
    assert all(sentence.split("(")[0] in said for sentence in front.verdict())
    assert "paths were ranked for the greedy rounds on 1 images of scenes" in app.caption[0].value
    app.selectbox(key=state.POINT).set_value("as-trained").run()
    assert "--write as-trained" in app.code[0].value


def test_a_front_without_greedy_rounds_says_nothing_of_them(open_fronts, with_front, tmp_path):
    path = with_front[0] / "step-000010.safetensors"
    scenes = rv.open_dataset("scenes", length=2, size=(64, 64))
    rv.budget_front(rv.load_checkpoint(path), scenes, out=tmp_path / "bare", thresholds=(0.3,), rounds=0, workers=0)
    app = open_fronts(with_front[0], tmp_path / "bare")
    assert "on 2 images of scenes" in app.caption[0].value
    assert not any("greedy rounds" in item.value for item in app.caption)


def test_a_point_that_is_not_there_is_forgotten(open_fronts, with_front):
    checkpoints, folder, _ = with_front
    app = open_fronts(checkpoints, folder, point="greedy-77")
    assert app.selectbox(key=state.POINT).value is None


def test_without_a_front_one_is_started_as_a_job(open_fronts, with_front, tmp_path, monkeypatch):
    script = tmp_path / "work.py"
    script.write_text("import time; time.sleep(60)")
    monkeypatch.chdir(tmp_path)  # where jobs are kept
    monkeypatch.setattr(launch, "PROGRAM", (sys.executable, str(script)))
    app = open_fronts(with_front[0])
    assert "There is no front" in app.info[0].value
    app.number_input(key="front_length").set_value(5)
    app.number_input(key="front_rounds").set_value(3)
    app.button(key="front_go").click().run()
    assert not app.exception
    jobs = list_jobs(tmp_path / JOBS)
    try:
        (job,) = jobs
        assert (job.kind, job.result) == ("front", job.folder / "front")
        assert job.command[0] == "front"
        assert job.command[1].endswith("step-000010.safetensors")
        flags = dict(zip(job.command[2::2], job.command[3::2], strict=True))
        assert flags.pop("--out") == str(job.result)
        assert flags == {"--dataset": "scenes", "--split": "val", "--option": "length=5", "--rounds": "3"}
    finally:
        for one in jobs:
            stop(one)


def test_inspect_measures_the_chosen_cell_and_path(open_app, shelf_folder):
    for name, words in (("L1 s0", "of this log's MACs"), ("L1 s0 keep", "for this image")):
        app = open_app(shelf_folder, selected=name, time="true")
        captions = [caption.value for caption in app.caption]
        assert any("µs** here, median of" in caption for caption in captions)
        assert any("of how the time of parts differs" in caption for caption in captions)
        assert any(words in caption for caption in captions)
