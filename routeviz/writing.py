"""Files that are there as a whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from routeviz.errors import RoutevizError, WriteError
from routeviz.process import start_time, system_id

_DRAFT = ".part"
_DRAFTS = f".*.*{_DRAFT}"
_NAMED = 50
"""Characters of a file's name that its draft shows: a name has 255 bytes, and whose draft it is needs some of them."""


@contextmanager
def whole_file(
    path: str | Path, error: Callable[[str], RoutevizError] = WriteError, *, lasting: bool = True
) -> Iterator[Path]:
    """Give the path of a draft to write; put it in place when all of it is written.

    What was at ``path`` stays until then, and for good where writing fails. Whoever writes the same path at that time
    has a draft of its own: the last one that is ready stays. A draft that a kill left behind goes with the next
    writing. Where ``path`` is a link, what it leads to is replaced; who may read and write a file stays as it was.

    Parameters
    ----------
    path : path
        What is there and is no regular file, as a pipe, a terminal or ``/dev/stdout``, is written as it is.
    error : callable
        Makes what is raised, from its message.
    lasting : bool
        Whether it has to outlast a power cut, for which the disk is waited for.

    Yields
    ------
    Path
        In the folder of the file.

    Raises
    ------
    WriteError
        Or what ``error`` makes: the folder is missing or read-only, or the disk is full.
    OSError
        Of another file, which whoever writes the draft cannot use.
    """
    path, draft = Path(path), None
    file, changed = Path(os.path.realpath(path)), "nothing there was changed"
    try:
        if path.exists() and not path.is_file():
            changed = "a part may have come there"
            yield path
            return
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else None
        _remove_left_over(file)
        draft = _draft_of(file)
        # Nobody who may not read the file reads its draft either.
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if mode is None else 0o600))
        yield draft
        with draft.open("rb") as written:
            if mode is not None:
                os.fchmod(written.fileno(), mode)
            if lasting:
                os.fsync(written.fileno())
        os.replace(draft, file)
        changed = "all of it is there now, but a power cut may undo that"
        if lasting:
            sync_folder(file.parent)
    except OSError as failed:
        if failed.filename is not None and str(failed.filename) not in map(str, (path, draft, file.parent)):
            raise  # by whoever writes the draft, of another file
        raise error(f"cannot write {path}: {failed.strerror or failed}; {changed}") from failed
    finally:
        if draft:
            with suppress(OSError):
                draft.unlink()


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill, beside what is or will be at ``path`` and on its disk.

    It goes at the end with all that was not moved out of it; one that a kill left behind goes with the next.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_over(path)
    draft = _draft_of(path)
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_draft(path: Path) -> bool:
    """Whether a name is one that drafts have."""
    return path.match(_DRAFTS)


def remove_drafts(folder: Path) -> None:
    """Remove the drafts in a folder, if there is one, that nobody else writes to."""
    for draft in folder.glob(_DRAFTS):
        _remove(draft)


def _draft_of(path: Path) -> Path:
    """A name that no other draft has, and that tells whose it is."""
    writer = f"{system_id()}-{os.getpid()}-{start_time(os.getpid())}-{threading.get_native_id()}"
    return path.with_name(f".{path.name[:_NAMED]}.{writer}{_DRAFT}")


def _remove_left_over(path: Path) -> None:
    """Remove the drafts of this path whose processes are gone; of those of other machines nobody here can tell."""
    named = re.compile(rf"\.{re.escape(path.name[:_NAMED])}\.{system_id()}-(\d+)-(.+)-\d+{re.escape(_DRAFT)}")
    with os.scandir(path.parent) as entries:
        drafts = [(Path(entry), found) for entry in entries if (found := named.fullmatch(entry.name))]
    for draft, found in drafts:
        if start_time(int(found[1])) != found[2]:
            with suppress(OSError):
                _remove(draft)


def _remove(draft: Path) -> None:
    if draft.is_dir():
        shutil.rmtree(draft, ignore_errors=True)
    else:
        draft.unlink(missing_ok=True)
