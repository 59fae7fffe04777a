"""What tracing costs beside bare inference, and whether its memory grows with the number of images.

    OMP_NUM_THREADS=1 python analysis/benchmarks/tracing.py [--images 256] [--repeats 3] [--many 10000]

Bare inference normalises images that were read before the clock started, and sends them through the bundled network
in batches of eight; with labels, it also compares the segmentations with them. Tracing reads the same images in a
process of its own while the network works, and writes a log: once from PNG files without labels, once from `scenes`,
which draws images and labels and finds their objects. `cpu` is processor time of this process alone; `wall` shows how
far the two overlap. Two processes on one core's two threads slow each other down, so what tracing adds is told from a
trace that reads in this process too, less reading alone, over inference. All take turns. What a trace does once,
whatever its length (the hash of the weights, the header), is among it: more images, less of it for each.

Before that, traces are looked into: where the time of their own process goes, part by part within one run, so that
both sides of a ratio meet the same machine at the same moments. `own` is what is neither the network nor comparing
with labels; decoding and label facts are timed in the reading process, and what a trace does once is told apart. Then
batches go through the network while another process reads and while that is stopped, in turns: what sharing costs.

With --many, small images are traced, 100 and that many, each in a process of its own, and the largest resident memory
of both is compared; it is read from /proc, so this runs on Linux.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from inference import taking_turns, timed
from PIL import Image

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.datasets import Sample
from routeviz.metrics import confusion
from routeviz.routelog import LogWriter
from routeviz.tracing import reading, recorder
from routeviz.tracing.reading import Reader, read_ahead
from routeviz.tracing.recorder import Recorder
from routeviz.training import checkpoint_paths

SIZE, BATCH = (352, 480), 8
FEW, SMALL = 100, (64, 64)
NETWORK, FETCH, BATCHES, COLUMNS, WRITING, LABELS, ONCE = (
    "network",
    "images from the reading process",
    "batches: normalised, stacked, moved",
    "columns: MACs, facts",
    "writing shards",
    "segmentations compared with labels",
    "once a trace",
)
OWN = (FETCH, BATCHES, COLUMNS, WRITING)
DECODING, FACTS = "decoding or drawing", "label facts"

MEMORY = """
import sys
import routeviz as rv
rv.keep_freed_memory()  # as the commands do
number, size, checkpoint, out = int(sys.argv[1]), (int(sys.argv[2]), int(sys.argv[3])), sys.argv[4], sys.argv[5]
rv.trace(rv.load_checkpoint(checkpoint), rv.open_dataset("scenes", length=number, size=size), out=out)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def last_checkpoint() -> Path:
    """The bundled network, fully trained."""
    return list(checkpoint_paths(bundled_data("checkpoints") / "scenes").values())[-1]


@torch.inference_mode()
def infer(net: rv.RoutingNetwork, samples: list[Sample], ignore_index: int | None, *, scored: bool) -> None:
    """What any script would do with images and labels in memory."""
    for first in range(0, len(samples), BATCH):
        batch = samples[first : first + BATCH]
        logits = net(torch.stack([net.preprocess(sample.image) for sample in batch])).logits
        for sample, one in zip(batch, logits, strict=True) if scored else ():
            classes = one.max(dim=0).indices.numpy()  # of argmax it is a quarter of the time
            confusion(sample.label, classes, net.config.num_classes, ignore_index)


def trace(net: rv.RoutingNetwork, dataset: object, *, workers: int) -> None:
    with TemporaryDirectory() as folder:
        rv.trace(net, dataset, out=Path(folder, "log"), batch_size=BATCH, workers=workers)


def read(dataset: object) -> None:
    """Decode or draw all images and measure their labels, in this process."""
    for _ in read_ahead(dataset, range(len(dataset)), resize=None, workers=0, ahead=2):
        pass


