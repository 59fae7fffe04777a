"""The folder of a job: all that is known of it, readable by any process at any time.

    JOBS/20261122-180500-trace-scenes/
        job.json          command, title, result, processes; written when it has started
        progress.json     how far it is (see `routeviz.progress`)
        stdout.txt, stderr.txt
        end.json          how it ended; written once
        .uploads/         what was handed in for it

Files appear whole or not at all. A job without ``end.json`` whose processes are gone is lost.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from routeviz.errors import InputError
from routeviz.process import boot_id, is_alive
from routeviz.writing import whole_file

JOB, END, PROGRESS, STDOUT, STDERR = "job.json", "end.json", "progress.json", "stdout.txt", "stderr.txt"
RUNNING = "running"
ENDED = ("finished", "failed", "stopped", "lost")
STATES = (RUNNING, *ENDED)
TAIL = 16_384
_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9-]+")


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    what, unit : str
        The work, and what is counted.
    done, total : int
        `total` is 0 where it is not known.
    rate : float or None
        Of `unit` a second.
    left : float or None
        Seconds to go at this rate.
    inner : Progress or None
        Work within the work, such as an evaluation within a training.
    """

    what: str
    unit: str
    done: int
    total: int
    rate: float | None
    left: float | None
    inner: Progress | None = None


@dataclass(frozen=True)
class Job:
    """A job as it was when it was read.

    Attributes
    ----------
    folder : Path
    title : str
        What it does, for people.
    kind : str
        What sort of work it is; the starter's own word.
    command : tuple of str
        Arguments of ``routeviz``.
    result : Path or None
        Where the result will be.
    began, ended : float
        Seconds since 1970; `ended` is NaN while it runs.
    state : str
        One of ``STATES``.
    message : str
        Why it failed or got lost: one line.
    processes : tuple of dict
        Who supervises and who works, see `routeviz.process.identity`.
    """

    folder: Path
    title: str
    kind: str
    command: tuple[str, ...]
    result: Path | None
    began: float
    ended: float
    state: str
    message: str
    processes: tuple[dict[str, Any], ...]

    @property
    def id(self) -> str:
        """Its name among all jobs, which begins with the time of its start."""
        return self.folder.name

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state == RUNNING

    def progress(self) -> Progress | None:
        """How far it is, as it said last; None before it said anything."""
        try:
            bars = json.loads((self.folder / PROGRESS).read_bytes())
        except (OSError, ValueError):
            return None
        progress = None
        for bar in reversed(bars):
            done, total, rate = int(bar["done"]), int(bar["total"] or 0), bar["rate"]
            left = (total - done) / rate if rate and total >= done else None
            progress = Progress(bar["what"], bar["unit"], done, total, rate, left, progress)
        return progress

    def output(self, name: str = STDERR) -> str:
        """The last of what it printed, at most 16 kB."""
        return tail(self.folder / name)


def new_folder(home: Path, name: str) -> Path:
    """Make a folder for a job that is about to start; what it needs may be put there before.

    Parameters
    ----------
    home : Path
        Where all jobs are; made if it is missing.
    name : str
        Words for the folder's name, whatever characters they hold.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48] or "job"
    try:
        home.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            folder = home / f"{time.strftime('%Y%m%d-%H%M%S')}-{words}{f'-{number}' * (number > 1)}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise InputError(f"cannot make a folder for a job in {home}: {error.strerror}") from None
    raise InputError(f"{home} holds a thousand jobs of this second: wait for the next")


def list_jobs(home: Path) -> list[Job]:
    """All jobs, the latest first; folders that cannot be read as one are left out."""
    if not home.is_dir():
        return []
    jobs = (_read(home / name) for name in os.listdir(home) if _ID.fullmatch(name))
    return sorted((job for job in jobs if job is not None), key=lambda job: (job.began, job.id), reverse=True)


def find_job(home: Path, id_: str) -> Job:
    """The job of a name; raises InputError where there is none."""
    job = _read(home / id_) if _ID.fullmatch(id_) else None
    if job is None:
        raise InputError(f"there is no job {id_!r} in {home}: take one of those listed")
    return job


def delete(job: Job) -> None:
    """Remove a job that has ended, with its result and all that was handed in for it.

    Raises
    ------
    InputError
        If it runs, or another job that runs goes on with its result.
    """
    for other in list_jobs(job.folder.parent):
        theirs = other.result is not None and other.result.is_relative_to(job.folder.resolve())
        if other.running and (other.id == job.id or theirs):
            raise InputError(f"{other.title} is running: stop it before this job is deleted")
    shutil.rmtree(job.folder)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all, and have it on the disk."""
    with whole_file(path) as draft:
        draft.write_text(json.dumps(content, indent=1), encoding="utf-8")


def last_line(text: str) -> str:
    """The last line of a text that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _read(folder: Path) -> Job | None:
    try:
        facts = json.loads((folder / JOB).read_bytes())
        # Asked before the end is looked for: a job that ends in between has then written how.
        alive = any(is_alive(process) for process in facts["processes"])
        end = _end(folder, facts, alive)
        result = facts["result"]
        return Job(
            folder=folder,
            title=facts["title"],
            kind=facts["kind"],
            command=tuple(facts["command"]),
            result=None if result is None else Path(result),
            began=facts["began"],
            ended=end.get("ended", float("nan")),
            state=end["state"],
            message=end.get("message", ""),
            processes=tuple(facts["processes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _end(folder: Path, facts: dict[str, Any], alive: bool) -> dict[str, Any]:
    if (folder / END).exists():
        return json.loads((folder / END).read_bytes())
    if alive:
        return {"state": RUNNING}
    restarted = facts["processes"][0]["boot"] != boot_id()
    message = "the machine was restarted" if restarted else "its processes were killed"
    return {"state": "lost", "message": f"{message} before it could end"}


def tail(path: Path) -> str:
    """The last 16 kB of a text file; empty where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
