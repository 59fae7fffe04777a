import errno
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from routeviz.errors import InputError, LogError
from routeviz.routelog import LogWriter, Skipped, load_log
from routeviz.routelog.writer import default_shard_size

SOURCE = {"checkpoint": {"sha256": "ab"}, "settings": {"resize": [64, 96], "route": None}}


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def write(space, make_gates, make_images):
    """Write some shards of a log of 50 images in shards of 8, images 3 and 20 skipped."""
    gates, images = make_gates(50), make_images(50)

    def run(folder, shards=None, *, finish=True):
        with LogWriter(folder, space, SOURCE, 50, shard_size=8) as writer:
            for number in writer.pending if shards is None else shards:
                block = writer.block(number)
                kept = [i for i in block if i not in (3, 20)]
                skipped = [Skipped(i, f"{i}.png", "OSError: truncated") for i in block if i in (3, 20)]
                writer.write(number, gates[kept], images.iloc[kept], skipped)
            if finish:
                writer.finish()
            return writer

    return run


def test_shards_are_about_64_of_32_to_4096_images():
    sizes = [default_shard_size(n) for n in (0, 101, 2048, 2049, 10_000, 1_000_000)]
    assert sizes == [32, 32, 32, 33, 157, 4096]


def test_any_order_and_any_number_of_runs_give_the_same_bytes(write, tmp_path):
    write(tmp_path / "once")
    write(tmp_path / "often", (6, 1), finish=False)
    write(tmp_path / "often", (0, 5), finish=False)
    assert write(tmp_path / "often").pending == (2, 3, 4)
    assert contents(tmp_path / "once") == contents(tmp_path / "often")
    log = load_log(tmp_path / "once")
    assert log.images["id"].tolist() == [f"image {i}" for i in range(50) if i not in (3, 20)]
    assert log.skipped == (Skipped(3, "3.png", "OSError: truncated"), Skipped(20, "20.png", "OSError: truncated"))


def test_a_whole_log_is_left_as_it_is(write, tmp_path):
    write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert write(tmp_path).pending == ()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_lock_that_a_kill_left_in_a_whole_log_goes(write, tmp_path):
    write(tmp_path)
    before = contents(tmp_path)
    (tmp_path / ".lock").touch()
    assert write(tmp_path).pending == ()
    assert contents(tmp_path) == before


def test_drafts_that_kills_left_go(write, tmp_path):
    log, draft = tmp_path / "log", ".log.json.0123456789ab-1-1-1.part"
    log.mkdir()
    (log / draft).write_text("half")  # before there was a header
    write(log, (0,), finish=False)
    (log / draft).write_text("half")
    (log / "rows" / draft.replace("log.json", "part-00001.parquet")).write_text("half")
    write(log)
    write(tmp_path / "whole")
    assert contents(log) == contents(tmp_path / "whole")


def test_an_unfinished_log_says_so(write, tmp_path):
    write(tmp_path, (0, 1), finish=False)
    with pytest.raises(LogError, match="unfinished: 2 of 7 shards are there; run the same trace again to go on"):
        load_log(tmp_path)
    with pytest.raises(LogError, match=r"lacks 5 of 7 shards, first part-00002\.parquet"):
        write(tmp_path, ())


@pytest.mark.parametrize("finish", [False, True])
def test_other_settings_are_named_and_nothing_is_touched(write, space, tmp_path, finish):
    write(tmp_path, None if finish else (0,), finish=finish)
    before = contents(tmp_path)
    other = {"checkpoint": {"sha256": "cd"}, "settings": {"resize": None, "route": None}}
    words = r"checkpoint\.sha256 is \"ab\" there, \"cd\" now; settings\.resize is \[64, 96\] there, null now; use"
    with pytest.raises(LogError, match=words):
        LogWriter(tmp_path, space, other, 50, shard_size=8)
    with pytest.raises(LogError, match="images is 50 there, 51 now"):
        LogWriter(tmp_path, space, SOURCE, 51, shard_size=8)
    with pytest.raises(LogError, match="shard_size is 8 there, 32 now"):
        LogWriter(tmp_path, space, SOURCE, 50)
    assert contents(tmp_path) == before