class Clock:
    """Seconds (wall-clock, processor) by part; a part that calls another stands still meanwhile."""

    def __init__(self) -> None:
        self.seconds: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
        self._running, self._since = [ONCE], self._now()

    def call(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its time booked as this part's."""

        @wraps(function)
        def clocked(*arguments: Any, **keywords: Any) -> Any:
            self._turn(lambda: self._running.append(part))
            try:
                return function(*arguments, **keywords)
            finally:
                self._turn(self._running.pop)

        return clocked

    def stop(self) -> dict[str, np.ndarray]:
        """Seconds of all parts."""
        self._turn(lambda: None)
        return self.seconds

    def _turn(self, change: Callable[[], object]) -> None:
        now = self._now()
        self.seconds[self._running[-1]] += now - self._since
        change()
        self._since = self._now()

    def _now(self) -> np.ndarray:
        return np.array([time.perf_counter(), time.process_time()])


@contextmanager
def clocked_trace(net: rv.RoutingNetwork) -> Iterator[Callable[[], dict[str, np.ndarray]]]:
    """Time the parts of the trace that runs within; yields what gives their seconds (wall-clock, processor)."""
    clock, beside = Clock(), multiprocessing.Array("d", 4)

    def fetched(*arguments: Any, **keywords: Any) -> Iterator[Any]:
        readings = read_ahead(*arguments, **keywords)
        # The first starts the process.
        yield next(readings)
        take = clock.call(FETCH, lambda: next(readings, None))
        while (one := take()) is not None:
            yield one

    def in_reader(place: int, function: Callable[..., Any]) -> Callable[..., Any]:
        # A forked reader inherits this, and what it adds to.
        def clocked(*arguments: Any) -> Any:
            kept: list[Any] = []
            wall, cpu = timed(lambda: kept.append(function(*arguments)))
            beside[place], beside[place + 1] = beside[place] + wall, beside[place + 1] + cpu
            return kept[0]

        return clocked

    def seconds() -> dict[str, np.ndarray]:
        whole, facts = np.array(beside[:2]), np.array(beside[2:])
        return dict(clock.stop()) | {DECODING: whole - facts, FACTS: facts}

    wrapped = (
        (recorder, "classes_at", LABELS),
        (recorder, "confusion", LABELS),
        (Recorder, "_scores", LABELS),
        (Recorder, "record", BATCHES),
        (Recorder, "collect", COLUMNS),
        (LogWriter, "write", WRITING),
    )
    with ExitStack() as stack:
        for owner, name, part in wrapped:
            stack.enter_context(patch.object(owner, name, clock.call(part, getattr(owner, name))))
        stack.enter_context(patch.object(net, "forward", clock.call(NETWORK, net.forward)))
        stack.enter_context(patch("routeviz.tracing.trace.read_ahead", fetched))
        stack.enter_context(patch.object(Reader, "__getitem__", in_reader(0, Reader.__getitem__)))
        stack.enter_context(patch.object(reading, "object_facts", in_reader(2, reading.object_facts)))
        yield seconds


def part_table(net: rv.RoutingNetwork, datasets: dict[str, Any], repeats: int) -> None:
    """Print where the time of a trace goes; medians of each part, and of its ratio to the network in the same run."""
    runs: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in datasets}
    for number in range(repeats + 1):
        for name, dataset in datasets.items():
            with clocked_trace(net) as seconds:
                trace(net, dataset, workers=1)
            if number:
                runs[name].append(seconds())

    def row(title: str, figures: Callable[[dict[str, np.ndarray]], np.ndarray], form: str = ".2f") -> None:
        medians = [np.median([figures(parts) for parts in of_one], axis=0) for of_one in runs.values()]
        print(f"{title:<42}" + "".join(f"{value:>8{form}}" for pair in medians for value in pair))

    n_images = len(next(iter(datasets.values())))
    print("inside one trace, reading in a process of its own; ms an image")
    print(f"{'':<42}" + "".join(f"{name:>8}{'':>8}" for name in datasets))
    print(f"{'':<42}" + f"{'wall':>8}{'cpu':>8}" * len(datasets))
    zero = np.zeros(2)
    for part in (NETWORK, *OWN, LABELS):
        row(part, lambda parts, part=part: 1e3 * parts.get(part, zero) / n_images)
    for part in (DECODING, FACTS):
        row(f"in the reading process: {part}", lambda parts, part=part: 1e3 * parts[part] / n_images)
    row(f"{ONCE}, ms", lambda parts: 1e3 * parts[ONCE], ".0f")
    row("own / network", lambda parts: sum(parts[part] for part in OWN) / parts[NETWORK], ".3f")
    beyond = [part for part in OWN if part != BATCHES]
    row("  but for batches, made for any inference", lambda p: sum(p[part] for part in beyond) / p[NETWORK], ".3f")
    row("labels compared / network", lambda parts: parts.get(LABELS, zero) / parts[NETWORK], ".3f")
    hidden = [
        np.median([1 - parts[FETCH][0] / (parts[DECODING] + parts[FACTS])[0] for parts in of_one])
        for of_one in runs.values()
    ]
    print("reading done while the network works" + " " * 6 + "".join(f"{share:>8.0%}{'':>8}" for share in hidden))


