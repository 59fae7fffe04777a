"""What there is to look at: route logs, checkpoints and training runs in the folders that were given; no streamlit."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LOG_FILE = "log.json"
RUN_FILES = ("config.json", "metrics.jsonl")
FRONT_FILE = "front.json"
OWN_SUFFIX = ".safetensors"
CHECKPOINT_SUFFIXES = (OWN_SUFFIX, ".pth", ".pt")
RESUME_FILES = ("state.pt", "state-branch.pt")
DEPTH = 6

UPLOADS, OWNER = ".uploads", "owner"
"""The hidden folder of what was handed in for a job, and the file in it that says whose that is."""

KINDS = ("log", "checkpoint", "run", "front", "weights")
"""Weights are those of a recorded network, which only its own program runs: they are listed nowhere."""

RECORDED = b'{"__metadata__":{"recorded network":'
"""How the header of a file begins that `routeviz.gated.save_weights` wrote, behind the eight bytes of its length."""

OWN = {
    "log": (LOG_FILE, "rows"),
    "checkpoint": (),
    "run": (*RUN_FILES, "checkpoints"),
    "front": (FRONT_FILE, "points"),
    "weights": (),
}
"""What is read of each kind, in its folder."""


@dataclass(frozen=True)
class Item:
    """What is on the shelf: its kind (one of ``KINDS``), where it lies, and a name unique among its kind.

    ``owner`` is whose uploads it was made of; empty where it is there for all.
    """

    kind: str
    path: Path
    name: str
    owner: str = ""

    @property
    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Name, time of change and size of its files: what a cache must know to notice that it was written anew."""
        files = [self.path / {"log": LOG_FILE, "front": FRONT_FILE}.get(self.kind, "")]
        facts = [(file, file.stat()) for file in files if file.exists()]
        return tuple((file.name, fact.st_mtime_ns, fact.st_size) for file, fact in facts)


def find(folders: Iterable[Path]) -> list[Item]:
    """Search folders, down to a depth of six, for all that the dashboard can show.

    Hidden folders are left out, and so is whatever a symbolic link leads to outside the folder that is searched.

    Parameters
    ----------
    folders : iterable of Path
        Folders; a log, a run or a checkpoint file may be given itself.

    Returns
    -------
    list of Item
        Sorted by kind and name. A name is the path from the folder given, the folder's own name first; what would be
        named twice gets a number.
    """
    found: dict[Path, tuple[str, str]] = {}
    tops: dict[Path, Path] = {}
    for folder in folders:
        top = folder.resolve()
        for kind, path in _search(top):
            if _stays(kind, path, top) and path not in found:
                found[path], tops[path] = (kind, path.relative_to(top.parent).as_posix()), top
    items, seen = [], Counter()
    for path, (kind, name) in found.items():
        seen[kind, name] += 1
        name = name if seen[kind, name] == 1 else f"{name} ({seen[kind, name]})"
        items.append(Item(kind, path, name, owner_of(path, tops[path])))
    return sorted(items, key=lambda item: (KINDS.index(item.kind), item.name))


def owner_of(path: Path, top: Path) -> str:
    """Whose uploads a job below a folder, or what lies in a job, was made of; empty where they are nobody's."""
    for folder in (path, *path.parents):
        if not folder.is_relative_to(top):
            break
        try:
            return (folder / UPLOADS / OWNER).read_text(encoding="ascii")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError):
            return "unknown"  # somebody's, but it cannot be read whose
    return ""


def with_routes(items: Iterable[Item], asked: str | None = None) -> dict[str, Item]:
    """What routes can be seen of, logs and checkpoints, by the words of a list.

    Where these words are ``asked`` for of a recorded network's weights, they are there too: opening them says what they
    are.
    """
    items = list(items)
    found = {f"{item.name} ({item.kind})": item for item in items if item.kind in ("log", "checkpoint")}
    weights = {f"{item.name} (checkpoint)": item for item in items if item.kind == "weights"}
    return found | {name: item for name, item in weights.items() if name == asked}


def _search(top: Path) -> Iterator[tuple[str, Path]]:
    if top.is_file():
        if _is_checkpoint(top.name):
            yield "checkpoint", top
        return
    for place, folders, files in os.walk(top):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        if len(here.relative_to(top).parts) >= DEPTH:
            folders.clear()
        if LOG_FILE in files and _is_whole(here / LOG_FILE):
            folders.clear()
            yield "log", here
        if FRONT_FILE in files:
            folders.clear()  # the logs of its points are its own
            yield "front", here
        if all(file in files for file in RUN_FILES):
            yield "run", here
        found = [here / name for name in sorted(files) if _is_checkpoint(name)]
        yield from (("weights" if _is_recorded(path) else "checkpoint", path) for path in found)


def _stays(kind: str, path: Path, top: Path) -> bool:
    """Whether a thing and all that is read of it lie in a folder, wherever symbolic links lead."""
    places = [path, *(path / name for name in OWN[kind])]
    for place in [place for place in places[1:] if place.is_dir()]:
        links = (entry for here, _, _ in os.walk(place) for entry in os.scandir(here) if entry.is_symlink())
        places += [Path(entry.path) for entry in links]
    return all(place.resolve().is_relative_to(top) for place in places)


def _is_checkpoint(name: str) -> bool:
    return name.endswith(CHECKPOINT_SUFFIXES) and name not in RESUME_FILES


def _is_recorded(path: Path) -> bool:
    """Whether a file holds a recorded network's weights; of one that cannot be read, opening it says why."""
    try:
        with open(path, "rb") as file:
            return file.read(8 + len(RECORDED))[8:] == RECORDED
    except OSError:
        return False


def _is_whole(path: Path) -> bool:
    """Whether a ``log.json`` was finished; one that cannot be read is listed too, so that opening it says why."""
    try:
        return "shards" in json.loads(path.read_bytes())
    except (OSError, ValueError, TypeError):
        return True
