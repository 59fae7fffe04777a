import contextlib
import errno
import json
import os
from hashlib import sha256

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from routeviz.errors import InputError, LogError
from routeviz.routelog import RouteLog, load_log
from routeviz.routelog.header import digest_of
from routeviz.routelog.shards import read_footer, read_shard


@pytest.fixture
def folder(log, tmp_path):
    log.save(tmp_path / "log")
    return tmp_path / "log"


def edit(folder, *, sign=True, **changes):
    data = json.loads((folder / "log.json").read_text()) | changes
    (folder / "log.json").write_text(json.dumps(data | {"digest": digest_of(data)} if sign else data))


def assert_same(first, second):
    np.testing.assert_array_equal(first.gates, second.gates)
    pd.testing.assert_frame_equal(first.images, second.images)
    assert first.space == second.space
    assert first.source == second.source


def test_facts_of_no_column_are_a_row_for_each_image(tmp_path, space, make_gates, make_images):
    log = RouteLog(make_gates(5), make_images(5), space, {})
    log.save(tmp_path / "log")
    assert load_log(tmp_path / "log").facts().shape == log.facts().shape == (5, 0)


def test_saved_and_loaded_is_the_same(log, folder):
    again = load_log(folder, verify=True)
    assert again.gates.dtype == np.float32
    assert not again.gates.flags.writeable
    assert_same(log, again)
    assert len(again) == 100
    assert again.columns == log.columns


def test_equal_logs_have_equal_bytes_and_digests(log, folder, tmp_path):
    load_log(folder).save(tmp_path / "again")
    for name in ("log.json", "rows/part-00000.parquet", "rows/part-00003.parquet"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert load_log(folder).digest == load_log(tmp_path / "again").digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "log"]


def test_rows_read_one_by_one_are_the_rows_read_together(log, folder):
    for position in (0, 31, 32, 99, -1):
        assert load_log(folder).route(position) == log.route(position)
    rows = [70, 2, 69, 33]
    assert_same(load_log(folder).select(rows), log.select(rows))
    loaded = load_log(folder)
    assert loaded.gates.shape == log.gates.shape
    assert loaded.images.shape == log.images.shape
    assert_same(loaded.select(rows), log.select(rows))
    assert len(load_log(folder).select([])) == 0
    pd.testing.assert_frame_equal(load_log(folder).facts("macs_conv"), log.images[["macs_conv"]])


def test_one_row_reads_one_shard_whatever_was_read_before(folder, monkeypatch):
    log, read = load_log(folder), []
    log.gates.sum()

    def reading(path, columns=None, **known):
        read.append(path.name)
        return read_shard(path, columns, **known)

    monkeypatch.setattr("routeviz.routelog.stored.read_shard", reading)
    log.route(70)
    assert read == ["part-00002.parquet"]


def test_opens_in_pandas_polars_and_duckdb_as_it_is(log, folder):
    rows = folder / "rows"
    frame = pd.read_parquet(rows, columns=["id", "miou", "gates"])
    np.testing.assert_array_equal(np.stack(frame["gates"]), log.gates)
    assert frame["id"].tolist() == log.images["id"].tolist()
    table = pl.read_parquet(rows)
    assert table.schema["gates"] == pl.Array(pl.Float32, log.space.n_paths)
    np.testing.assert_array_equal(table["gates"].to_numpy(), log.gates)
    assert table["miou"].null_count() == 34
    query = f"select count(*), avg(miou), max(macs_conv) from '{rows}/*.parquet' where gates[1] > 0.5"
    ((count, mean, macs),) = duckdb.sql(query).fetchall()
    wanted = log.images[log.gates[:, 0] > 0.5]
    assert count == len(wanted)
    assert mean == pytest.approx(wanted["miou"].mean())
    assert macs == wanted["macs_conv"].max()
    assert pq.read_schema(rows / "part-00000.parquet").field("gates").type == pa.list_(
        pa.field("element", pa.float32(), nullable=False), log.space.n_paths
    )


def test_an_empty_log_keeps_its_columns(log, tmp_path):
    log.select([]).save(tmp_path / "log")
    empty = load_log(tmp_path / "log")
    assert len(empty) == 0
    assert empty.columns == log.columns
    assert empty.gates.shape == (0, log.space.n_paths)
    assert empty.states.state.shape == (0, log.space.n_cells)


