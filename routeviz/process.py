"""Which process is meant: a number alone may by now belong to another one."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path

_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"
_STATE, _START = 0, 19
"""Places in ``/proc/PID/stat`` behind the program's name, which may itself hold blanks and brackets."""


def boot_id() -> str:
    """What tells this start of the machine from every other; empty where the system does not say."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def system_id() -> str:
    """What tells the processes that this one can see from those of other machines, starts and containers: a word."""
    try:
        seen = os.readlink(_PROC / "self/ns/pid")
    except OSError:
        seen = ""
    return hashlib.sha256("\0".join([platform.node(), boot_id(), seen]).encode()).hexdigest()[:12]


def start_time(pid: int) -> str | None:
    """When a process started, as the system writes it; None where there is no such process, or only its remains."""
    if not _PROC.joinpath("self/stat").exists():
        answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return answer.stdout.strip() or None
    try:
        facts = _PROC.joinpath(str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if facts[_STATE] in "ZX" else facts[_START]


def identity(pid: int) -> dict[str, str | int | None]:
    """What to write down of a process so that it can be told from a later one with its number."""
    return {"pid": pid, "start": start_time(pid), "boot": boot_id()}


def is_alive(who: dict[str, str | int | None]) -> bool:
    """Whether exactly the process of an `identity` still runs."""
    return who["start"] is not None and who["boot"] == boot_id() and start_time(int(who["pid"])) == who["start"]
