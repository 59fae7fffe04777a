import io

import pytest

import routeviz as rv
from routeviz.dashboard import uploads
from routeviz.dashboard.shelf import Item, find


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


def test_a_job_is_its_owner_s_and_nothing_is_read_outside_the_folder_that_is_searched(tmp_path):
    job = tmp_path / "jobs" / "20260101-000000-trace"
    (job / "log").mkdir(parents=True)
    (job / "log" / "log.json").write_text('{"shards": []}')
    uploads.claim(job, "a word")
    owners = {folder: [item.owner for item in find([folder])] for folder in (tmp_path, job, job / "log")}
    mine = uploads.owner_of_word("a word")
    assert owners == {tmp_path: [mine], job: [mine], job / "log": [""]}
    (job / ".uploads" / "owner").write_bytes(b"\xff")
    assert [item.owner for item in find([tmp_path])] == ["unknown"]  # not everybody's
    uploads.share(job)
    assert [item.owner for item in find([tmp_path])] == [""]
