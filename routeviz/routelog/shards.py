"""One shard of a route log: a Parquet file with the facts and gates of a block of consecutive images."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from routeviz.errors import InputError, LogError, one_line
from routeviz.space import RoutingSpace
from routeviz.writing import whole_file

GATES = "gates"
ROWS = "rows"
_MARK = b"routeviz"
_NUMBERS = ("height", "width", "miou", "pixel_accuracy", "iou_", "macs_", "expected_macs_")
"""Names, or beginnings of names, of facts that are numbers wherever they are there."""


class Skipped(NamedTuple):
    """An image that could not be read: its position in the dataset, its file, and why."""

    index: int
    file: str
    reason: str


class ShardMark(NamedTuple):
    """What a shard's footer says about it: the log it belongs to, its number, and the images that were skipped."""

    log: str
    number: int
    skipped: tuple[Skipped, ...] = ()


def shard_count(n_images: int, shard_size: int) -> int:
    """Number of shards of a log; a log of no images has one too, which keeps its columns."""
    return max(1, -(-n_images // shard_size))


def shard_path(folder: Path, number: int) -> Path:
    """File of a shard. ``rows`` holds shards alone, sorted in dataset order: any Parquet reader opens the folder."""
    return folder / ROWS / f"part-{number:05d}.parquet"


def check_rows(gates: np.ndarray, images: pd.DataFrame, space: RoutingSpace) -> None:
    """Raise InputError where gates ``(image, path)`` and the table of images cannot be rows of one log."""
    if gates.shape != (len(images), space.n_paths):
        raise InputError(
            f"gates of shape {gates.shape} beside {len(images)} images; this space needs (images, {space.n_paths})"
        )
    check_activations(gates)
    if GATES in images or not all(isinstance(name, str) for name in images.columns):
        raise InputError("columns of images must be named by text other than 'gates', which a log keeps for itself")
    check_ids(images)
    check_facts(images)


def check_activations(gates: np.ndarray) -> None:
    """Raise InputError unless gates lie in [0, 1] or are NaN."""
    # fmin and fmax leave NaN out, as np.nanmin does, but warn of nothing and copy nothing.
    low, high = np.fmin.reduce(gates, axis=None, initial=0), np.fmax.reduce(gates, axis=None, initial=1)
    if low < 0 or high > 1:
        raise InputError(f"gates from {low:g} to {high:g}; activations lie in [0, 1], NaN where the cell is unreached")


def check_facts(images: pd.DataFrame) -> None:
    """Raise InputError unless sizes, scores and MACs are numbers, and MACs whole ones from 0 for each image."""
    for name, found in images.dtypes.items():
        if name.startswith(_NUMBERS) and found.kind not in "iuf":
            raise InputError(f"the column {name!r} of images must hold numbers; found {found}")
        if name.startswith("macs_") and (found.kind == "f" or (images[name] < 0).any()):
            raise InputError(f"the column {name!r} of images must hold a whole number of MACs, from 0, for each image")


def check_ids(images: pd.DataFrame) -> None:
    """Raise InputError unless the column ``id`` is there and holds unique text."""
    if "id" not in images:
        raise InputError(f"images need a column 'id' of unique text; found {list(images.columns)}")
    if not all(isinstance(value, str) for value in images["id"]):
        raise InputError("the column 'id' of images must hold text only")
    twice = images["id"].duplicated()
    if twice.any():
        raise InputError(f"{twice.sum()} ids occur more than once, first {images['id'][twice].iloc[0]!r}")


def shard_table(gates: np.ndarray, images: pd.DataFrame) -> pa.Table:
    """Join facts and gates into one Arrow table; NaN becomes null in the facts and stays NaN in the gates."""
    width = gates.shape[1]
    kind = pa.list_(pa.field("element", pa.float32(), nullable=False), width)
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(gates).ravel()), type=kind)
    # pandas' own metadata would tie the bytes of a log to the version of pandas.
    try:
        facts = pa.Table.from_pandas(images, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, UnicodeError) as error:
        raise InputError(f"a column of images cannot be stored: {one_line(error)}") from None
    return facts.append_column(pa.field(GATES, kind, nullable=False), values)


