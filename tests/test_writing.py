import errno
import os
import stat
import subprocess
import sys

import pytest

from routeviz.errors import CheckpointError, WriteError
from routeviz.writing import remove_drafts, whole_file


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


def test_a_folder_that_is_not_there_is_an_error_of_the_kind_asked_for(tmp_path):
    with (
        pytest.raises(CheckpointError, match=r"cannot write .*: No such file or directory"),
        whole_file(tmp_path / "no" / "a", CheckpointError) as draft,
    ):
        draft.write_text("all")


def test_drafts_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    gone, alive, other = (
        tmp_path / name for name in (f".a.{dead.pid}.part", f".a.{os.getppid()}.part", f".b.{dead.pid}.part")
    )
    for draft in (gone, alive, other):
        draft.write_text("half")
    with whole_file(tmp_path / "a") as draft:
        draft.write_text("all")
    assert sorted(os.listdir(tmp_path)) == sorted(["a", alive.name, other.name])
    remove_drafts(tmp_path)
    assert os.listdir(tmp_path) == ["a"]