@torch.inference_mode()
def beside_reader(net: rv.RoutingNetwork, samples: list[Sample], dataset: Any, repeats: int) -> None:
    """Print what the network takes while another process reads without pause, and while that is stopped, in turns."""

    def without_end() -> None:
        while True:
            read(dataset)

    batches = [samples[first : first + BATCH] for first in range(0, len(samples) - BATCH + 1, BATCH)]
    seconds: dict[int, list[tuple[float, float]]] = {signal.SIGSTOP: [], signal.SIGCONT: []}
    reader = multiprocessing.get_context("fork").Process(target=without_end, daemon=True)
    reader.start()
    try:
        for batch in batches * repeats:
            images = torch.stack([net.preprocess(sample.image) for sample in batch])
            for state, found in seconds.items():
                os.kill(reader.pid, state)
                found.append(timed(lambda images=images: net(images)))
    finally:
        reader.kill()
        reader.join()
    alone, shared = (np.array([statistics.median(of) for of in zip(*s, strict=True)]) for s in seconds.values())
    ms = [1e3 * value / BATCH for value in (*alone, *shared)]
    print(
        f"the network alone {ms[0]:.1f} wall, {ms[1]:.1f} cpu; beside a reading process {ms[2]:.1f}, {ms[3]:.1f}: ",
        end="",
    )
    print("{:.3f} and {:.3f} times".format(*(shared / alone)))


def time_table(n_images: int, repeats: int) -> None:
    """Print milliseconds an image of inference, tracing and reading."""
    net = rv.load_checkpoint(last_checkpoint())
    scenes = rv.open_dataset("scenes", length=n_images, size=SIZE)
    with TemporaryDirectory() as folder:
        samples = [scenes[index] for index in range(n_images)]
        for sample in samples:
            Image.fromarray(sample.image).save(Path(folder, f"{sample.id}.png"))
        files = rv.open_dataset("folder", folder)
        part_table(net, {"files": files, "scenes": scenes}, repeats)
        beside_reader(net, samples, scenes, repeats)
        calls = {
            "inference": lambda: infer(net, samples, scenes.ignore_index, scored=False),
            "inference, compared with labels": lambda: infer(net, samples, scenes.ignore_index, scored=True),
            "reading, files without labels": lambda: read(files),
            "reading, scenes with labels": lambda: read(scenes),
            "tracing, files without labels": lambda: trace(net, files, workers=1),
            "tracing, scenes with labels": lambda: trace(net, scenes, workers=1),
            "the same in one process, files": lambda: trace(net, files, workers=0),
            "the same in one process, scenes": lambda: trace(net, scenes, workers=0),
        }
        medians = taking_turns(calls, repeats)
    print(
        f"{n_images} images of {SIZE[0]}x{SIZE[1]}, median of {repeats}, {torch.get_num_threads()} threads; ms an image"
    )
    print(f"{'':<38}{'wall':>8}{'cpu':>8}")
    for name, (wall, cpu) in medians.items():
        print(f"{name:<38}{1e3 * wall / n_images:>8.1f}{1e3 * cpu / n_images:>8.1f}")
    for kind, words, bare in (
        ("files", "files without labels", "inference"),
        ("scenes", "scenes with labels", "inference, compared with labels"),
    ):
        whole, reading = medians[f"the same in one process, {kind}"][1], medians[f"reading, {words}"][1]
        print(f"tracing without reading / inference, {kind}: {(whole - reading) / medians[bare][1]:.3f} of cpu")


def peak_memory(n_images: int) -> float:
    """Largest resident memory in MB of a process that traces so many small images."""
    with TemporaryDirectory() as folder:
        words = [str(n_images), *map(str, SMALL), str(last_checkpoint()), str(Path(folder, "log"))]
        done = subprocess.run([sys.executable, "-c", MEMORY, *words], check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--many", type=int, help="Compare the memory of so many images with that of 100.")
    given = parser.parse_args()
    rv.keep_freed_memory()  # as the commands do
    time_table(given.images, given.repeats)
    if given.many:
        few, many = peak_memory(FEW), peak_memory(given.many)
        print(f"peak memory: {few:.0f} MB for {FEW} images, {many:.0f} MB for {given.many:,}, ratio {many / few:.3f}")


if __name__ == "__main__":
    main()
