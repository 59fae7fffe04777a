import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import routeviz as rv
from routeviz.jobs import delete, find_job, list_jobs, new_folder, start, stop
from routeviz.process import identity, is_alive


def test_a_job_finishes_and_its_folder_tells_all_of_it(begin, ended, home):
    job = begin("finish", "a b", "-c", result=home / "log")
    done = ended(job)
    assert done.state == "finished"
    assert done.message == ""
    assert done.began <= done.ended <= time.time()
    assert done.result == home / "log"
    assert done.command == ("finish", "a b", "-c")
    assert done.output("stdout.txt") == "done ['a b', '-c']\n"
    assert list_jobs(home) == [done]


def test_progress_is_read_while_it_runs_and_stays_when_it_has_ended(begin, until, ended, home):
    job = begin("progress", 1.5)
    within = until(lambda: (now := job.progress()) and now.inner and now.inner.done and now)
    assert (within.what, within.unit, within.done, within.total) == ("outer", "step", 30, 40)
    assert (within.inner.what, within.inner.unit, within.inner.done, within.inner.total) == ("inner", "image", 1, 4)
    assert within.left == pytest.approx(10 / within.rate)
    after = ended(job).progress()
    assert (after.done, after.total, after.inner, after.left) == (40, 40, None, 0)
    assert job.output() == ""


def test_a_failed_command_says_its_last_line(begin, ended):
    done = ended(begin("fail"))
    assert done.state == "failed"
    assert done.message == "the file is damaged; copy it again"
    assert "a warning" in done.output()


def test_a_worker_that_is_killed_has_failed(begin, ended):
    done = ended(begin("vanish"))
    assert done.state == "failed"
    assert done.message.startswith("ended by SIGKILL")


def test_a_stopped_job_has_ended_with_all_that_it_started(begin, until, ended, home):
    child = home.parent / "child"
    job = begin("stubborn", child)
    grandchild = identity(int(until(lambda: child.exists() and child.read_text())))
    assert is_alive(grandchild)
    stop(job)
    assert find_job(home, job.id).state in ("running", "stopped")
    assert ended(job).state == "stopped"
    until(lambda: not any(map(is_alive, [*job.processes, grandchild])))


def test_stop_after_the_end_changes_nothing(begin, ended, home):
    done = ended(begin("finish"))
    stop(done)
    assert find_job(home, done.id) == done


def test_a_job_survives_the_process_that_started_it_and_is_found_by_another(home, until, ended):
    folder = new_folder(home, "wait")
    starter = (
        "import sys; from pathlib import Path; from routeviz.jobs import launch, start\n"
        f"launch.PROGRAM = {(sys.executable, str(home.parent / 'work.py'))!r}\n"
        f"start(Path({str(folder)!r}), ['wait'], title='A job', kind='test')"
    )
    subprocess.run([sys.executable, "-c", starter], check=True)
    (job,) = list_jobs(home)
    assert job.running
    assert all(map(is_alive, job.processes))
    assert os.getsid(job.processes[0]["pid"]) == job.processes[0]["pid"]
    stop(job)
    assert ended(job).state == "stopped"


def test_without_its_supervisor_a_job_runs_on_and_can_be_stopped(begin, until, ended, home):
    job = begin("wait")
    os.kill(job.processes[0]["pid"], 9)
    until(lambda: not is_alive(job.processes[0]))
    assert find_job(home, job.id).running
    stop(job)
    assert ended(job).state == "stopped"
    until(lambda: not is_alive(job.processes[1]))


def test_a_job_whose_processes_are_gone_is_lost(begin, until, home):
    job = begin("wait")
    os.killpg(job.processes[0]["pid"], 9)
    lost = until(lambda: (now := find_job(home, job.id)).running is False and now)
    assert lost.state == "lost"
    assert lost.message == "its processes were killed before it could end"
    assert math.isnan(lost.ended)


@pytest.mark.parametrize("changed", [{"start": "1"}, {"boot": "another"}])
def test_a_process_that_got_the_number_later_is_neither_the_job_nor_touched(begin, home, changed):
    job = begin("wait")
    facts = json.loads((job.folder / "job.json").read_text())
    facts["processes"] = [who | changed for who in facts["processes"]]
    other = home / "20200101-000000-old"
    other.mkdir()
    (other / "job.json").write_text(json.dumps(facts))
    old = find_job(home, other.name)
    assert old.state == "lost"
    stop(old)
    stop(replace(old, state="running"))
    assert all(map(is_alive, job.processes))
    assert find_job(home, job.id).running


