"""Writing a route log: shard by shard, each atomic, so that a trace killed at any moment goes on where it was."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from routeviz.errors import InputError, LogError, one_line
from routeviz.routelog.header import (
    HEADER_FILE,
    check_same,
    digest_of,
    is_whole,
    new_header,
    read_header,
    to_text,
)
from routeviz.routelog.shards import (
    GATES,
    ROWS,
    ShardMark,
    Skipped,
    check_mark,
    check_rows,
    read_footer,
    read_schema,
    read_shard,
    shard_count,
    shard_path,
    shard_table,
    write_log_file,
    write_shard,
)
from routeviz.space import RoutingSpace
from routeviz.writing import is_draft, remove_drafts, sync_folder

LOCK_FILE = ".lock"


def default_shard_size(n_images: int) -> int:
    """Images per shard: about 64 shards, so that a kill costs little and a million images still open at once."""
    return min(max(-(-n_images // 64), 32), 4096)


class LogWriter:
    """Writer of one route log; shard k holds the images ``k * shard_size`` up to ``(k + 1) * shard_size`` of a dataset.

    Bounds of shards depend on the number of images alone, so any number of processes may share them out, and the
    bytes of the log do not tell how many there were.

    Parameters
    ----------
    folder : path
        Made where it is not there. A log of the same settings in it is gone on with.
    space : RoutingSpace
    source : dict
        Where the routes come from: everything that they depend on, fit for JSON.
    n_images : int
        Images of the dataset, those that cannot be read included.
    shard_size : int, optional
        Images per shard.
    leader : bool
        Of several processes that write one log, one leads: it makes the log, and finishes it. The others join
        afterwards.

    Attributes
    ----------
    pending : tuple of int
        Shards that were not finished when the writer was made.

    Raises
    ------
    LogError
        If the folder cannot be written, holds something else or a log with other settings (named), or is being written
        by another process.
    """

    def __init__(
        self,
        folder: str | Path,
        space: RoutingSpace,
        source: dict[str, Any],
        n_images: int,
        *,
        shard_size: int | None = None,
        leader: bool = True,
    ) -> None:
        self.folder = Path(folder)
        self.space = space
        self.n_images = n_images
        self.shard_size = default_shard_size(n_images) if shard_size is None else shard_size
        if n_images < 0 or self.shard_size < 1:
            raise InputError(f"a log of {n_images} images in shards of {self.shard_size}; a shard holds at least one")
        self._header = new_header(space, source, n_images, self.shard_size)
        self._digest = digest_of(self._header)
        self.pending: tuple[int, ...] = ()
        self._lock = None
        if self._check_header():
            return
        try:
            if leader:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._check_free()
            self._lock = (self.folder / LOCK_FILE).open("a+b")
        except OSError as error:
            raise LogError(f"cannot write to {folder}: {error.strerror}; choose another folder") from None
        try:
            # The leader takes the folder alone, then shares it with those that join: a stranger never gets it alone.
            if leader:
                self._take(fcntl.LOCK_EX)
                self._begin()
            self._take(fcntl.LOCK_SH)
            if not self._check_header():
                self.pending = tuple(k for k in range(self.n_shards) if not self._has(k))
        except BaseException:
            self.close()
            raise

    @property
    def n_shards(self) -> int:
        """Number of shards of the whole log."""
        return shard_count(self.n_images, self.shard_size)

    def block(self, number: int) -> range:
        """Positions in the dataset of the images of a shard."""
        return range(number * self.shard_size, min((number + 1) * self.shard_size, self.n_images))

    def write(self, number: int, gates: np.ndarray, images: pd.DataFrame, skipped: Sequence[Skipped] = ()) -> None:
        """Write a shard: it is there whole, or not at all.

        Parameters
        ----------
        number : int
        gates : ndarray, (image, path) float32
        images : DataFrame
            Facts, one row an image, in dataset order; with a column ``id`` of unique text.
        skipped : sequence of Skipped
            Images of this block that could not be read; rows and skipped images together are the block.

        Raises
        ------
        InputError
            If rows are missing or do not fit the space.
        LogError
            If the file cannot be written (disk full, folder read-only); finished shards stay.
        """
        gates = np.asarray(gates, np.float32).reshape(-1, self.space.n_paths)
        if len(images) + len(skipped) != len(self.block(number)):
            raise InputError(
                f"shard {number} is {len(self.block(number))} images; given {len(images)} rows, {len(skipped)} skipped"
            )
        if len(images):
            check_rows(gates, images, self.space)
        mark = ShardMark(self._digest, number, tuple(skipped))
        write_shard(shard_path(self.folder, number), shard_table(gates, images), mark)

    def finish(self) -> None:
        """Make the log whole, once every shard of every process is written; does nothing where it is already.

        Raises
        ------
        LogError
            If a shard is missing or damaged, or two images have one id.
        """
        if not self._check_header():
            self._complete()
        # Nobody writes to a whole log, so nobody needs its lock; a kill may have come just before its removal.
        with suppress(OSError):
            (self.folder / LOCK_FILE).unlink()
            sync_folder(self.folder)

    def _complete(self) -> None:
        paths = [shard_path(self.folder, number) for number in range(self.n_shards)]
        if missing := [path.name for path in paths if not path.exists()]:
            raise LogError(f"{self.folder} lacks {len(missing)} of {len(paths)} shards, first {missing[0]}; trace on")
        marks = self._align(paths)
        if self.n_images and sum(len(mark.skipped) for mark in marks) == self.n_images:
            raise LogError(f"none of {self.n_images} images could be read, first {marks[0].skipped[0].reason}")
        self._check_ids(paths)
        shards = [
            {"file": path.name, "rows": len(self.block(mark.number)) - len(mark.skipped)} | _content(path)
            for path, mark in zip(paths, marks, strict=True)
        ]
        skipped = [image._asdict() for mark in marks for image in mark.skipped]
        self._write_header(self._header | {"shards": shards, "skipped": skipped})

    def close(self) -> None:
        """Let others write to the folder."""
        if self._lock:
            self._lock.close()

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _take(self, kind: int) -> None:
        try:
            # Unlike flock, these locks are not inherited by the workers that a data loader forks: they end with a kill.
            fcntl.lockf(self._lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LogError(f"another process is writing to {self.folder}; wait for it or choose another") from None
        except OSError as error:
            raise LogError(f"cannot lock {self.folder}: {error.strerror}; choose a folder on another disk") from None

    def _check_free(self) -> None:
        names = {path.name for path in self.folder.iterdir() if not is_draft(path)}
        foreign = names - {LOCK_FILE}
        if foreign and HEADER_FILE not in names:
            raise LogError(f"{self.folder} holds {min(foreign)} but no route log; choose an empty or a new folder")

    def _begin(self) -> None:
        if not (self.folder / HEADER_FILE).exists():
            self._write_header(self._header)
        (self.folder / ROWS).mkdir(exist_ok=True)
        for folder in (self.folder, self.folder / ROWS):
            remove_drafts(folder)

    def _check_header(self) -> bool:
        """Whether a whole log of the same settings is there already; raises LogError where its settings differ."""
        if not (self.folder / HEADER_FILE).exists():
            return False
        found = read_header(self.folder)
        check_same(self.folder, found, self._header)
        return is_whole(found)

    def _write_header(self, data: dict[str, Any]) -> None:
        write_log_file(self.folder / HEADER_FILE, to_text(data | {"digest": digest_of(data)}))

    def _has(self, number: int) -> bool:
        path = shard_path(self.folder, number)
        return path.exists() and bool(check_mark(path, read_schema(path), self._digest, number))

    def _align(self, paths: Sequence[Path]) -> list[ShardMark]:
        """Give all shards the same columns (not every image has a label); return their marks."""
        schemas = [read_schema(path) for path in paths]
        marks = [check_mark(p, s, self._digest, n) for n, (p, s) in enumerate(zip(paths, schemas, strict=True))]
        try:
            whole = pa.unify_schemas([schema.remove_metadata() for schema in schemas], promote_options="permissive")
        except pa.ArrowException as error:
            raise LogError(f"{self.folder}: a fact has values of several kinds: {one_line(error)}") from None
        # Gates come last in every shard, and stay last whatever columns later shards brought.
        whole = pa.schema([field for field in whole if field.name != GATES] + [whole.field(GATES)])
        for path, schema, mark in zip(paths, schemas, marks, strict=True):
            if not schema.equals(whole):
                table = read_shard(path)
                absent = [pa.field(name, pa.null()) for name in whole.names if name not in table.column_names]
                for field in absent:
                    table = table.append_column(field, pa.nulls(len(table)))
                write_shard(path, table.select(whole.names).cast(whole), mark)
        return marks

    def _check_ids(self, paths: Sequence[Path]) -> None:
        tables = [read_shard(path, ["id"]).replace_schema_metadata(None) for path in paths]
        ids = pa.concat_tables(tables)["id"].to_pandas()
        twice = ids[ids.duplicated()]
        if len(twice):
            raise LogError(f"{self.folder}: {len(twice)} ids occur more than once, first {twice.iloc[0]!r}")


def _content(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "footer_sha256": hashlib.sha256(read_footer(path)).hexdigest(),
    }
