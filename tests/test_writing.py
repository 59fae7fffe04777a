import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from routeviz.errors import CheckpointError, WriteError
from routeviz.process import start_time, system_id
from routeviz.writing import draft_folder, remove_drafts, whole_file


def test_a_file_is_replaced_when_all_of_it_is_written(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with whole_file(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
        assert draft.parent == tmp_path
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path, there):
    (tmp_path / "disk").mkdir()
    path, target = tmp_path / "a.csv", tmp_path / "disk" / "b.csv"
    if there:
        target.write_text("old")
    path.symlink_to(target.relative_to(tmp_path))
    with whole_file(path) as draft:
        draft.write_text("new")
        assert draft.parent == target.parent
    assert path.is_symlink()
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["b.csv"]


@pytest.mark.parametrize("mode", [0o600, 0o444, 0o664])
def test_who_may_read_and_write_a_file_stays(tmp_path, mode):
    path = tmp_path / "a.csv"
    path.write_text("old")
    path.chmod(mode)
    with whole_file(path) as draft:
        draft.write_text("new")
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_is_as_readable_as_any(tmp_path):
    (tmp_path / "b").write_text("")
    with whole_file(tmp_path / "a") as draft:
        draft.write_text("new")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_pipe_is_written_and_stays_one(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = subprocess.Popen(["cat", path], stdout=subprocess.PIPE, text=True)
    with whole_file(path) as draft:
        draft.write_text("new")
    assert reader.communicate(timeout=60)[0] == "new"
    assert path.is_fifo()
    assert os.listdir(tmp_path) == ["pipe"]


WRITE = """
import sys
from routeviz.writing import whole_file
with whole_file(sys.argv[1]) as draft:
    draft.write_text("new")
"""


def test_what_is_written_to_stdout_comes_out_there():
    out = subprocess.run([sys.executable, "-c", WRITE, "/dev/stdout"], capture_output=True, text=True, check=True)
    assert (out.stdout, out.stderr) == ("new", "")


def test_a_folder_is_not_written_over(tmp_path):
    with pytest.raises(WriteError, match=r"cannot write .*: Is a directory"), whole_file(tmp_path) as draft:
        draft.write_text("new")


@pytest.mark.parametrize("failure", [KeyError("bug"), KeyboardInterrupt()])
def test_what_was_there_stays_where_writing_ends_early(tmp_path, failure):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def interrupted():
        with whole_file(path) as draft:
            draft.write_text("half")
            raise failure

    with pytest.raises(type(failure)):
        interrupted()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_takes_no_more_is_one_line(tmp_path, monkeypatch, code):
    def fail(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with (
        pytest.raises(WriteError, match=rf"cannot write .*/a: {os.strerror(code)}; nothing there was changed"),
        whole_file(tmp_path / "a") as draft,
    ):
        draft.write_text("all")
    assert os.listdir(tmp_path) == []


def test_a_power_cut_that_may_undo_what_was_written_is_said(tmp_path, monkeypatch):
    path, codes = tmp_path / "a", iter([0, errno.EIO])
    path.write_text("old")

    def fail(handle):
        if code := next(codes):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    words = r"cannot write .*/a: Input/output error; all of it is there now, but a power cut may undo that$"
    with pytest.raises(WriteError, match=words), whole_file(path) as draft:
        draft.write_text("new")
    assert path.read_text() == "new"


def test_a_pipe_that_nobody_reads_to_the_end_is_not_said_to_be_unchanged(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    words = r"cannot write .*/pipe: Broken pipe; a part may have come there$"

    def write():
        with whole_file(path) as draft, draft.open("wb", buffering=0) as file:
            file.write(b"part")
            os.close(reader)
            file.write(b"rest")

    with pytest.raises(WriteError, match=words):
        write()


def test_another_file_that_cannot_be_read_is_not_said_to_be_this_one(tmp_path):
    other = tmp_path / "other"
    with pytest.raises(FileNotFoundError) as caught, whole_file(tmp_path / "a") as draft:
        draft.write_text(other.read_text())
    assert caught.value.filename == str(other)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there_is_an_error_of_the_kind_asked_for(tmp_path):
    with (
        pytest.raises(CheckpointError, match=r"cannot write .*: No such file or directory"),
        whole_file(tmp_path / "no" / "a", CheckpointError) as draft,
    ):
        draft.write_text("all")


WAIT = """
import os, sys
from routeviz.writing import whole_file
with whole_file(sys.argv[1]):
    sys.stdin.read()
    os._exit(0)
"""


def test_drafts_of_dead_processes_go_and_all_others_stay(tmp_path):
    path = tmp_path / "a"
    writers = [subprocess.Popen([sys.executable, "-c", WAIT, path], stdin=subprocess.PIPE) for _ in range(2)]
    until(lambda: len(os.listdir(tmp_path)) == 2)
    dead, alive = writers
    dead.communicate(timeout=60)
    (gone,) = (draft for draft in tmp_path.iterdir() if f"-{dead.pid}-" in draft.name)
    (kept,) = (draft for draft in tmp_path.iterdir() if f"-{alive.pid}-" in draft.name)
    # The number of a process that is gone has come to another one; the process is another machine's; the file another.
    again = tmp_path / kept.name.replace(f"-{start_time(alive.pid)}-", "-1-")
    elsewhere = tmp_path / gone.name.replace(system_id(), "0123456789ab")
    other = tmp_path / gone.name.replace(".a.", ".b.")
    for draft in (again, elsewhere, other):
        draft.write_text("half")
    with whole_file(path) as draft:
        draft.write_text("all")
    assert set(tmp_path.iterdir()) == {path, kept, elsewhere, other}
    alive.communicate(timeout=60)
    remove_drafts(tmp_path)
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_of_drafts_lies_beside_and_goes_with_what_is_left_in_it(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk/out")
    with draft_folder(tmp_path / "out") as draft:
        (draft / "a").write_text("all")
        assert draft.parent == tmp_path / "disk"
    assert os.listdir(tmp_path / "disk") == []


def test_a_folder_of_drafts_that_a_kill_left_goes_with_the_next(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "out"], check=False)
    assert killed.returncode == -signal.SIGKILL
    (folder,) = os.listdir(tmp_path)
    shutil.copytree(tmp_path / folder, tmp_path / "run" / folder)
    with draft_folder(tmp_path / "out") as draft:
        assert set(tmp_path.iterdir()) == {draft, tmp_path / "run"}
    remove_drafts(tmp_path / "run")
    assert os.listdir(tmp_path / "run") == []
    remove_drafts(tmp_path / "no")


KILLED = """
import os, signal, sys
from pathlib import Path
from routeviz.writing import draft_folder
with draft_folder(Path(sys.argv[1])) as draft:
    (draft / "a").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_threads_that_write_one_file_leave_it_whole(tmp_path):
    path, together = tmp_path / "a", threading.Barrier(8)

    def write(number):
        with whole_file(path) as draft:
            draft.write_text(str(number))
            together.wait(60)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert path.read_text() in "01234567"
    assert os.listdir(tmp_path) == ["a"]


def test_a_name_may_be_as_long_as_names_can_be(tmp_path):
    for name in ("a" * 255, "ü" * 127, "\U0001f6e3" * 63):
        with whole_file(tmp_path / name) as draft:
            draft.write_text("all")
        assert (tmp_path / name).read_text() == "all"


def until(condition):
    """Wait for what must soon be so."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