def gates_of(table: pa.Table) -> np.ndarray:
    """Gates of an Arrow table as ``(image, path)`` float32."""
    column = table.column(GATES)
    chunks = [chunk.flatten().to_numpy() for chunk in column.chunks]
    # Of one chunk, as a shard has it, nothing is copied.
    values = chunks[0] if len(chunks) == 1 else np.concatenate([np.zeros(0, np.float32), *chunks])
    return values.reshape(len(column), column.type.list_size)


def check_gates(path: Path, table: pa.Table, n_paths: int) -> None:
    """Raise LogError unless a shard's gates are a float32 for each path of each image, NaN among them but no null."""
    kind = table.schema.field(GATES).type if table.column_names.count(GATES) == 1 else pa.null()
    fits = pa.types.is_fixed_size_list(kind) and kind.value_type == pa.float32() and kind.list_size == n_paths
    if not fits or any(chunk.null_count or chunk.flatten().null_count for chunk in table.column(GATES).chunks):
        raise LogError(f"{path} has no gates of {n_paths} paths for each image: it was changed, trace again")
    try:
        check_activations(gates_of(table))
    except InputError as error:
        raise LogError(f"{path} has {error}") from None


def write_shard(path: Path, table: pa.Table, mark: ShardMark) -> None:
    """Write a shard atomically; equal content gives equal bytes."""
    note = json.dumps({**mark._asdict(), "skipped": [image._asdict() for image in mark.skipped]})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({_MARK: note}),
        sink,
        row_group_size=max(1, len(table)),
        compression="zstd",
        use_dictionary=[field.name for field in table.schema if pa.types.is_large_string(field.type)],
        column_encoding={f"{GATES}.list.element": "BYTE_STREAM_SPLIT"},
        write_page_checksum=True,
    )
    write_log_file(path, sink.getvalue())


def read_schema(path: Path) -> pa.Schema:
    """Read a shard's columns and footer; raises LogError where the file is no Parquet."""
    try:
        return pq.read_schema(_mapped(path))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise LogError(f"{path} cannot be read: {one_line(error)}; remove it and trace again") from None


def read_metadata(path: Path) -> pq.FileMetaData:
    """Parse a shard's footer; raises LogError where the file is no Parquet."""
    try:
        return pq.read_metadata(_mapped(path))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise LogError(f"{path} cannot be read: {one_line(error)}; remove it and trace again") from None


def read_footer(path: Path) -> bytes:
    """Read what follows a shard's pages: all that says where and what they are, of which Parquet keeps no checksum."""
    try:
        with open(path, "rb") as file:
            file.seek(-8, os.SEEK_END)
            file.seek(-8 - int.from_bytes(file.read(4), "little"), os.SEEK_END)
            return file.read()
    except OSError as error:
        raise LogError(f"{path} cannot be read: {one_line(error)}; remove it and trace again") from None


def read_shard(
    path: Path, columns: Sequence[str] | None = None, *, metadata: pq.FileMetaData | None = None
) -> pa.Table:
    """Read a shard, or some of its columns; raises LogError where the file is damaged.

    ``metadata`` is what its footer says, where that is known already: parsing it takes as long as reading a column.
    """
    try:
        with pq.ParquetFile(_mapped(path), page_checksum_verification=True, metadata=metadata) as file:
            return file.read(columns, use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise LogError(f"{path} cannot be read: {one_line(error)}; remove it and trace again") from None


def _mapped(path: Path) -> pa.BufferReader:
    """A file as memory, under any name: Arrow itself opens no file whose name is not UTF-8."""
    with open(path, "rb") as file:
        return pa.BufferReader(pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def check_mark(path: Path, schema: pa.Schema, log: str, number: int) -> ShardMark:
    """Return the mark in a shard's footer; raises LogError unless it is this shard of this log."""
    try:
        note = json.loads((schema.metadata or {})[_MARK])
        mark = ShardMark(note["log"], note["number"], tuple(Skipped(**image) for image in note["skipped"]))
    except (KeyError, TypeError, ValueError):
        raise LogError(f"{path} is no shard of a route log; remove it and trace again") from None
    if (mark.log, mark.number) != (log, number):
        raise LogError(f"{path} belongs to another log or place; remove it and trace again")
    return mark


def write_log_file(path: Path, data: bytes | pa.Buffer) -> None:
    """Write a file of a log so that at any moment, also after a power cut, it is there whole or as it was before."""
    with whole_file(path, lambda message: LogError(f"{message}; finished shards are kept, run again")) as draft:
        draft.write_bytes(data)