def test_a_foreign_folder_is_refused_and_left_alone(space, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(LogError, match=r"holds thesis\.txt but no route log"):
        LogWriter(tmp_path, space, SOURCE, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="File exists; choose another folder"):
        LogWriter(tmp_path / "file", space, SOURCE, 5)


def test_a_shard_of_another_log_stops_the_run(write, tmp_path):
    write(tmp_path, (0, 1), finish=False)
    shard = tmp_path / "rows" / "part-00001.parquet"
    shard.write_bytes((tmp_path / "rows" / "part-00000.parquet").read_bytes())
    with pytest.raises(LogError, match=r"part-00001\.parquet belongs to another log or place"):
        write(tmp_path)
    shard.write_bytes(b"")
    with pytest.raises(LogError, match=r"part-00001\.parquet cannot be read"):
        write(tmp_path)
    shard.unlink()
    write(tmp_path)
    assert len(load_log(tmp_path, verify=True)) == 48


def test_rows_must_be_the_whole_block(space, make_gates, make_images, tmp_path):
    with LogWriter(tmp_path, space, SOURCE, 50, shard_size=8) as writer:
        with pytest.raises(InputError, match="shard 6 is 2 images; given 1 rows, 0 skipped"):
            writer.write(6, make_gates(1), make_images(1))
        with pytest.raises(InputError, match="7 rows"):
            writer.write(0, make_gates(7), make_images(7))
    assert not list((tmp_path / "rows").iterdir())


def test_facts_that_only_some_images_have_are_null_elsewhere(space, make_gates, tmp_path):
    facts = [{"macs": 7}, {"macs": 7.5, "miou": 0.5}, {"miou": 0.25, "size": "small"}, {}]
    with LogWriter(tmp_path, space, SOURCE, 4, shard_size=1) as writer:
        for number, fact in enumerate(facts):
            writer.write(number, make_gates(1, number), pd.DataFrame([{"id": str(number), **fact}]))
        writer.finish()
    images = load_log(tmp_path).images
    assert images.columns.tolist() == ["id", "macs", "miou", "size"]
    assert images["macs"].tolist()[:2] == [7, 7.5]
    assert images.isna().sum().tolist() == [0, 2, 2, 3]
    assert len({pq.read_schema(path).remove_metadata() for path in (tmp_path / "rows").iterdir()}) == 1


def test_facts_of_several_kinds_are_refused(space, make_gates, tmp_path):
    with LogWriter(tmp_path, space, SOURCE, 2, shard_size=1) as writer:
        writer.write(0, make_gates(1), pd.DataFrame({"id": ["a"], "fact": ["text"]}))
        writer.write(1, make_gates(1), pd.DataFrame({"id": ["b"], "fact": [1]}))
        with pytest.raises(LogError, match="values of several kinds"):
            writer.finish()
        with pytest.raises(InputError, match="cannot be stored"):
            writer.write(0, make_gates(1), pd.DataFrame({"id": ["a"], "fact": [1j]}))


def test_one_id_in_two_shards_is_refused(space, make_gates, tmp_path):
    with LogWriter(tmp_path, space, SOURCE, 2, shard_size=1) as writer:
        for number in range(2):
            writer.write(number, make_gates(1), pd.DataFrame({"id": ["same"]}))
        with pytest.raises(LogError, match="1 ids occur more than once, first 'same'"):
            writer.finish()


def test_a_log_of_skipped_images_alone_is_refused(space, make_gates, tmp_path):
    with LogWriter(tmp_path, space, SOURCE, 1) as writer:
        writer.write(0, np.zeros((0, space.n_paths)), pd.DataFrame(), [Skipped(0, "0.png", "ValueError: no image")])
        with pytest.raises(LogError, match="none of 1 images could be read, first ValueError: no image"):
            writer.finish()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_write_that_fails_leaves_what_is_there_and_can_be_gone_on_with(write, tmp_path, monkeypatch, code):
    write(tmp_path / "whole")
    write(tmp_path / "log", (0, 1), finish=False)
    before = contents(tmp_path / "log")

    def fail(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LogError, match=rf"cannot write .*part-00002\.parquet: {os.strerror(code)}; .* run again"):
        write(tmp_path / "log")
    assert contents(tmp_path / "log") == before
    monkeypatch.undo()
    write(tmp_path / "log")
    assert contents(tmp_path / "log") == contents(tmp_path / "whole")


def test_a_folder_that_cannot_be_made_is_one_line(space):
    with pytest.raises(LogError, match="cannot write to /proc/log: No such file or directory; choose another folder"):
        LogWriter("/proc/log", space, SOURCE, 5)


WRITE = """
import sys, time
import numpy as np, pandas as pd
from routeviz.routelog import LogWriter
from routeviz.space import lattice_space
space = lattice_space(4, 4)
with LogWriter(sys.argv[1], space, {}, 40, shard_size=2) as writer:
    print("writing", flush=True)
    if sys.argv[2] == "wait":
        sys.stdin.readline()
    for number in writer.pending:
        block = writer.block(number)
        gates = np.random.default_rng(number).random((len(block), space.n_paths))
        writer.write(number, gates, pd.DataFrame({"id": [str(i) for i in block], "size": list(block)}))
        if sys.argv[2] == "slow":
            time.sleep(0.01)
    writer.finish()
"""


def start(folder, pace):
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, folder, pace], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


def test_two_processes_cannot_write_one_log(tmp_path):
    first = start(tmp_path, "wait")
    assert first.stdout.readline() == "writing\n"
    second = start(tmp_path, "fast")
    assert "LogError: another process is writing to" in second.communicate()[1]
    assert second.returncode == 1
    assert first.communicate("go on\n") == ("", "")
    assert len(load_log(tmp_path, verify=True)) == 40


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path):
    assert start(tmp_path / "whole", "fast").communicate() == ("writing\n", "")
    moments, kills = random.Random(0), 0
    for _ in range(3):
        process = start(tmp_path / "log", "slow")
        process.stdout.readline()
        time.sleep(moments.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.communicate()
    assert kills
    process = start(tmp_path / "log", "fast")
    assert process.communicate() == ("writing\n", "")
    assert contents(tmp_path / "log") == contents(tmp_path / "whole")
