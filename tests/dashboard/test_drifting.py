"""Drift in the Checkpoints view: the same images at every checkpoint of a run."""

import sys

import numpy as np
import pytest

import routeviz as rv
from routeviz.dashboard import links, runs, state
from routeviz.dashboard.drifting import verdict
from routeviz.dashboard.joblist import DRIFTS
from routeviz.dashboard.settings import JOBS
from routeviz.jobs import launch, list_jobs, stop
from routeviz.routelog import RouteLog
from routeviz.stats import collapses, drift
from routeviz.training import TrainConfig, train

SCENES = {"length": 3, "size": (64, 64)}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A tiny run with checkpoints at 1 and 2."""
    small = {"crop": (64, 64), "scale": (1, 1), "layers": 4, "width": 4, "stem_width": 4, "batch_size": 2}
    every = {"steps": 2, "checkpoint_every": 1, "eval_every": 2, "log_every": 1}
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(TrainConfig(dataset="scenes", options=SCENES, **small, **every), folder)
    return folder


@pytest.fixture(scope="module")
def followed(run_folder, tmp_path_factory):
    """Logs of both checkpoints: the first one's, and one in which a path of it has died for all images."""
    folder = tmp_path_factory.mktemp("drifts") / "scenes"
    scenes = rv.open_dataset("scenes", **SCENES)
    logs = {}
    for step, path in runs.read(run_folder).checkpoints.items():
        log = rv.trace(rv.load_checkpoint(path.path), scenes, workers=0)
        gates = log.gates.copy()
        if step == 2:
            gates[:, int(np.flatnonzero(gates.all(axis=0))[-1])] = 0
        logs[step] = RouteLog(gates, log.images, log.space, log.source)
        logs[step].save(folder / path.path.stem)
    return folder.parent, logs


@pytest.fixture
def open_drift(open_app):
    def run(*folders, **address):
        app = open_app(*folders)
        app.switch_page(str(links.file_of("checkpoints")))
        for name, value in {state.PART: DRIFTS, **address}.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def said(app):
    kinds = (app.markdown, app.caption, app.info, app.warning, app.success)
    return " ".join(item.value for kind in kinds for item in kind).replace("\\", "")


def test_a_drift_is_found_beside_its_run_and_described(open_drift, run_folder, followed):
    folder, logs = followed
    app = open_drift(run_folder, folder, run="tiny")
    table = drift(logs)
    assert "2 checkpoints on the same 3 images of scenes, val" in said(app)
    assert "From step 1 to 2, paths died: 1, born: 0" in said(app)
    events, steps = (item.value for item in app.dataframe)
    assert events["event"].tolist() == ["died"]
    assert events[["before", "after"]].to_numpy().tolist() == [[100, 0]]
    assert steps["alive"].tolist() == table["alive"].tolist()
    assert steps["warnings"].tolist() == table["warnings"].tolist()
    for kind in collapses(logs)["kind"].unique():
        assert f"**{kind}**" in said(app)
    app.select_slider(key=state.STEP).set_value(1).run()
    assert not app.exception
    assert "nothing lies before it" in said(app)


def test_logs_of_other_checkpoints_are_no_drift_of_the_run(open_drift, run_folder, followed, tmp_path):
    log = next(iter(followed[1].values()))
    other = {**log.source, "checkpoint": {**log.source["checkpoint"], "sha256": "0" * 64}}
    RouteLog(log.gates, log.images, log.space, other).save(tmp_path / "foreign" / "step-000001")
    app = open_drift(run_folder, tmp_path)
    assert "were not sent the same images yet" in said(app)


def test_logs_of_different_images_are_told(open_drift, run_folder, followed, tmp_path):
    for step, log in followed[1].items():
        images = log.images.assign(id=[f"{step} {id_}" for id_ in log.images["id"]])
        RouteLog(log.gates, images, log.space, log.source).save(tmp_path / "odd" / f"step-{step:06}")
    app = open_drift(run_folder, tmp_path)
    assert "are of different images; trace the same ones" in app.error[0].value.replace("\\", "")


def test_a_drift_is_traced_as_a_job(open_drift, run_folder, tmp_path, monkeypatch):
    script = tmp_path / "work.py"
    script.write_text("import time; time.sleep(60)")
    monkeypatch.chdir(tmp_path)  # where jobs are kept
    monkeypatch.setattr(launch, "PROGRAM", (sys.executable, str(script)))
    app = open_drift(run_folder)
    app.number_input(key="drift_length").set_value(5)
    app.button(key="drift_go").click().run()
    assert not app.exception
    jobs = list_jobs(tmp_path / JOBS)
    try:
        (job,) = jobs
        assert (job.kind, job.result) == ("drift", job.folder / "drift")
        assert job.command[:2] == ("drift", str(run_folder))
        flags = dict(zip(job.command[2::2], job.command[3::2], strict=True))
        assert flags == {"--dataset": "scenes", "--split": "val", "--option": "length=5", "--out": str(job.result)}
    finally:
        for one in jobs:
            stop(one)


def test_no_change_is_called_no_change(followed):
    log = followed[1][1]
    table = drift({1: log, 2: log})
    assert "no image's route changed" in verdict(table, log.space.n_paths)
    assert "real MACs change by +0.0%" in verdict(table, log.space.n_paths)
    assert verdict(drift({1: log}), log.space.n_paths).startswith("Step 1 alone")
