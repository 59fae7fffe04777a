"""What the fault tests share: how often each is tried, what came of it, and something small to disturb.

``make soak`` sets ROUTEVIZ_SOAK, SOAK_KILLS and SOAK_MINUTES: then each test tries long, and notes what came of it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, seed, settings

from routeviz.cli.main import cli

FEW = 20
PATIENCE = 60  # seconds of this process's own time that one file may take, and ten times as long beside others
MEMORY = 1 << 30  # bytes that all of them may add: a picture of the most pixels that are allowed takes most of it

CHILD = Path(__file__).with_name("child.py")


class Soak(NamedTuple):
    """How long to try.

    Attributes
    ----------
    long : bool
        Whether this is ``make soak``.
    kills, disks, pairs : int
        Kills, full disks and pairs of processes of each command.
    seconds : float
        Of fuzzing, each loader; 0 for a few examples.
    """

    long: bool
    kills: int
    disks: int
    pairs: int
    seconds: float


@pytest.fixture(scope="session")
def soak() -> Soak:
    if not os.environ.get("ROUTEVIZ_SOAK"):
        return Soak(False, kills=2, disks=2, pairs=1, seconds=0)
    seconds = 60 * float(os.environ.get("SOAK_MINUTES", 10))
    return Soak(True, kills=int(os.environ.get("SOAK_KILLS", 50)), disks=10, pairs=10, seconds=seconds)


@pytest.fixture(scope="session")
def note() -> Callable[..., None]:
    """Write down what was tried and what came of it, for the table in docs/reliability.md."""

    def write(part: str, what: str, tried: str, times: int, outcome: str) -> None:
        if path := os.environ.get("ROUTEVIZ_SOAK"):
            line = {"part": part, "what": what, "tried": tried, "times": times, "outcome": outcome}
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    return write


@pytest.fixture(scope="session")
def routeviz_once() -> Callable[..., Result]:
    """Run the command line in this process, for what is made once."""
    return lambda *arguments: CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)


@pytest.fixture(scope="session")
def start(launch) -> Callable[..., Any]:
    """Start a command line: ``start("trace", checkpoint, ...)``; it stands still at its first file in ``stand_in``."""

    def begin(*arguments: object, stand_in: object = "") -> Any:
        return launch(CHILD, stand_in, *arguments)

    begin("--version").ended()  # so that no other waits for the imports
    return begin


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Callable[[], Any]]:
    """A file system of its own, 64 MiB in memory; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("needs a file system that can be filled: mounting a tmpfs takes root")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class Disk:
    """A small file system to fill and to close."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / ".filler"

    @contextmanager
    def filled(self, room: int) -> Iterator[None]:
        """Leave as many bytes, to whole pages."""
        free = os.statvfs(self.folder)
        with open(self._filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_bsize - room))
        try:
            yield
        finally:
            self._filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["mount", "-o", "remount,rw", self.folder], check=True)


class CodeRunError(Exception):
    """A file made something run."""


ARMED = []
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "pty.spawn")


@pytest.fixture(scope="session")
def watch():
    """An audit hook, which cannot be taken off again, raises where a loader starts a program."""

    def hook(event, arguments):
        if ARMED and event in FORBIDDEN:
            raise CodeRunError(f"{event} {arguments}")

    sys.addaudithook(hook)


@contextmanager
def watched():
    """Nothing runs, and it ends."""

    def late(*_):
        raise TimeoutError(f"took more than {PATIENCE} seconds")

    clocks = {signal.SIGPROF: (signal.ITIMER_PROF, PATIENCE), signal.SIGALRM: (signal.ITIMER_REAL, 10 * PATIENCE)}
    before = {number: signal.signal(number, late) for number in clocks}
    for clock, seconds in clocks.values():
        signal.setitimer(clock, seconds)
    ARMED.append(True)
    try:
        yield
    finally:
        ARMED.clear()
        for number, (clock, _) in clocks.items():
            signal.setitimer(clock, 0)
            signal.signal(number, before[number])


@pytest.fixture(scope="session")
def memory() -> Callable[[], Callable[[], int]]:
    """Begin to watch memory: gives how many bytes more than at the beginning this process has held at one time."""

    def most() -> int:
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])

    def begin() -> Callable[[], int]:
        Path("/proc/self/clear_refs").write_text("5")  # forget what other tests took
        before = most()
        return lambda: most() - before

    return begin


@pytest.fixture
def fuzz(soak, note, watch, memory):
    """Run a property on a few examples, or as long as the soak lasts; note how many, and how many were refused."""

    def run(what, tried, strategy, check, refusal, share=1.0):
        outcomes = {"refused": 0, "read": 0}

        def one(example):
            with watched(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                said = ""
                try:
                    check(example)
                except refusal as error:
                    said = str(error)
            outcomes["refused" if said else "read"] += 1
            assert said.isprintable()

        how = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}
        grown = memory()
        if soak.long:
            end, number = time.monotonic() + share * soak.seconds, 0
            while time.monotonic() < end:
                seed(number)(settings(max_examples=200, derandomize=False, **how)(given(strategy)(one)))()
                number += 1
        else:
            settings(max_examples=FEW, derandomize=True, **how)(given(strategy)(one))()
        assert grown() < MEMORY
        total = sum(outcomes.values())
        note(
            "Fuzz",
            what,
            tried,
            total,
            f"{outcomes['refused']:,} refused in one line, {outcomes['read']:,} read whole; nothing else, no code run",
        )

    return run
