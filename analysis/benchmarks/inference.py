"""How quick inference is: folded, sparse and dense execution of the same network, beside what a matrix product permits.

    OMP_NUM_THREADS=1 python analysis/benchmarks/inference.py [--repeats 7] [--device cpu] [--out time_against_macs.png]

Each row's executions take turns; medians of wall-clock and of processor time. The latter says more where other work
shares the machine, on one thread. The limit is 2 × MACs over the rate of a 2048 × 2048 matrix product.

On a CPU each execution has a process of its own, as in use, since what one leaves of memory serves the others. Folded
and sparse keep what they free, as routeviz's commands do; dense, the base of the ratios, runs as torch alone would run
it; "dense, kept" is what `routeviz trace --execution dense` takes.

On a GPU all is in float32 (no TF32), and the clock waits for the device; captured execution is added, alone
and under autocast to bfloat16, and rows of larger batches, which keep it busy. `cpu` is what handing work over takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import linregress

import routeviz as rv

SIDE = 2048
ROWS = (  # name, C, batch, (height, width), share of open paths, aim over dense if there is one
    ("all paths open", 64, 1, (512, 1024), 1.0, 2.2),
    ("half of the paths closed", 64, 1, (512, 1024), 0.5, 2.8),
    ("routes differ, batch 8", 16, 8, (352, 480), None, 3.5),
    ("all paths open, smaller", 32, 1, (256, 512), 1.0, None),
)
LARGER = (  # for a GPU
    ("all paths open, batch 16", 64, 16, (512, 1024), 1.0, None),
    ("half closed, batch 16", 64, 16, (512, 1024), 0.5, None),
    ("routes differ, batch 16", 64, 16, (512, 1024), None, None),
)
WAYS = ("folded", "sparse", "dense")
KEPT = "dense, kept"
BF16 = "captured bf16"
Seconds = tuple[float, float]
"""Of wall-clock and of processor time."""


def network(width: int, share_open: float | None) -> rv.RoutingNetwork:
    """A network whose norms have seen images, and whose gates open a share of the paths, or differ by image."""
    torch.manual_seed(0)
    net = rv.RoutingNetwork(rv.NetworkConfig(width=width))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        net(images(2, (128, 256)))
        for cell in net.cells:
            score = cell.gate.score
            if share_open is None:
                score.weight.normal_(std=1.0)
                score.bias.normal_(mean=-0.2, std=0.5)
            else:
                score.weight.zero_()
                score.bias.copy_(torch.where(torch.rand(len(score.bias)) < share_open, 1.5, -1.0))
    return net.eval()


def images(n: int, size: tuple[int, int]) -> torch.Tensor:
    """Noise of several contrasts, as a network takes it."""
    return torch.randn(n, 3, *size) * torch.linspace(10, 100, n).view(n, 1, 1, 1)


def timed(call: Callable[[], object]) -> Seconds:
    """Seconds of wall-clock, until a GPU is done too, and of processor time."""
    waits = torch.cuda.is_available() and torch.cuda.is_initialized()
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    if waits:
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def taking_turns(
    calls: dict[str, Callable[[], object]], repeats: int, clock: Callable[[Callable], Seconds] = timed
) -> dict[str, Seconds]:
    """Median seconds of each call, after one that does not count."""
    seconds: dict[str, list[Seconds]] = {name: [] for name in calls}
    for number in range(repeats + 1):
        for name, call in calls.items():
            taken = clock(call)
            if number:
                seconds[name].append(taken)
    return {name: tuple(map(statistics.median, zip(*values, strict=True))) for name, values in seconds.items()}


class Process:
    """An execution in a process of its own, one row at a time; give it back with ``with``."""

    def __init__(self, way: str, threads: int):
        self._here, there = multiprocessing.get_context("spawn").Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, way, threads))
        self._process.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.close()
        self._process.join()

    def __call__(self, row: tuple) -> Seconds:
        self._here.send(row)
        return self._here.recv()


def _serve(pipe: Connection, way: str, threads: int) -> None:
    torch.set_num_threads(threads)
    if way != "dense":
        rv.keep_freed_memory()
    execution = "dense" if way == KEPT else way
    ready = None
    while True:
        try:
            row = pipe.recv()
        except EOFError:
            return
        if ready is None or ready[0] != row:
            ready = row, network(row[1], row[4]), images(row[2], row[3])
        pipe.send(timed(lambda row=ready: run(row[1], row[2], execution)))


@torch.inference_mode()
def run(net: rv.RoutingNetwork, batch: torch.Tensor, execution: str, route: object = None) -> rv.NetworkOutput:
    if execution == BF16:
        with torch.autocast(batch.device.type, torch.bfloat16):
            return run(net, batch, "captured", route)
    net.execution = execution
    return net(batch, route=route)


def table(repeats: int, device: torch.device) -> None:
    """Print one row a setting and kind of time."""
    gpu = device.type == "cuda"
    if gpu:
        rows, ways, best = ROWS + LARGER, ("captured", *WAYS, BF16), "captured"
    else:
        rows, ways, best = ROWS, (*WAYS, KEPT), "folded"
    where = torch.cuda.get_device_name(device) if gpu else f"{torch.get_num_threads()} threads"
    print(f"{where}, torch {torch.__version__}, median of {repeats}; time in ms")
    for name, width, n, (height, breadth), *_ in rows:
        print(f"{name}: C = {width}, {height}x{breadth}, batch {n}")
    widths = {way: max(8, len(way) + 2) for way in (*ways, "limit")}
    others = (KEPT,) if KEPT in ways else ()
    titles = "".join(f"{way:>{width}}" for way, width in widths.items())
    ratios = f"{f'dense/{best}':>16}" + "".join(f"{f'{way}/{best}':>20}" for way in others)
    print(f"{'':<26}{'time':<6}{titles}{ratios}{f'{best}/limit':>16}")
    product = torch.randn(SIDE, SIDE, device=device)
    with ExitStack() as stack:
        own = {} if gpu else {way: stack.enter_context(Process(way, torch.get_num_threads())) for way in ways}
        for row in rows:
            name, width, n, size, share_open, aim = row
            net, batch = network(width, share_open).to(device), images(n, size).to(device)
            gates = run(net, batch, "sparse").gates.cpu().numpy()
            here = {way: lambda way=way, net=net, batch=batch: timed(lambda: run(net, batch, way)) for way in ways}
            there = {way: lambda process=process, row=row: process(row) for way, process in own.items()}
            limit = {"limit": lambda: timed(lambda: product @ product)}
            medians = taking_turns((here if gpu else there) | limit, repeats, clock=lambda call: call())
            share = rv.macs(net, gates, size).sum() / SIDE**3
            for kind, clock in enumerate(("wall", "cpu")):
                ms = {way: 1e3 * values[kind] for way, values in medians.items()}
                ms["limit"] *= share
                goal = f" (≥ {aim})" if aim else ""
                print(
                    f"{name:<26}{clock:<6}"
                    + "".join(f"{ms[way]:>{width}.{int(gpu)}f}" for way, width in widths.items())
                    + f"{ms['dense'] / ms[best]:>8.2f}{goal:<8}"
                    + "".join(f"{ms[way] / ms[best]:>20.2f}" for way in others)
                    + f"{ms[best] / ms['limit']:>16.2f}"
                    + (" (aim: < 1.6)" if share_open == 1 else "")
                )


def against_macs(out: Path, repeats: int, device: torch.device) -> None:
    """Plot time of forced routes against their MACs, with the line through them: the processor's, or a GPU's clock."""
    clock = int(device.type == "cpu")
    rv.keep_freed_memory()
    net, batch = network(64, 1.0).to(device), images(1, (512, 1024)).to(device)
    rng = np.random.default_rng(0)
    routes = [(rng.random(net.space.n_paths) < share).astype(np.float32) for share in np.linspace(0.05, 1, 12)]
    calls = {str(number): lambda route=route: run(net, batch, "folded", route) for number, route in enumerate(routes)}
    gates = [run(net, batch, "sparse", route).gates.cpu().numpy() for route in routes]
    giga = np.array([rv.macs(net, row, (512, 1024), with_gates=False)[0] for row in gates]) / 1e9
    ms = np.array([1e3 * seconds[clock] for seconds in taking_turns(calls, repeats).values()])
    line = linregress(giga, ms)
    print(f"time = {line.intercept:.0f} ms + {line.slope:.1f} ms per G MACs (conv), R² {line.rvalue**2:.3f}")
    figure, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
    ax.scatter(giga, ms)
    ax.plot(giga, line.intercept + line.slope * giga, color="0.4")
    ax.set(
        xlabel="MACs executed, G (conv)",
        ylabel=f"{('time', 'processor time')[clock]}, ms",
        xlim=(0, None),
        ylim=(0, None),
    )
    ax.set_title(f"{line.intercept:.0f} ms + {line.slope:.1f} ms per G MACs, R² = {line.rvalue**2:.3f}", fontsize=10)
    figure.savefig(out, dpi=120)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", type=torch.device, default="cpu")
    parser.add_argument("--out", type=Path, help="Draw time against MACs here.")
    given = parser.parse_args()
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        table(given.repeats, given.device)
        if given.out:
            against_macs(given.out, given.repeats, given.device)


if __name__ == "__main__":
    main()
