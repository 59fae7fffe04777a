"""How quickly routeviz starts, and how quickly and in what memory it reads and describes a log of a million images.

    python analysis/benchmarks/logs.py [FOLDER] [--images 1000000] [--repeats 5]

FOLDER is where synthetic.py writes the log, unless it is there already. Every measure is taken in fresh processes, and
they take turns: what else the machine does falls on all measures alike. The table gives the median and the least of
the wall clock, the least processor time (of all threads; on a machine that others use too, the best estimate of what a
quiet one takes) and the largest resident memory of the process, which is read from /proc: this runs on Linux. Files are
read from the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from synthetic import write_log

START = """
import json, sys, time
import numpy as np, pandas as pd, pyarrow.parquet
import routeviz as rv
from routeviz import routelog, space, stats
folder = sys.argv[1]
"""
STOP = """
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([wall, cpu, int(peak) / 1024]))
"""
CLOCK = "wall, cpu = time.perf_counter(), time.process_time()\n"
OPENED = "log = rv.load_log(folder); len(log)\n"
COUNTED = """
from routeviz import costs
log = rv.load_log(folder)
net = rv.RoutingNetwork(rv.NetworkConfig.from_dict(log.source["network"])).eval()
gates, size = log.gates, tuple(int(log.facts(name)[name][0]) for name in ("height", "width"))
"""
ROW = "row = log.select([len(log) // {part}]); row.images.iloc[0].to_dict(), row.gates[0]\n"

MEASURES = {
    "log: open": (1.0, CLOCK + OPENED),
    "log: all population statistics, from its folder": (5.0, CLOCK + OPENED + "stats.summary(log)\n"),
    "log: one image's row, the first": (0.05, OPENED + CLOCK + ROW.format(part=2)),
    "log: one image's row, another": (0.05, OPENED + ROW.format(part=2) + CLOCK + ROW.format(part=3)),
    "log: MACs of all routes (conv)": (1.0, COUNTED + CLOCK + "rv.macs(net, gates, size)\n"),
}
"""Seconds to stay under, and what is measured after the clock is read."""

PROGRAMS = {
    "import routeviz": (0.2, ["-c", "import routeviz"]),
    "routeviz --help": (0.3, ["-m", "routeviz", "--help"]),
}


def snippet(code: str, folder: Path) -> tuple[float, float, float]:
    """Wall clock and processor time of a piece of code in seconds, and the memory of its process in MB."""
    text = subprocess.run(
        [sys.executable, "-c", START + code + STOP, folder], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return tuple(json.loads(text))


def program(arguments: list[str]) -> tuple[float, float, float]:
    """The same of a whole Python process, from its start to its end."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments} ended with {process.returncode}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(folder: Path, repeats: int) -> dict[str, list[tuple[float, float, float]]]:
    """All measures, in turn."""
    results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in (*PROGRAMS, *MEASURES)}
    for _ in range(repeats):
        for name, (_, arguments) in PROGRAMS.items():
            results[name].append(program(arguments))
        for name, (_, code) in MEASURES.items():
            results[name].append(snippet(code, folder))
    return results


def report(results: dict[str, list[tuple[float, float, float]]]) -> None:
    """Print the table."""
    print(f"{'measure':<50}{'median':>9}{'least':>9}{'cpu':>9}{'aim':>9}{'memory':>10}")
    for name, values in results.items():
        wall, cpu, memory = zip(*values, strict=True)
        aim = (PROGRAMS | MEASURES)[name][0]
        seconds = "".join(f"{value:>8.3f}s" for value in (statistics.median(wall), min(wall), min(cpu), aim))
        # A program starts with what its parent held, so its peak says nothing.
        print(f"{name:<50}{seconds}" + (f"{max(memory):>7.0f} MB" if name in MEASURES else ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="Of the log; by default a folder that is removed again.")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch, "log")
        if not folder.exists():
            started, cpu = time.perf_counter(), time.process_time()
            write_log(folder, given.images)
            wall, cpu = time.perf_counter() - started, time.process_time() - cpu
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            print(f"wrote {given.images:,} images, {size / 1e6:,.0f} MB, in {wall:.0f} s (cpu {cpu:.0f} s)")
        report(measure(folder, given.repeats))


if __name__ == "__main__":
    main()
