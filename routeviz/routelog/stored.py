"""A route log on disk, read as far as it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from routeviz.errors import InputError, LogError
from routeviz.routelog.header import HEADER_FILE, is_whole, read_header
from routeviz.routelog.log import RouteLog, rows_of
from routeviz.routelog.shards import (
    GATES,
    ROWS,
    Skipped,
    check_facts,
    check_gates,
    check_ids,
    gates_of,
    read_footer,
    read_metadata,
    read_schema,
    read_shard,
    shard_count,
    shard_path,
)
from routeviz.routelog.tally import Beside, Tally, Work
from routeviz.space import RoutingSpace
from routeviz.space.states import BLOCK

# Reading lets go of the interpreter's lock: two threads halve the time, more would multiply the memory in flight.
_READERS = 2


def load_log(folder: str | Path, *, verify: bool = False) -> RouteLog:
    """Open a route log; its rows are read when they are asked for.

    Parameters
    ----------
    folder : path
        What `routeviz.trace` or `RouteLog.save` wrote.
    verify : bool
        Compare every shard with its SHA-256 at once. Without it a damaged shard is found when it is read.

    Returns
    -------
    RouteLog

    Raises
    ------
    LogError
        If the folder is no route log, is unfinished or damaged, lacks shards or holds foreign ones, or is of another
        schema version.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise LogError(f"{folder} is not a folder; give the folder that trace wrote")
    data = read_header(folder)
    found = {path.name: path for path in (folder / ROWS).glob("*")}
    if not is_whole(data):
        count = shard_count(data["images"], data["shard_size"])
        raise LogError(
            f"{folder} is unfinished: {len(found)} of {count} shards are there; run the same trace again to go on"
        )
    wanted = {shard["file"]: shard["bytes"] for shard in data["shards"]}
    if missing := sorted(wanted.keys() - found):
        raise LogError(f"{folder} lacks {len(missing)} of {len(wanted)} shards, first {missing[0]}; trace again")
    if foreign := sorted(found.keys() - wanted):
        raise LogError(f"{folder} holds {foreign[0]}, which is not part of the log; remove it")
    for name, size in wanted.items():
        if found[name].stat().st_size != size:
            raise LogError(f"{found[name]} has {found[name].stat().st_size} bytes, not {size}: it was changed")
    if verify:
        for shard in data["shards"]:
            if sha256(found[shard["file"]].read_bytes()).hexdigest() != shard["sha256"]:
                raise LogError(f"{found[shard['file']]} was changed after it was written; trace again")
    return StoredLog(folder, data)


