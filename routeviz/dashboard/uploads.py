"""What a browser hands in: kept in a hidden folder of its job, under a safe name; no streamlit.

Nothing here is listed for anyone to choose: what was uploaded for a job is used for it and its result alone, and these
are seen by the browser that it was uploaded from, until it shares them.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from routeviz.dashboard.shelf import CHECKPOINT_SUFFIXES, OWNER, UPLOADS, Item
from routeviz.errors import InputError

PICTURES = "pictures"
LONGEST = 120


class Upload(Protocol):
    """A file that a browser sent."""

    name: str

    def seek(self, offset: int) -> int:
        """Go to a place in it."""

    def read(self, size: int) -> bytes:
        """Give some of its bytes."""


def safe_name(name: str) -> str:
    """The last part of a file's name in letters, digits, dots, dashes and blanks; never hidden, never empty."""
    words, dot, suffix = re.split(r"[/\\]", name)[-1].rpartition(".")
    stem, end = (re.sub(r"[^\w.\- ]+", "_", part).strip(" .-") for part in (words if dot else suffix, suffix))
    end = end[:12].lower() if dot else ""
    while len(stem.encode()) > LONGEST:
        stem = stem[:-1]
    return f"{stem or 'file'}.{end}" if end else stem or "file"


def keep(job: Path, files: Iterable[Upload], *, folder: str = "") -> list[Path]:
    """Write files into the uploads of a job, each under a name of its own; gives where they lie, absolutely.

    Raises
    ------
    InputError
        If one cannot be written.
    """
    place = (job / UPLOADS / folder).resolve()
    written = []
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file in files:
            path = _free(place, safe_name(file.name))
            file.seek(0)
            with open(path, "xb") as copy:
                shutil.copyfileobj(file, copy)
            written.append(path)
    except OSError as error:
        raise InputError(f"the upload cannot be kept in {place}: {error.strerror}") from None
    return written


def owner_of_word(word: str) -> str:
    """What a job's folder names its owner by: a secret word's hash, which tells whoever reads the folder no word."""
    return hashlib.sha256(word.encode()).hexdigest()


def claim(job: Path, word: str) -> None:
    """Keep a job and its result for those who have this word; to be called before the job starts."""
    (job / UPLOADS).mkdir(exist_ok=True)
    (job / UPLOADS / OWNER).write_text(owner_of_word(word), encoding="ascii")


def share(job: Path) -> None:
    """Let all see a job and its result."""
    (job / UPLOADS / OWNER).unlink(missing_ok=True)


def checkpoints_of(log: Item) -> list[Item]:
    """Checkpoints that were uploaded to the job which recorded a log."""
    files = sorted((log.path.parent / UPLOADS).glob("*"))
    files = [file for file in files if file.suffix in CHECKPOINT_SUFFIXES and not file.is_symlink()]
    return [Item("checkpoint", file, file.name) for file in files]


def _free(folder: Path, name: str) -> Path:
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
    return path
