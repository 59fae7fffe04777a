"""Starting and stopping jobs."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from routeviz.errors import InputError, RoutevizError
from routeviz.jobs.folder import END, Job, find_job, last_line, list_jobs, write_json
from routeviz.process import is_alive

MOST = 2
"""Jobs that run at once unless another number is given."""

PROGRAM = (sys.executable, "-m", "routeviz")
GRACE_S = 10


def start(
    folder: Path,
    command: Sequence[str],
    *,
    title: str,
    kind: str,
    result: Path | None = None,
    most: int = MOST,
) -> Job:
    """Start a job in a folder that `new_folder` made.

    It belongs to no terminal, page or server: it goes on when whoever started it ends.

    Parameters
    ----------
    folder : Path
        From `new_folder`; it may hold what the job needs.
    command : sequence of str
        Arguments of ``routeviz``, as in ``("trace", "model.safetensors", "--dataset", "scenes", "--out", "log")``.
    title, kind : str
        What it does, for people; what sort of work it is, for programs.
    result : Path, optional
        Where the result will be.
    most : int
        Jobs that may run at once beside each other in the folder's parent.

    Raises
    ------
    InputError
        If as many jobs run already; the folder is removed.
    RoutevizError
        If the process cannot be started.
    """
    facts = {
        "title": title,
        "kind": kind,
        "program": PROGRAM,
        "command": list(command),
        "grace": GRACE_S,
        "result": None if result is None else str(result.resolve()),
    }
    with _alone(folder.parent):
        running = sum(job.running for job in list_jobs(folder.parent))
        if running >= most:
            shutil.rmtree(folder)
            jobs = "1 job is" if running == 1 else f"{running} jobs are"
            raise InputError(f"{jobs} running, and no more than {most} may at once: wait for one, or stop one")
        # The supervisor says that it has begun by ending the process that is waited for here.
        program = [sys.executable, "-m", "routeviz.jobs.supervise", str(folder.resolve())]
        started = subprocess.run(program, input=json.dumps(facts), capture_output=True, text=True, check=False)
    if started.returncode:
        raise RoutevizError(f"the job could not be started: {last_line(started.stderr) or started.returncode}")
    return find_job(folder.parent, folder.name)


def stop(job: Job) -> None:
    """Ask a job's processes to end; those that have not after some seconds are killed. Returns at once.

    A job that has ended is left as it is, and so is any other process that got its number since.
    """
    supervisor, worker = job.processes
    if is_alive(supervisor):
        # The whole group: the supervisor sees to it that the rest has ended before it does.
        os.killpg(supervisor["pid"], signal.SIGTERM)
    elif is_alive(worker):
        os.killpg(supervisor["pid"], signal.SIGKILL)
        write_json(job.folder / END, {"state": "stopped", "ended": time.time()})


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep others, threads of this process included, from starting a job here meanwhile."""
    with open(home / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
