"""Handing what a reading process has read to the process that asked for it, through memory that both share."""

from __future__ import annotations

import mmap
import pickle
from typing import Any, NamedTuple

SLOT_BYTES = 1 << 24
"""Room for the arrays of one image and its label; only what is written to is taken from the machine."""


class Parcel(NamedTuple):
    """Something whose arrays lie in a slot: all else of it, and how many bytes each array has."""

    slot: int
    rest: bytes
    lengths: list[int]


class Slots:
    """Memory in places of equal size, shared with the processes that are forked afterwards.

    A pipe holds 64 kB, so that an image goes through it only while both ends attend to it; here it waits. The memory
    has no name: that of ``/dev/shm`` is scarce in containers.

    Parameters
    ----------
    number : int
        Who puts things into slots in turn may have one less waiting.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._memory = mmap.mmap(-1, number * SLOT_BYTES) if number else b""

    def put(self, slot: int, thing: Any) -> Any:
        """Copy the arrays of a thing into a slot, over what was there; the thing itself where they are too large."""
        buffers: list[pickle.PickleBuffer] = []
        rest = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
        arrays = [buffer.raw() for buffer in buffers]
        if not self.number or sum(array.nbytes for array in arrays) > SLOT_BYTES:
            return thing
        at = slot * SLOT_BYTES
        for array in arrays:
            self._memory[at : at + array.nbytes] = array
            at += array.nbytes
        return Parcel(slot, rest, [array.nbytes for array in arrays])

    def take(self, found: Any) -> Any:
        """The thing that was put there, its arrays copied out of the slot."""
        if not isinstance(found, Parcel):
            return found
        at, arrays = found.slot * SLOT_BYTES, []
        for length in found.lengths:
            arrays.append(bytearray(memoryview(self._memory)[at : at + length]))
            at += length
        return pickle.loads(found.rest, buffers=arrays)

    def __reduce__(self) -> tuple:
        return Slots, (0,)  # a process that was started in another way than forked sends things as they are
