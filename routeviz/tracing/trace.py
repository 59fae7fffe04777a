"""Tracing: every image of a dataset through a network, its gates and facts into a route log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from routeviz.errors import InputError
from routeviz.network import RoutingNetwork
from routeviz.network.forcing import RouteLike, forced_gates
from routeviz.progress import Bar
from routeviz.routelog import LogWriter, RouteLog, Skipped, load_log
from routeviz.tracing.ranks import Ranks, joined_ranks
from routeviz.tracing.reading import Reading, equal_sizes, read_ahead, readers_watched
from routeviz.tracing.recorder import Recorder
from routeviz.tracing.source import source_of


def trace(
    net: RoutingNetwork,
    dataset: Any,
    *,
    batch_size: int = 8,
    out: str | Path | None = None,
    resize: tuple[int, int] | None = None,
    route: RouteLike | None = None,
    workers: int = 1,
    look_ahead: int | None = None,
    shard_size: int | None = None,
    progress: bool = False,
) -> RouteLog:
    """Record the routes that a dataset's images take through a network, with facts of every image.

    Images are read while the network works, batched with images of their own size only, and logged in dataset order.
    Memory does not grow with their number. Killed at any moment and called again with the same settings, it goes on
    where it was, and the log's bytes are those of an undisturbed run. Under ``torchrun`` the processes share out the
    images and write one log.

    Parameters
    ----------
    net : RoutingNetwork
        Used where it is (CPU or GPU), in eval mode.
    dataset : dataset
        Anything with ``__len__``, ``__getitem__(index) -> Sample``, ``class_names`` and ``ignore_index``. An image that
        cannot be read is skipped, and listed in ``log.skipped``.
    batch_size : int
        Images of one size that go through the network together.
    out : path, optional
        Folder of the log; without it the log is in memory.
    resize : (height, width), optional
        Size that images are brought to (bilinear) before the network sees them. Labels keep their size: logits are
        resized to it (bilinear) before they are compared.
    route : Route, ForcedRoute, mapping of path index to value, or (path,) array, optional
        Activations to use instead of the gates'; NaN asks the gate.
    workers : int
        Processes that decode images and measure labels; 0 does it in this one.
    look_ahead : int, optional
        Most images that wait for others of their size; by default four batches.
    shard_size : int, optional
        Images per shard of the log; a kill costs at most one shard a process.
    progress : bool
        Show a bar with rate and time left if it takes longer than two seconds.

    Returns
    -------
    RouteLog
        Columns of ``images``: id, file, height and width (as the network saw it), what the dataset knows, macs_conv,
        macs_fvcore, macs_released, expected_macs_released; with labels objects_count, objects_median_area,
        objects_share_small, _medium, _large (and the same of each class, as ``objects_count_<class>``); and, where the
        network has the dataset's classes, pixel_accuracy, miou (over the classes present) and iou_<class>.

    Raises
    ------
    InputError
        If the dataset is empty, a setting cannot be used, or the route does not fit the network.
    LogError
        If the folder cannot be used, or holds a log with other settings; if no image can be read.
    """
    if len(dataset) == 0:
        raise InputError("the dataset has no images; give one with at least one")
    if batch_size < 1 or workers < 0 or (resize is not None and min(resize) < 1):
        raise InputError(f"batch_size {batch_size}, workers {workers}, resize {resize}; give at least 1, 0 and 1x1")
    forced = None if route is None else forced_gates(route, net.space, 1, None)[0].numpy()
    source = source_of(net, dataset, resize=resize, route=route, forced=forced)
    settings = {"out": out, "resize": resize, "batch_size": batch_size, "workers": workers, "progress": progress}
    settings |= {"look_ahead": look_ahead, "shard_size": shard_size}
    return record(net, dataset, lambda: Recorder(net, dataset, forced), source, what="tracing", **settings)


def record(
    net: RoutingNetwork,
    dataset: Any,
    recorder: Callable[[], Recorder],
    source: Mapping[str, Any],
    *,
    what: str,
    out: str | Path | None,
    resize: tuple[int, int] | None,
    batch_size: int,
    workers: int,
    look_ahead: int | None = None,
    shard_size: int | None = None,
    progress: bool = False,
) -> RouteLog:
    """Write a log of what a recorder makes of a dataset's images; goes on where it was killed.

    ``recorder`` makes one, with the network in eval mode; ``source`` is all that its rows depend on, and ``what`` names
    the work beside its bar. The others are those of `trace`.
    """

    def write(folder: Path, ranks: Ranks) -> RouteLog:
        def open_log() -> LogWriter:
            return LogWriter(folder, net.space, source, len(dataset), shard_size=shard_size, leader=ranks.first)

        with ranks.in_turn(open_log) as writer:
            blocks = {number: writer.block(number) for number in writer.pending[ranks.rank :: ranks.size]}
            positions = chain.from_iterable(blocks.values())
            readings = read_ahead(dataset, positions, resize=resize, workers=workers, ahead=max(2, batch_size))
            total = sum(map(len, blocks.values()))
            with readers_watched(), _evaluating(net), _bar(what, total, shown=progress and ranks.first) as bar:
                rows = recorder()
                for number, block in blocks.items():
                    skipped: list[Skipped] = []
                    readable = _readable(islice(readings, len(block)), skipped)
                    for batch in equal_sizes(readable, batch_size, look_ahead or 4 * batch_size):
                        rows.record(batch)
                        bar.update(len(batch))
                    writer.write(number, *rows.collect(), skipped)
                    bar.update(len(skipped))
            ranks.wait()
            ranks.in_turn(writer.finish)
        return load_log(folder)

    with joined_ranks() as ranks:
        if out is not None:
            return write(Path(out), ranks)
        if ranks.size > 1:
            raise InputError("several processes write one log: give the folder for it with out")
        with TemporaryDirectory() as scratch:
            log = write(Path(scratch, "log"), ranks)
            return RouteLog(log.gates, log.images, log.space, log.source, skipped=log.skipped)


def _readable(readings: Iterable[Reading | Skipped], skipped: list[Skipped]) -> Iterator[Reading]:
    """Put aside what could not be read."""
    for reading in readings:
        if isinstance(reading, Skipped):
            skipped.append(reading)
        else:
            yield reading


def _bar(what: str, total: int, *, shown: bool) -> Bar:
    return Bar(desc=what, total=total, unit="image", delay=2, disable=not shown)


@contextmanager
def _evaluating(net: RoutingNetwork) -> Iterator[None]:
    """In eval mode, and on a GPU with convolutions in full float32 that give the same every time."""
    training, cudnn = net.training, torch.backends.cudnn
    net.eval()
    try:
        with cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        if training:
            net.train()
