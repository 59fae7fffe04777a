"""Closing each path of an image in turn: one forward pass a path beside what routeviz does, in one run.

    python analysis/benchmarks/importance.py [--repeats 3] [--threads 1]

Each row is a network on one image. What can be saved follows from MACs (conv): a forward pass for each open path counts
all that runs with this path shut; routeviz counts the image's own pass once, and for each path only what comes behind
its layer. The two are timed in turns of a few paths each, so that whatever else the machine does strikes both. "of it"
is the measured speed-up over the one that the saved MACs allow. Seconds are those of the CPU, median run of the
repeats; "wall" is the speed-up by the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import click
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.counterfactual import run_closed


class Case(NamedTuple):
    """A network and an image as it takes it, ``(3, H, W)``."""

    name: str
    net: rv.RoutingNetwork
    image: torch.Tensor


class Times(NamedTuple):
    """CPU and wall seconds."""

    cpu: float
    wall: float


def cases() -> Iterator[Case]:
    """The bundled networks on images as large as they know, and untrained ones with every path open."""
    for run, step, size in (("scenes", 6000, (128, 256)), ("camvid-budget-0.1", 5600, (180, 240))):
        net = rv.load_checkpoint(bundled_data("checkpoints") / run / "checkpoints" / f"step-{step:06d}.safetensors")
        yield Case(f"{run} {size[0]}x{size[1]}", net.eval(), torch.randn(3, *size))
    for width, size in ((16, (180, 240)), (16, (360, 480)), (64, (256, 512))):
        torch.manual_seed(0)
        net = rv.RoutingNetwork(rv.NetworkConfig(width=width, num_classes=19)).eval()
        for cell in net.cells:
            torch.nn.init.zeros_(cell.gate.score.weight)
        yield Case(f"all open, C={width} {size[0]}x{size[1]}", net, torch.randn(3, *size))


def possible(net: rv.RoutingNetwork, image: torch.Tensor, gates: dict[int, np.ndarray]) -> float:
    """Speed-up that the saved MACs (conv) allow; ``gates`` are those with each open path shut."""
    space, size = net.space, tuple(image.shape[1:])
    whole = rv.macs(net, np.stack(list(gates.values())), size)
    with torch.inference_mode():
        own = net(image[None]).gates.numpy()
    table = rv.cost_table(net, size, "conv")
    states, opens = rv.cell_states(space, own).state[0], rv.open_paths(space, np.nan_to_num(own))[0]
    cells = table.operation * (states == rv.STATES.index("open"))
    cells += table.gate * (states != rv.STATES.index("unreached"))
    layer_of = space.cells.layer.to_numpy()
    by_layer = np.bincount(layer_of, cells) + np.bincount(layer_of[space.source], table.path * opens)
    # What stands before a path: the stem, and all layers up to its own but for the path itself.
    before = table.stem + np.cumsum(by_layer)[layer_of[space.source]] - table.path * opens
    behind = whole - before[list(gates)]
    return float(whole.sum() / (rv.macs(net, own, size)[0] + behind.sum()))


def timed(net: rv.RoutingNetwork, image: torch.Tensor) -> tuple[Times, Times, dict[int, np.ndarray]]:
    """Time one forward pass for each open path, and `run_closed`, in turns; and the gates of each alternative."""
    plain, ours, gates = np.zeros(2), np.zeros(2), {}
    closings = run_closed(net, image)
    with torch.inference_mode():
        while True:
            start = clock()
            found = next(closings, None)
            ours += clock() - start
            if found is None:
                return Times(*plain), Times(*ours), gates
            paths, output = found
            start = clock()
            wanted = [net(image[None], route={int(path): 0.0}) for path in paths]
            plain += clock() - start
            for path, logits, gate, one in zip(paths, output.logits, output.gates, wanted, strict=True):
                torch.testing.assert_close(logits, one.logits[0], rtol=1e-5, atol=1e-5 * max(1, one.logits.abs().max()))
                gates[int(path)] = gate.numpy()


def clock() -> np.ndarray:
    return np.array([time.process_time(), time.perf_counter()])


@click.command(help=__doc__)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of torch.")
@click.option("--only", default="", help="Rows whose name holds this.")
def main(repeats: int, threads: int, only: str) -> None:
    torch.set_num_threads(threads)
    rv.keep_freed_memory()  # as the command does
    rows = [("network, image", "paths", "one each, s", "routeviz, s", "speed-up", "possible", "of it", "wall")]
    for case in tqdm([case for case in cases() if only in case.name], unit="network"):
        with torch.inference_mode():  # as what is timed, so that its folded copy is made here
            case.net(case.image[None])
        runs = [timed(case.net, case.image) for _ in range(repeats)]
        plain, ours, gates = sorted(runs, key=lambda run: run[0].cpu / run[1].cpu)[len(runs) // 2]
        allowed = possible(case.net, case.image, gates)
        rows.append(
            (
                case.name,
                f"{len(gates)}",
                f"{plain.cpu:.2f}",
                f"{ours.cpu:.2f}",
                f"{plain.cpu / ours.cpu:.2f}",
                f"{allowed:.2f}",
                f"{100 * plain.cpu / ours.cpu / allowed:.0f} %",
                f"{plain.wall / ours.wall:.2f}",
            )
        )
    print(pd.DataFrame(rows[1:], columns=rows[0]).set_index("network, image").rename_axis(None).to_string())


if __name__ == "__main__":
    main()