class StoredLog(RouteLog):
    """A route log on disk; made by `load_log`."""

    def __init__(self, folder: Path, data: dict[str, Any]) -> None:
        try:
            self.space = RoutingSpace.from_dict(data["space"])
        except InputError as error:
            raise LogError(f"{folder / HEADER_FILE}: {error}") from None
        self.folder = folder
        self.source = data["source"]
        self.skipped = tuple(Skipped(**image) for image in data["skipped"])
        self.digest = data["digest"]
        self._paths = [shard_path(folder, number) for number in range(len(data["shards"]))]
        self._footers = [shard["footer_sha256"] for shard in data["shards"]]
        self._metadata: dict[int, pq.FileMetaData] = {}
        self._bounds = np.cumsum([0, *(shard["rows"] for shard in data["shards"])])

    def __len__(self) -> int:
        return int(self._bounds[-1])

    @cached_property
    def gates(self) -> np.ndarray:
        """Activations, ``(image, path)`` float32, read on first use."""
        with self._fits_in_memory():
            gates = np.empty((len(self), self.space.n_paths), np.float32)

        def fill(rows: slice, some: np.ndarray) -> None:
            gates[rows] = some

        self.in_blocks(fill)
        gates.setflags(write=False)
        return gates

    @contextmanager
    def _fits_in_memory(self) -> Iterator[None]:
        for number in range(len(self._paths)):
            self._footer(number)  # a header may claim any number of rows
        try:
            yield
        except MemoryError as error:
            raise LogError(f"{self.folder} has {len(self)} images, more than memory holds: {error}") from None

    def in_blocks(self, work: Work) -> None:
        """Call ``work(rows, gates)`` for a shard or less at a time; see `RouteLog.in_blocks`."""
        if "gates" in self.__dict__:
            super().in_blocks(work)
            return

        def read(number: int) -> None:
            gates, start = gates_of(self._read(number, [GATES])), int(self._bounds[number])
            for first in range(0, len(gates), BLOCK):
                some = gates[first : first + BLOCK]
                work(slice(start + first, start + first + len(some)), some)

        self._each(read)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `images`."""
        return tuple(name for name in read_schema(self._paths[0]).names if name != GATES)

    @cached_property
    def _images(self) -> pd.DataFrame:
        images = self._facts(self.columns)
        try:
            check_ids(images)
        except InputError as error:
            raise LogError(f"{self.folder}: {error}") from None
        return images

    def _tally(self, beside: Beside | None = None) -> Tally:
        with self._fits_in_memory():
            return super()._tally(beside)

    def _facts(self, columns: Sequence[str]) -> pd.DataFrame:
        if "_images" in self.__dict__:
            return super()._facts(columns)
        if not columns:
            return pd.DataFrame(index=range(len(self)))  # a table of no columns has no rows to Arrow
        # No name for the tables: only then can each column be let go as soon as pandas has it.
        facts = self._joined(self._each(lambda number: self._read(number, list(columns)))).to_pandas(
            self_destruct=True, split_blocks=True
        )
        try:
            check_facts(facts)
        except InputError as error:
            raise LogError(f"{self.folder}: {error}") from None
        return facts

    def select(self, index: Any) -> RouteLog:
        """Return a log of some images, in memory; only the shards that hold them are read. See `RouteLog.select`."""
        if {"gates", "_images"} <= self.__dict__.keys():
            return super().select(index)
        rows = rows_of(index, len(self))
        order = np.argsort(rows)
        shards = np.searchsorted(self._bounds, rows[order], side="right") - 1
        tables = [
            self._read(number, None).take(rows[order][shards == number] - self._bounds[number])
            for number in np.unique(shards)
        ]
        whole = self._joined(tables or [self._read(0, None).slice(0, 0)]).take(np.argsort(order))
        return RouteLog(gates_of(whole), whole.drop_columns([GATES]).to_pandas(), self.space, self.source)

    def _each(self, work: Callable[[int], Any]) -> list[Any]:
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(work, range(len(self._paths))))

    def _footer(self, number: int) -> pq.FileMetaData:
        if number not in self._metadata:
            path = self._paths[number]
            # Its pages carry checksums, its footer does not.
            if sha256(read_footer(path)).hexdigest() != self._footers[number]:
                raise LogError(f"{path} was changed after it was written; trace again")
            found = read_metadata(path)
            self._check_rows(number, found.num_rows)
            self._metadata[number] = found
        return self._metadata[number]

    def _read(self, number: int, columns: list[str] | None) -> pa.Table:
        table = read_shard(self._paths[number], columns, metadata=self._footer(number)).replace_schema_metadata(None)
        self._check_rows(number, len(table))  # Arrow does not compare its pages with its footer
        if columns is None or GATES in columns:
            check_gates(self._paths[number], table, self.space.n_paths)
        return table

    def _joined(self, tables: list[pa.Table]) -> pa.Table:
        try:
            return pa.concat_tables(tables)
        except pa.ArrowInvalid:
            raise LogError(f"{self.folder}: its shards have not all the same columns; trace again") from None

    def _check_rows(self, number: int, found: int) -> None:
        rows = self._bounds[number + 1] - self._bounds[number]
        if found != rows:
            raise LogError(f"{self._paths[number]} has {found} rows, not {rows}: it was changed, trace again")