def test_a_log_is_replaced_only_when_asked_and_nothing_else_ever(log, folder, tmp_path):
    with pytest.raises(LogError, match="overwrite=True"):
        log.save(folder)
    log.select(slice(10)).save(folder, overwrite=True)
    assert len(load_log(folder)) == 10
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.txt").write_text("mine")
    with pytest.raises(LogError, match="is no route log"):
        log.save(tmp_path / "notes", overwrite=True)
    assert (tmp_path / "notes" / "thesis.txt").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="cannot be read"):
        log.save(tmp_path / "file", overwrite=True)


def test_a_log_that_cannot_be_replaced_stays(log, folder, tmp_path, monkeypatch):
    rename = os.rename

    def fail(source, target):
        if source.name == "new":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(LogError, match=r"cannot write .*/log: Input/output error"):
        log.select(slice(10)).save(folder, overwrite=True)
    assert_same(load_log(folder, verify=True), log)
    assert os.listdir(tmp_path) == ["log"]


def test_folders_that_are_no_log_are_refused_in_one_line(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    cases = {
        tmp_path / "nowhere": "is not a folder",
        folder / "log.json": "is not a folder",
        tmp_path / "empty": "it has no log.json",
    }
    for path, words in cases.items():
        with pytest.raises(LogError, match=words) as error:
            load_log(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "not the header of a route log"),
        ('{"format": "other"}', "not the header of a route log"),
        ('{"format": "routeviz route log", "schema": 2}', "is of schema 2; this version reads 1"),
        ('{"format": "routeviz route log", "schema": 1}', "lacks images"),
    ],
)
def test_a_log_json_that_is_none_is_refused(folder, text, words):
    (folder / "log.json").write_text(text)
    with pytest.raises(LogError, match=words):
        load_log(folder)


def test_an_edited_log_json_is_refused(folder):
    edit(folder, sign=False, source={"settings": {"resize": [64, 64]}})
    with pytest.raises(LogError, match="was changed after it was written"):
        load_log(folder)


def test_missing_foreign_and_changed_shards_are_named(folder):
    path = folder / "rows" / "part-00001.parquet"
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(LogError, match=r"lacks 1 of 4 shards, first part-00001\.parquet"):
        load_log(folder)
    path.write_bytes(kept[:-1])
    with pytest.raises(LogError, match=r"part-00001\.parquet has \d+ bytes"):
        load_log(folder)
    path.write_bytes(kept)
    path.with_name("other.parquet").write_bytes(kept)
    with pytest.raises(LogError, match=r"holds other\.parquet, which is not part of the log"):
        load_log(folder)


def test_damage_anywhere_in_a_shard_is_found_when_it_is_read(log, folder):
    path = folder / "rows" / "part-00000.parquet"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in [0, len(whole) - 1, *rng.integers(0, len(whole), 60)]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << rng.integers(8))]) + whole[place + 1 :])
        with pytest.raises(LogError, match="was changed"):
            load_log(folder, verify=True)
        # A footer has no checksum, so it can change in a way that means nothing: what is read is right, or refused.
        with contextlib.suppress(LogError):
            assert_same(load_log(folder), log)


