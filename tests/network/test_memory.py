"""Memory that is freed stays with the process, where that was asked for: counted as faults of pages, not as time."""

import os
import platform
import resource
import subprocess
import sys

import pytest

PASSES = """
import ctypes, resource, sys
import torch
from routeviz.network import keep_freed_memory
torch.set_num_threads(1)
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # no transparent huge pages, of which few are needed
if "keep" in sys.argv:
    print(keep_freed_memory())
def passes():
    for _ in range(4):
        torch.ones(10_000_000)  # 40 MB, more than the C library keeps of itself
passes()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
passes()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or resource.getpagesize() != 4096, reason="only glibc is told; pages are counted"
)


def run(*arguments, **settings):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PASSES, *arguments],
        env=environment | settings,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@glibc
def test_memory_is_given_back_unless_it_is_to_be_kept():
    (given_back,) = run()
    told, kept = run("keep")
    assert told == "True"
    assert int(kept) < 100
    assert int(given_back) > 4 * 9_765  # pages of 4 KiB


@glibc
def test_what_the_environment_says_of_memory_stays():
    told, faults = run("keep", MALLOC_TRIM_THRESHOLD_="0")
    assert told == "False"
    assert int(faults) > 100
