"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from routeviz.errors import CheckpointError


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file beside ``path``, then put it in place: a reader never sees half of it.

    Raises
    ------
    CheckpointError
        If the folder is missing or read-only, or the disk is full; what was at ``path`` stays.
    """
    # Two processes that write the same path must not share the file they write into.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}; choose a folder with room") from error
    finally:
        with suppress(OSError):
            draft.unlink()
