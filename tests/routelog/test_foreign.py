"""Shards that someone else wrote and signed anew: refused in one line whatever is asked of the log, or read."""

import json
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from routeviz.errors import LogError, RoutevizError
from routeviz.routelog import load_log
from routeviz.routelog.header import digest_of
from routeviz.routelog.shards import read_footer


def put(name, make):
    """Another column in the place of one, made of its values."""
    return lambda table: table.set_column(table.column_names.index(name), name, make(table[name]))


def gates(values, width=None):
    """Gates of the same kind with other values, or of another width."""

    def make(column):
        size = width or column.type.list_size
        return pa.FixedSizeListArray.from_arrays(values(len(column) * size), size)

    return put("gates", make)


FOREIGN = {
    "one id twice": put("id", lambda ids: pa.array(["same"] * len(ids), ids.type)),
    "ids of another kind": put("id", lambda ids: pa.array(ids.to_pylist(), pa.string())),
    "numbers for ids": put("id", lambda ids: pa.array(range(len(ids)))),
    "no id": put("id", lambda ids: pa.nulls(len(ids), ids.type)),
    "no ids": lambda table: table.drop_columns(["id"]),
    "no gates": lambda table: table.drop_columns(["gates"]),
    "gates twice": lambda table: table.append_column("gates", table["gates"]),
    "fewer gates": gates(lambda n: pa.array(np.zeros(n, np.float32)), width=3),
    "gates of doubles": gates(lambda n: pa.array(np.zeros(n))),
    "gates of null": gates(lambda n: pa.nulls(n, pa.float32())),
    "null for gates": put("gates", lambda column: pa.nulls(len(column), column.type)),
    "gates beyond 1": gates(lambda n: pa.array(np.full(n, 5, np.float32))),
    "infinite gates": gates(lambda n: pa.array(np.full(n, np.inf, np.float32))),
    "no MACs": put("macs_conv", lambda column: pa.nulls(len(column), column.type)),
    "negative MACs": put("macs_conv", lambda column: pa.array([-1] * len(column))),
    "text for gates": put("gates", lambda column: pa.array(["open"] * len(column))),
    "a column more": lambda table: table.append_column("more", pa.array(range(len(table)))),
    "text for numbers": put("miou", lambda column: pa.array(["much"] * len(column))),
    "lists for numbers": put("miou", lambda column: pa.array([[1]] * len(column))),
}
ASKED = {
    "gates": lambda log: log.gates,
    "images": lambda log: log.images,
    "ids": lambda log: log.facts("id"),
    "some": lambda log: log.select([0, 99]),
    "one": lambda log: log.select([0]),
    "tally": lambda log: log.tally,
}


def signed(folder, change, shards):
    """Change shards, and sign them and the log as routeviz does."""
    data = json.loads((folder / "log.json").read_text())
    for entry in data["shards"][:shards]:
        path = folder / "rows" / entry["file"]
        pq.write_table(change(pq.read_table(path)), path)
        entry["bytes"], entry["sha256"] = path.stat().st_size, sha256(path.read_bytes()).hexdigest()
        entry["footer_sha256"] = sha256(read_footer(path)).hexdigest()
    (folder / "log.json").write_text(json.dumps(data | {"digest": digest_of(data)}))


@pytest.mark.parametrize("shards", [1, None])
@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_whatever_a_foreign_shard_holds_it_is_refused_in_one_line_or_read(log, tmp_path, change, shards):
    log.save(tmp_path / "log")
    signed(tmp_path / "log", change, shards)
    for ask in ASKED.values():
        said = ""
        try:
            ask(load_log(tmp_path / "log"))
        except RoutevizError as error:
            said = str(error)
        assert said.isprintable()


def test_what_is_wrong_with_it_is_said(log, tmp_path):
    for name, ask, said in (
        ("one id twice", ASKED["images"], "ids occur more than once, first 'same'"),
        ("text for numbers", ASKED["images"], "the column 'miou' of images must hold numbers"),
        ("no MACs", ASKED["images"], "the column 'macs_conv' of images must hold a whole number of MACs"),
        ("gates beyond 1", ASKED["gates"], r"part-00000\.parquet has gates from 0 to 5; activations lie in"),
        ("fewer gates", ASKED["gates"], r"part-00000\.parquet has no gates of \d+ paths for each image"),
    ):
        log.save(tmp_path / name)
        signed(tmp_path / name, FOREIGN[name], None)
        with pytest.raises(LogError, match=said):
            ask(load_log(tmp_path / name))


def test_shards_of_different_columns_are_named(log, tmp_path):
    log.save(tmp_path / "log")
    signed(tmp_path / "log", FOREIGN["a column more"], 1)
    with pytest.raises(LogError, match="its shards have not all the same columns"):
        load_log(tmp_path / "log").images.sum()
