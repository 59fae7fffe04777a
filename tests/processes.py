"""Processes that tests start and watch, forked from one that has imported all that commands need."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LAUNCHED = Path(__file__).with_name("launched.py")
PATIENCE = 600
PRELOADED = (
    *("routeviz.cli.main", "routeviz.cli.report", "routeviz.cli.export", "routeviz.cli.import_", "routeviz.cli.train"),
    "routeviz.cli.figures",
    *("routeviz.training.loop", "routeviz.tracing", "routeviz.report", "routeviz.plots.paper", "routeviz.graph"),
)


class Started:
    """A script that runs in a process of its own."""

    def __init__(self, process: Any, output: Path) -> None:
        self.process, self._output = process, output

    def kill(self) -> int:
        """Kill it, and give its exit code: 0 where it was done before."""
        self.process.kill()
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; give its exit code."""
        self.process.join(PATIENCE)
        return self.process.exitcode

    def stands(self) -> None:
        """Wait until it stands still."""
        stat, end = Path(f"/proc/{self.process.pid}/stat"), time.monotonic() + PATIENCE
        while self.process.is_alive() and time.monotonic() < end:
            if stat.read_text().rpartition(")")[2].split()[0] == "T":
                return
            time.sleep(0.01)
        raise AssertionError(f"it does not stand still: {self.output}")

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    @property
    def output(self) -> str:
        """What it said, errors too."""
        return self._output.read_text()


def launcher(folder: Path) -> Callable[..., Started]:
    """Make ``launch(script, *arguments, cwd=..., **environment)``, whose outputs lie in a folder."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    count = iter(range(10**9))

    def launch(script: Path, *arguments: object, cwd: Path = folder, **environment: object) -> Started:
        output = folder / str(next(count))
        told = {"script": str(script), "arguments": [*map(str, arguments)], "output": str(output), "cwd": str(cwd)}
        told["environment"] = {name: str(value) for name, value in environment.items()}
        process = context.Process(target=runpy.run_path, args=(str(LAUNCHED), told))
        process.start()
        return Started(process, output)

    return launch


def together(launch: Callable[..., Started], ranks: int, script: Path, *arguments: object) -> list[Started]:
    """Start a script as so many ranks of one job, as ``torchrun`` does, and wait for their ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        job = {"WORLD_SIZE": ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": probe.getsockname()[1]}
    started = [launch(script, *arguments, RANK=rank, LOCAL_RANK=rank, **job) for rank in range(ranks)]
    for process in started:
        process.ended()
    return started
