"""``log.json``: what a route log is of, which shards it has, and the checks that tell it from any other folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from routeviz.errors import InputError, LogError, one_line
from routeviz.routelog.shards import shard_count, shard_path
from routeviz.space import RoutingSpace

FORMAT = "routeviz route log"
SCHEMA = 1
HEADER_FILE = "log.json"
_HEADER_KEYS = ("format", "schema", "images", "shard_size", "space", "source")
_SOURCE_PARTS = ("checkpoint", "dataset", "network", "settings")
_SHARD = {"file": str, "rows": int, "bytes": int, "sha256": str, "footer_sha256": str}
_SKIPPED = {"index": int, "file": str, "reason": str}
_MISSING = object()


def new_header(space: RoutingSpace, source: dict[str, Any], n_images: int, shard_size: int) -> dict[str, Any]:
    """Build what is known of a log before its first image: everything that its rows depend on."""
    header = (FORMAT, SCHEMA, n_images, shard_size, space.to_dict(), plain(source))
    return dict(zip(_HEADER_KEYS, header, strict=True))


def plain(source: Any) -> dict[str, Any]:
    """Return settings as JSON gives them back; raises InputError where JSON, or a reader of logs, cannot take them."""
    try:
        found = json.loads(_canonical(source))
    except (TypeError, ValueError) as error:
        raise InputError(f"the source of a log must fit JSON (text, numbers, lists, mappings): {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"the source of a log is {_short(found)}; give a mapping")
    if part := _odd_part(found):
        raise InputError(f"{part} of a log's source is {_short(found[part])}; give a mapping, or leave it out")
    return found


def _odd_part(source: dict[str, Any]) -> str:
    """A part of a log's source that is no mapping and should be one; empty where there is none."""
    return next((part for part in _SOURCE_PARTS if not isinstance(source.get(part), (dict, type(None)))), "")


def digest_of(data: dict[str, Any]) -> str:
    """SHA-256 of JSON data whatever the order of its keys, hexadecimal; a digest that it holds does not count."""
    return hashlib.sha256(_canonical({k: v for k, v in data.items() if k != "digest"}).encode()).hexdigest()


def header_of(data: dict[str, Any]) -> dict[str, Any]:
    """The part of a ``log.json`` that was there before the first image."""
    return {key: data[key] for key in _HEADER_KEYS}


def is_whole(data: dict[str, Any]) -> bool:
    """Whether a ``log.json`` was written at the end of its trace."""
    return "shards" in data


def to_text(data: dict[str, Any]) -> bytes:
    """Write JSON data the one way that ``log.json`` is written."""
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def read_header(folder: Path) -> dict[str, Any]:
    """Read and check a ``log.json``.

    Raises
    ------
    LogError
        Where it is missing, is not JSON, is of another format or schema, or was changed after it was written.
    """
    path = folder / HEADER_FILE
    try:
        data = json.loads(path.read_bytes(), parse_constant=_no_number)
    except FileNotFoundError:
        raise LogError(f"{folder} is no route log: it has no {HEADER_FILE}; give the folder that trace wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise LogError(f"{path} cannot be read: {one_line(error)}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise LogError(f"{path} is not the header of a route log: its format is not {FORMAT!r}")
    if data.get("schema") != SCHEMA:
        raise LogError(f"{folder} is of schema {data.get('schema')!a:.40}; this version reads {SCHEMA}: trace again")
    if missing := [key for key in _HEADER_KEYS if key not in data]:
        raise LogError(f"{path} lacks {', '.join(missing)}: it is damaged, trace the images again")
    if data.get("digest") != digest_of(data):
        raise LogError(f"{path} was changed after it was written: its digest does not fit; restore it or trace again")
    if part := _damaged(folder, data):
        raise LogError(f"{path} is damaged: {part} are not what routeviz writes; trace again")
    return data


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _damaged(folder: Path, data: dict[str, Any]) -> str:
    """Which part of a ``log.json`` no log can have; empty where there is none."""
    if not _fits(data, {"images": int, "shard_size": int, "space": dict, "source": dict}) or data["shard_size"] < 1:
        return "images, shard_size, space or source"
    if part := _odd_part(data["source"]):
        return f"parts of its source ({part})"
    if not is_whole(data):
        return ""
    for name, kinds in (("shards", _SHARD), ("skipped", _SKIPPED)):
        entries = data.get(name)
        if not isinstance(entries, list) or not all(_fits(entry, kinds, whole=True) for entry in entries):
            return name
    left_out = {entry["index"] for entry in data["skipped"]}
    rows = sum(entry["rows"] for entry in data["shards"])
    if len(left_out) < len(data["skipped"]) or rows + len(left_out) != data["images"]:
        return "the numbers of rows"
    # Counted before they are named: a header may claim any number of images, and so of shards.
    files = [entry["file"] for entry in data["shards"]]
    if len(files) != shard_count(data["images"], data["shard_size"]):
        return "the files of its shards"
    if files != [shard_path(folder, number).name for number in range(len(files))]:
        return "the files of its shards"
    return ""


def _fits(entry: Any, kinds: dict[str, type], *, whole: bool = False) -> bool:
    """Whether a JSON object holds values of these kinds (`whole`: and no others), and no number below 0."""
    if not isinstance(entry, dict) or (whole and len(entry) != len(kinds)):
        return False
    return all(type(entry.get(key)) is kind and (kind is not int or entry[key] >= 0) for key, kind in kinds.items())


def check_same(folder: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise LogError naming the settings in which the log in a folder differs from the one that is to be written."""
    different = list(_differences(header_of(found), wanted))
    if different:
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        raise LogError(
            f"{folder} holds a log with other settings: {'; '.join(different[:3])}{more}; "
            "use the same settings to go on, or choose another folder"
        )


def _differences(there: Any, here: Any, where: str = "") -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted({*there, *here}):
            yield from _differences(there.get(key, _MISSING), here.get(key, _MISSING), f"{where}.{key}".lstrip("."))
    elif there != here:
        yield f"{where.removeprefix('source.')} is {_short(there)} there, {_short(here)} now"


def _short(value: Any) -> str:
    text = "missing" if value is _MISSING else json.dumps(value)
    return text if len(text) <= 70 else f"{text[:67]}..."


def _canonical(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