def test_no_more_jobs_run_at_once_than_may(begin, home, ended):
    first = begin("wait", most=1)
    with pytest.raises(rv.InputError, match="1 job is running, and no more than 1 may at once") as caught:
        begin("finish", most=1)
    assert "\n" not in str(caught.value)
    assert [job.id for job in list_jobs(home)] == [first.id]
    stop(first)
    ended(first)
    assert ended(begin("finish", most=1)).state == "finished"


def test_a_running_job_is_not_deleted_and_an_ended_one_with_all_it_had(begin, ended, home):
    job = begin("wait")
    with pytest.raises(rv.InputError, match="stop it before"):
        delete(job)
    stop(job)
    delete(ended(job))
    assert not job.folder.exists()
    with pytest.raises(rv.InputError, match="no job"):
        find_job(home, job.id)


def test_a_job_whose_result_another_one_goes_on_with_is_not_deleted(begin, ended):
    first = ended(begin("finish"))
    second = begin("wait", result=first.folder / "run")
    with pytest.raises(rv.InputError, match="stop it before this job"):
        delete(first)
    stop(second)
    ended(second)
    delete(first)
    assert not first.folder.exists()


@pytest.mark.parametrize("id_", ["..", "../jobs", "", "20200101-000000-x/..", "20200101-000000-"])
def test_a_name_leads_nowhere_but_to_a_job(home, id_):
    home.mkdir()
    (home.parent / "job.json").write_text("{}")
    with pytest.raises(rv.InputError, match="no job"):
        find_job(home, id_)


def test_folders_that_are_no_jobs_are_left_out(home, begin, ended):
    assert list_jobs(home) == []
    job = ended(begin("finish"))
    new_folder(home, "not started")
    torn = new_folder(home, "torn")
    (torn / "job.json").write_text('{"title": ')
    assert list_jobs(home) == [job]


def test_folders_are_named_by_time_and_words_and_never_twice(home):
    folders = [new_folder(home, "Trace: ../Szenen é/..") for _ in range(3)]
    assert len(set(folders)) == 3
    for folder in folders:
        assert folder.parent == home
        assert "-trace-szenen" in folder.name


def test_where_no_folder_can_be_made_it_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(rv.InputError, match="cannot make a folder for a job"):
        new_folder(tmp_path / "file", "x")


def test_a_job_that_cannot_start_says_why(home):
    folder = new_folder(home, "gone")
    folder.rmdir()
    with pytest.raises(rv.RoutevizError, match="could not be started: FileNotFoundError"):
        start(folder, ["finish"], title="A job", kind="test")


@pytest.mark.slow
def test_a_trace_reports_its_images_and_leaves_a_log(tmp_path, ended):
    net = rv.RoutingNetwork(rv.NetworkConfig(layers=4, width=4, stem_width=4, num_classes=7))
    rv.save_checkpoint(net, tmp_path / "net.safetensors")
    folder = new_folder(tmp_path / "jobs", "trace")
    options = ["--dataset", "scenes", "--option", "length=5", "--option", "size=[64,96]", "--workers", "0"]
    command = ["trace", str(tmp_path / "net.safetensors"), *options, "--out", str(folder / "log")]
    done = ended(start(folder, command, title="A trace", kind="trace", result=folder / "log"))
    assert done.state == "finished", done.output()
    assert (done.progress().what, done.progress().done, done.progress().total) == ("tracing", 5, 5)
    assert len(rv.load_log(done.result)) == 5
    assert Path(done.folder, "progress.json").exists()


@pytest.mark.slow
def test_a_stopped_training_is_resumed_by_another_job(tmp_path, until, ended):
    home = tmp_path / "jobs"
    folder = new_folder(home, "train")
    network = ["--layers", "4", "--width", "4", "--stem-width", "4", "--crop", "64x96", "--batch-size", "2"]
    data = ["--dataset", "scenes", "--option", "length=4", "--option", "size=[64,96]", "--scale", "1", "1"]
    rhythm = ["--steps", "60", "--checkpoint-every", "2", "--eval-every", "60", "--log-every", "1"]
    command = ["train", *data, *network, *rhythm, "--out", str(folder / "run")]
    first = start(folder, command, title="A training", kind="train", result=folder / "run")
    until(lambda: (folder / "run" / "state.pt").exists(), 120)
    assert first.progress().what == "train"
    stop(first)
    assert ended(first).state in ("stopped", "finished")
    again = new_folder(home, "resume")
    command = ["train", "--resume", "--out", str(folder / "run")]
    second = start(again, command, title="A training", kind="train", result=folder / "run")
    done = until(lambda: (now := find_job(home, second.id)).running is False and now, 120)
    assert done.state == "finished", done.output()
    assert (done.progress().done, done.progress().total) == (60, 60)
