"""Reading a dataset ahead of the network: decoding and label facts, in processes of their own where asked."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from routeviz.errors import LogError, RoutevizError
from routeviz.metrics import object_facts
from routeviz.routelog import Skipped
from routeviz.tracing.handover import Slots


class Reading(NamedTuple):
    """One image as read, with all facts that need no network.

    Attributes
    ----------
    index : int
        Its position in the dataset.
    image : ndarray, (height, width, 3) uint8
        RGB, at the size that the network sees.
    label : ndarray, (height, width) int, or None
        At its own size.
    facts : dict
        id, file, height, width, and what the dataset knows.
    objects : dict
        Object-scale facts of the label; empty without one.
    """

    index: int
    image: np.ndarray
    label: np.ndarray | None
    facts: dict[str, Any]
    objects: dict[str, Any]


class Reader(Dataset):
    """A dataset's images as `Reading`, or as `Skipped` where one cannot be used.

    Parameters
    ----------
    dataset : sequence of Sample
        Anything with ``__len__``, ``__getitem__``, ``class_names`` and ``ignore_index``; its ``ids`` and
        ``facts(index)`` are used where it has them.
    resize : (height, width), optional
        Size to bring images to; labels keep theirs.
    """

    def __init__(self, dataset: Any, resize: tuple[int, int] | None) -> None:
        self.dataset = dataset
        self.resize = resize

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Reading | Skipped:
        index = int(index)
        try:
            return self._read(index)
        # A dataset is anybody's code on anybody's files: whatever goes wrong with an image is a line in the report.
        except Exception as error:
            reason = str(error) if isinstance(error, RoutevizError) else f"{type(error).__name__}: {error}"
            ids = getattr(self.dataset, "ids", None)
            reason = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in " ".join(reason.split()))
            return Skipped(index, _text(ids[index]) if ids is not None else "", reason)

    def _read(self, index: int) -> Reading:
        sample = self.dataset[index]
        image = np.asarray(sample.image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(f"image of shape {image.shape} and dtype {image.dtype}, not (height, width, 3) uint8")
        if self.resize is not None:
            height, width = self.resize
            image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        own = {
            "id": _text(sample.id),
            "file": _text(sample.file),
            "height": image.shape[0],
            "width": image.shape[1],
        }
        known = self.dataset.facts(index) if hasattr(self.dataset, "facts") else {}
        names = tuple(self.dataset.class_names)
        label = None if sample.label is None or not names else np.asarray(sample.label)
        objects = {} if label is None else object_facts(label, names, self.dataset.ignore_index)
        # Own facts twice: first for their place, last for their value.
        return Reading(
            index,
            image,
            label,
            own | known | own,
            {f"objects_{name.removeprefix('object_')}": value for name, value in objects.items()},
        )


def read_ahead(
    dataset: Any, positions: Iterable[int], *, resize: tuple[int, int] | None, workers: int, ahead: int
) -> Iterator[Reading | Skipped]:
    """Give the images at these positions in their order, read by worker processes while the network works.

    Parameters
    ----------
    dataset, resize
        As for `Reader`.
    positions : iterable of int
    workers : int
        Number of processes; 0 reads in this one.
    ahead : int
        Images that each process reads in advance.
    """
    reader = Reader(dataset, resize)
    if not workers:
        yield from map(reader.__getitem__, positions)
        return
    # The loader asks for another image just before it gives one: that one's slot must not be written to yet.
    slots = Slots(workers * ahead + 1)
    loader = DataLoader(
        _Posting(reader, slots),
        sampler=((number % slots.number, index) for number, index in enumerate(positions)),
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
        prefetch_factor=ahead,
        generator=torch.Generator(),  # or the loader draws a number from everyone's
    )
    with warnings.catch_warnings():
        # A forked reader runs no thread but its own.
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        readings = iter(loader)
    yield from map(slots.take, readings)


class _Posting(Dataset):
    """A reader that leaves what it reads in slots."""

    def __init__(self, reader: Reader, slots: Slots) -> None:
        self.reader, self.slots = reader, slots

    def __getitem__(self, where: tuple[int, int]) -> Any:
        slot, index = where
        return self.slots.put(slot, self.reader[index])


@contextmanager
def readers_watched() -> Iterator[None]:
    """Turn what torch raises when a reading process dies, wherever this one happens to be, into a LogError."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        cause = " ".join(str(error).split())
        raise LogError(f"a process that reads images died: {cause}; run again, with fewer or no workers") from error


def equal_sizes(readings: Iterable[Reading], batch_size: int, look_ahead: int) -> Iterator[list[Reading]]:
    """Group images of equal size into batches.

    Parameters
    ----------
    readings : iterable of Reading
    batch_size : int
    look_ahead : int
        Most images that wait for their equals; beyond, those of the size that waits longest go as they are.

    Yields
    ------
    list of Reading
        At most `batch_size` images of one size, in their order.
    """
    waiting: dict[tuple[int, ...], list[Reading]] = {}
    for reading in readings:
        size = reading.image.shape
        batch = waiting.setdefault(size, [])
        batch.append(reading)
        if len(batch) == batch_size:
            yield waiting.pop(size)
        elif sum(map(len, waiting.values())) >= look_ahead:
            yield waiting.pop(next(iter(waiting)))
    yield from waiting.values()


def _as_it_is(reading: Any) -> Any:
    return reading


def _text(value: Any) -> str:
    """Text that every file format can hold: bytes of a name that are no UTF-8 are spelled out."""
    return str(value).encode("utf-8", "backslashreplace").decode()
