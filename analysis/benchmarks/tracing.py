"""What tracing costs beside bare inference, and whether its memory grows with the number of images.

    OMP_NUM_THREADS=1 python analysis/benchmarks/tracing.py [--images 256] [--repeats 3] [--many 10000]

Bare inference normalises images that were read before the clock started, and sends them through the bundled network
in batches of eight; with labels, it also compares the segmentations with them. Tracing reads the same images in a
process of its own while the network works, and writes a log: once from PNG files without labels, once from `scenes`,
which draws images and labels and finds their objects. `cpu` is processor time of this process alone; `wall` shows how
far the two overlap. Two processes on one core's two threads slow each other down, so what tracing adds is told from a
trace that reads in this process too, less reading alone, over inference. All take turns. What a trace does once,
whatever its length (the hash of the weights, the header), is among it: more images, less of it for each.

With --many, small images are traced, 100 and that many, each in a process of its own, and the largest resident memory
of both is compared; it is read from /proc, so this runs on Linux.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from inference import taking_turns
from PIL import Image

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.datasets import Sample
from routeviz.metrics import confusion
from routeviz.network.logits import classes_at
from routeviz.tracing.reading import read_ahead
from routeviz.training import checkpoint_paths

SIZE, BATCH = (352, 480), 8
FEW, SMALL = 100, (64, 64)

MEMORY = """
import sys
import routeviz as rv
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
            (classes,) = classes_at(one[None], sample.label.shape)
            confusion(sample.label, classes, net.config.num_classes, ignore_index)


def trace(net: rv.RoutingNetwork, dataset: object, *, workers: int) -> None:
    with TemporaryDirectory() as folder:
        rv.trace(net, dataset, out=Path(folder, "log"), batch_size=BATCH, workers=workers)


def read(dataset: object) -> None:
    """Decode or draw all images and measure their labels, in this process."""
    for _ in read_ahead(dataset, range(len(dataset)), resize=None, workers=0, ahead=2):
        pass


def time_table(n_images: int, repeats: int) -> None:
    """Print milliseconds an image of inference, tracing and reading."""
    net = rv.load_checkpoint(last_checkpoint())
    scenes = rv.open_dataset("scenes", length=n_images, size=SIZE)
    with TemporaryDirectory() as folder:
        samples = [scenes[index] for index in range(n_images)]
        for sample in samples:
            Image.fromarray(sample.image).save(Path(folder, f"{sample.id}.png"))
        files = rv.open_dataset("folder", folder)
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
    time_table(given.images, given.repeats)
    if given.many:
        few, many = peak_memory(FEW), peak_memory(given.many)
        print(f"peak memory: {few:.0f} MB for {FEW} images, {many:.0f} MB for {given.many:,}, ratio {many / few:.3f}")


if __name__ == "__main__":
    main()
