"""``python -m routeviz.jobs.supervise FOLDER``: starts a job's work, waits for it, and says how it ended.

It leaves whoever started it, and leads a process group of its own with all that the work starts.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from routeviz.jobs.folder import END, JOB, PROGRESS, STDERR, STDOUT, last_line, tail, write_json
from routeviz.process import identity
from routeviz.progress import VARIABLE


def detach() -> int:
    """Go on as a process without parent, terminal or session; gives where to write once the job has begun.

    The process that was started waits until then, and ends.
    """
    reads, writes = os.pipe()
    if os.fork():
        os.close(writes)
        os._exit(0 if os.read(reads, 1) else 1)
    os.close(reads)
    os.setsid()
    return writes


def run(folder: Path, facts: dict[str, Any], begun: int) -> dict[str, Any]:
    """Run the job's command to its end; gives what is to be known of it."""
    asked = []

    def stop(signum: int, frame: object) -> None:
        # The work has got the same signal, and some time to follow it.
        asked.append(signum)
        signal.alarm(facts["grace"])

    signal.signal(signal.SIGTERM, stop)
    program = [*facts["program"], *facts["command"]]
    environment = os.environ | {VARIABLE: str(folder / PROGRESS), "PYTHONUNBUFFERED": "1"}
    with open(folder / STDOUT, "wb") as stdout, open(folder / STDERR, "wb") as stderr:
        work = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment)
    signal.signal(signal.SIGALRM, lambda signum, frame: work.kill())
    write_json(folder / JOB, facts | {"began": time.time(), "processes": [identity(os.getpid()), identity(work.pid)]})
    _say_begun(begun)
    code = work.wait()
    if code == 0:
        return {"state": "finished"}
    if asked:
        return {"state": "stopped"}
    if code < 0:
        memory = "; the machine may have run out of memory" if code == -signal.SIGKILL else ""
        return {"state": "failed", "message": f"ended by {signal.Signals(-code).name}{memory}"}
    line = last_line(tail(folder / STDERR)).removeprefix("routeviz: ").removeprefix("error: ")
    return {"state": "failed", "message": line or f"ended with exit code {code}"}


def _say_begun(pipe: int) -> None:
    """Let go of everything that was shared with whoever started this process; errors until here were theirs to see."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    os.close(nothing)
    os.write(pipe, b".")
    os.close(pipe)


def main() -> None:
    """Supervise the job whose folder is the first argument; its facts are read from standard input as JSON."""
    folder, facts = Path(sys.argv[1]), json.load(sys.stdin)
    end = run(folder, facts, detach())
    write_json(folder / END, end | {"ended": time.time()})
    if end["state"] == "stopped":
        # Whatever the work had started goes with it, and this process last.
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
