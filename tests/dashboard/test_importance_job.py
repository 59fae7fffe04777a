"""The importance of paths over a dataset as a job: started, stopped, resumed, and where its result is shown."""

import sys

import pytest

from routeviz.dashboard import caches, closing, links, state, work
from routeviz.jobs import launch, list_jobs

ADDRESS = {"part": "Run a checkpoint"}


@pytest.fixture
def start(open_checkpoints, shelf_folder):
    def run(scenes):
        app = open_checkpoints(shelf_folder, **ADDRESS)
        app.segmented_control(key="job_task").set_value(work.PATHS).run()
        app.segmented_control(key="job_images").set_value(work.DATASET).run()
        app.number_input(key="job_length").set_value(scenes).run()
        app.button(key="job_run").click().run()
        assert not app.exception, app.exception[0].message
        assert not app.error
        (job,) = list_jobs(app.home)
        return app, job

    return run


def test_it_is_told_what_a_trace_is_told_shows_its_progress_and_is_stopped_and_resumed(start, until):
    app, job = start(7)
    assert (job.kind, job.result) == ("importance", job.folder / "importance")
    assert job.title == "Importance of paths of step-000010.safetensors on scenes, val"
    assert job.command[0] == "importance"
    assert job.command[1].endswith("step-000010.safetensors")
    flags = dict(zip(job.command[2::2], job.command[3::2], strict=True))
    assert flags == {"--dataset": "scenes", "--split": "val", "--option": "length=7", "--out": str(job.result)}
    until(job.progress)
    app.run()
    assert any("3 of 8 images" in item.proto.text for item in app.get("progress"))
    app.button(key=f"stop_{job.id}").click().run()
    until(lambda: not any(one.running for one in list_jobs(app.home)))
    app.run()
    app.button(key=f"resume_{job.id}").click().run()
    again = next(one for one in list_jobs(app.home) if one.id != job.id)
    assert (again.command, again.result, again.kind) == (job.command, job.result, job.kind)


@pytest.mark.parametrize(("switched", "over", "kept"), [(True, closing.ALL, True), (False, closing.ONE, False)])
def test_what_a_job_leads_to_is_in_the_address_and_what_is_as_at_first_is_not(
    open_app, shelf_folder, switched, over, kept
):
    app = open_app(shelf_folder)
    app.session_state[state.IMPORTANCE], app.session_state[state.OVER] = switched, over
    app.switch_page(str(links.file_of("what-if"))).run()
    assert not app.exception, app.exception[0].message
    assert (state.IMPORTANCE in app.query_params, state.OVER in app.query_params) == (kept, kept)


def test_its_result_is_shown_over_all_of_its_images(start, until, monkeypatch):
    monkeypatch.setattr(launch, "PROGRAM", (sys.executable, "-m", "routeviz"))
    app, _ = start(2)
    until(lambda: not list_jobs(app.home)[0].running)
    (job,) = list_jobs(app.home)
    assert job.state == "finished", job.message
    assert (job.progress().done, job.progress().total, job.progress().unit) == (2, 2, "image")
    caches.items.clear()  # as the list of jobs does that saw it end
    app.run()
    assert app.button(key=f"show_{job.id}").label == "Show the importance"
    # A callback cannot lead AppTest to another view: this is where it leads.
    app.switch_page(str(links.file_of("what-if")))
    log = f"{job.result.relative_to(app.home.parent)} (log)"
    for name, value in {state.SOURCE: log, state.IMPORTANCE: "true", state.OVER: closing.ALL}.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception[0].message
    assert any("What closing each path alone changes, over 2 images" in item.value for item in app.markdown)
    assert any("paths are flagged, costly, often open and useless" in item.value for item in app.caption)
