"""How many images a second a training step takes in each precision, and what memory it needs on a GPU.

    python analysis/benchmarks/training.py [--device cuda] [--width 64] [--crop 512x1024] [--batch 8] [--steps 20]

A step is forward, backward with the budget's loss, clipping and the optimizer, on crops that are at hand: what cutting
them takes, in processes beside, is not in it. fp32 on a GPU is torch's own default, convolutions in TF32. Where it is
compiled (--compile), the first step, which compiles, does not count.
"""

from __future__ import annotations

import statistics
import time

import click
import torch

import routeviz as rv
from routeviz.training import Budget, TrainConfig
from routeviz.training.learner import Learner
from routeviz.training.ranks import Ranks

CLASSES, IGNORED = 19, 255


def seconds_of_steps(config: TrainConfig, device: torch.device, steps: int) -> list[float]:
    """Seconds of each step after two that do not count."""
    torch.manual_seed(config.seed)
    net = rv.RoutingNetwork(rv.NetworkConfig(width=config.width, num_classes=CLASSES))
    learner = Learner(net, config, Ranks(0, 1, device), ignore_index=IGNORED)
    images = torch.randint(0, 256, (config.batch_size, *config.crop, 3), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (config.batch_size, *config.crop), dtype=torch.uint8)
    found = []
    for step in range(steps + 2):
        began = time.perf_counter()
        learner.step(step, images, labels)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - began)
    return found[2:]


@click.command(help=__doc__)
@click.option("--device", default="cpu")
@click.option("--width", default=64, help="C.")
@click.option("--crop", type=lambda text: tuple(map(int, text.split("x"))), default="512x1024")
@click.option("--batch", default=8)
@click.option("--steps", default=20)
@click.option("--compile", "compiled", is_flag=True)
def main(device: str, width: int, crop: tuple[int, int], batch: int, steps: int, compiled: bool) -> None:
    device = torch.device(device)
    gpu = device.type == "cuda"
    where = torch.cuda.get_device_name(device) if gpu else f"{torch.get_num_threads()} threads"
    print(
        f"{where}, torch {torch.__version__}; C = {width}, crops {crop[0]}x{crop[1]}, batch {batch}, "
        f"median of {steps} steps{', compiled' if compiled else ''}"
    )
    print(f"{'precision':<12}{'step':>10}{'images/s':>12}{'over fp32':>12}{'memory':>12}")
    first = None
    for precision in ("fp32", "bf16", "fp16") if gpu else ("fp32", "bf16"):
        config = TrainConfig(
            width=width, crop=crop, batch_size=batch, precision=precision, compile=compiled,
            budget=Budget(0.5, 0.1), budget_start=0.0, steps=1000,
        )  # fmt: skip
        if gpu:
            torch.cuda.reset_peak_memory_stats(device)
        seconds = statistics.median(seconds_of_steps(config, device, steps))
        first = first or seconds
        memory = f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB" if gpu else "-"
        print(f"{precision:<12}{1e3 * seconds:>7.0f} ms{batch / seconds:>12.1f}{first / seconds:>12.2f}{memory:>12}")


if __name__ == "__main__":
    main()