def test_shards_that_changed_places_are_found(folder):
    first, second = (folder / "rows" / f"part-0000{number}.parquet" for number in (0, 1))
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1]), second.write_bytes(content[0])
    data = json.loads((folder / "log.json").read_text())
    data["shards"][0]["bytes"], data["shards"][1]["bytes"] = len(content[1]), len(content[0])
    edit(folder, shards=data["shards"])
    with pytest.raises(LogError, match="was changed after it was written"):
        load_log(folder).images.sum()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": "many"}, "images, shard_size, space or source are not"),
        ({"shard_size": 0}, "images, shard_size, space or source are not"),
        ({"shards": [{"file": "part-00000.parquet"}]}, "shards are not"),
        ({"skipped": [{"index": 1.5, "file": "", "reason": ""}]}, "skipped are not"),
        ({"images": 10**12}, "the numbers of rows are not"),
        ({"source": {"dataset": ["camvid"]}}, r"parts of its source \(dataset\) are not"),
        ({"schema": "\x1b[31m"}, r"is of schema '\\x1b\[31m'; this version reads 1"),
        ({"space": {"kind": "lattice"}}, r"log\.json: not a routing space"),
    ],
)
def test_a_log_json_signed_by_someone_else_is_refused_where_no_log_can_have_it(folder, changes, words):
    edit(folder, **changes)
    with pytest.raises(LogError, match=words) as caught:
        load_log(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("what", ["gates", "tally", "images"])
@pytest.mark.parametrize("rows", [(31, 33), (32, 10**9), (32, 10**13)])
def test_rows_that_a_shard_does_not_have_are_found_before_memory_is_taken(folder, rows, what):
    data = json.loads((folder / "log.json").read_text())
    data["shards"][0]["rows"], data["shards"][1]["rows"] = rows
    images = sum(shard["rows"] for shard in data["shards"])
    edit(folder, shards=data["shards"], images=images, shard_size=-(-images // 4))
    with pytest.raises(LogError, match=rf"part-0000[01]\.parquet has 32 rows, not ({rows[0]}|{rows[1]})"):
        getattr(load_log(folder), what)
    with pytest.raises(LogError, match="rows, not"):
        load_log(folder).select(slice(31, 33))


def test_rows_that_only_a_footer_has_are_found(folder):
    path = folder / "rows" / "part-00000.parquet"
    footer = read_footer(path)
    forged = footer.replace(b"\x16\x40", b"\x16\x42", 1)  # 32 rows of the file, as Thrift writes them, are 33
    path.write_bytes(path.read_bytes().replace(footer, forged))
    assert pq.read_metadata(path).num_rows == 33
    data = json.loads((folder / "log.json").read_text())
    data["shards"][0] |= {"rows": 33, "footer_sha256": sha256(forged).hexdigest()}
    edit(folder, shards=data["shards"], images=101)
    with pytest.raises(LogError, match=r"part-00000\.parquet has 32 rows, not 33"):
        load_log(folder).gates.sum()


def test_a_fault_while_rows_are_read_is_no_lack_of_memory(folder, monkeypatch):
    def fail(space, gates):
        raise InputError("a fault")

    monkeypatch.setattr("routeviz.routelog.tally.flow", fail)
    with pytest.raises(InputError, match="a fault"):
        _ = load_log(folder).tally


def test_a_log_that_memory_does_not_hold_is_one_line(folder, monkeypatch):
    def fail(*_):
        raise MemoryError("Unable to allocate 2 EiB")

    monkeypatch.setattr("routeviz.routelog.log.tally", fail)
    with pytest.raises(LogError, match="has 100 images, more than memory holds: Unable to allocate 2 EiB"):
        _ = load_log(folder).tally


@pytest.mark.parametrize(("shard_size", "rows"), [(1, (32, 10**12)), (1, (32, 32)), (50, (32, 32))])
def test_more_or_fewer_shards_than_the_images_take_are_found(folder, shard_size, rows):
    data = json.loads((folder / "log.json").read_text())
    data["shards"][0]["rows"], data["shards"][1]["rows"] = rows
    images = sum(shard["rows"] for shard in data["shards"])
    edit(folder, shards=data["shards"], images=images, shard_size=shard_size)
    with pytest.raises(LogError, match="the files of its shards are not what routeviz writes"):
        load_log(folder)


def test_a_shard_of_another_name_is_found(folder):
    data = json.loads((folder / "log.json").read_text())
    data["shards"][3]["file"] = "../../part-00003.parquet"
    edit(folder, shards=data["shards"])
    with pytest.raises(LogError, match="the files of its shards are not what routeviz writes"):
        load_log(folder)


def test_infinity_in_a_log_json_is_no_json(folder):
    text = (folder / "log.json").read_text().replace('"images": 100', '"images": Infinity')
    (folder / "log.json").write_text(text)
    with pytest.raises(LogError, match="Infinity is no JSON"):
        load_log(folder)


def test_a_folder_whose_name_is_no_utf8_is_read(log, tmp_path):
    folder = tmp_path / b"bad \xff".decode("utf-8", "surrogateescape")
    log.save(folder)
    assert_same(load_log(folder, verify=True), log)
