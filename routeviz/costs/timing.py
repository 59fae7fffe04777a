"""How long each part of a network takes on this machine, measured part by part, and the whole beside their sum."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from routeviz.costs.operators import CONVENTIONS
from routeviz.costs.routes import executed_parts
from routeviz.costs.table import cost_table, part_modules
from routeviz.errors import InputError
from routeviz.progress import Bar

ROUNDS = 20


@dataclass(frozen=True, eq=False)
class TimeTable:
    """Times of each part of a network for one image, and of a whole forward pass.

    Attributes
    ----------
    parts : DataFrame
        The rows of `CostTable.frame`: ``part``, ``layer``, ``scale``, ``move``; ``macs_conv``, ``macs_fvcore``,
        ``macs_released``; ``seconds``, median over rounds, ``low`` and ``high``, its quartiles. NaN where a static
        network has not built a part.
    whole : ndarray, (round,) float64
        Seconds of a forward pass on a fixed route.
    route : ndarray, (part,) bool
        The parts that this forward pass runs; it asks no gate.
    image_size : (H, W)
        As padded by the network.
    device, machine : str
    threads : int
        That torch computes with.
    execution : str
        Of the parts and the forward pass; see `RoutingNetwork`.
    """

    parts: pd.DataFrame
    whole: np.ndarray
    route: np.ndarray
    image_size: tuple[int, int]
    device: str
    machine: str
    threads: int
    execution: str

    @property
    def rounds(self) -> int:
        """How often everything was measured."""
        return len(self.whole)

    @property
    def overhead(self) -> float:
        """Seconds of the forward pass that its parts do not explain: sums, indexing, Python."""
        return float(np.median(self.whole) - self.parts.seconds[self.route].sum())

    def of(self, executed: np.ndarray) -> np.ndarray:
        """Seconds of the parts that routes run, ``(image, part) bool -> (image,)``; without the overhead."""
        return np.asarray(executed, float) @ self.parts.seconds.fillna(0).to_numpy()


@torch.inference_mode()
def measure_times(
    net: nn.Module,
    image_size: Sequence[int],
    *,
    activations: np.ndarray | None = None,
    rounds: int = ROUNDS,
    seconds: float | None = None,
    progress: bool = False,
) -> TimeTable:
    """Measure how long each part of a network takes for one image of a size, where the network is.

    A part is what a pass does for it: an operation with the identity beside it, a path's transform with its product
    with the activation, a decoder stage with its resizing. It runs through the modules that a pass runs through, which
    `RoutingNetwork.execution` decides. Its input is random. Every round measures every part once,
    in an order of its own, so that a machine that is slower for a while is so for all of them; one more round before
    is not counted.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    image_size : (H, W)
        The network's own padding is added.
    activations : ndarray, (path,), optional
        Route of the forward pass that is measured whole; by default every path is open.
    rounds : int
        At least 3.
    seconds : float, optional
        Stop after the round in which so much time has gone, but not before the third.
    progress : bool
        Show a bar if it takes longer than two seconds.

    Returns
    -------
    TimeTable

    Raises
    ------
    InputError
        If the network is in training mode or runs as one graph, or the rounds are too few.
    """
    if net.execution == "captured":
        raise InputError(
            "a captured pass has no parts that could be timed: set net.execution to folded, sparse or dense"
        )
    if net.training or rounds < 3:
        raise InputError(f"times are measured at inference, in 3 rounds or more; given {rounds}: call net.eval() first")
    tables = {convention: cost_table(net, image_size, convention) for convention in CONVENTIONS}
    frame, padded = tables["conv"].frame(), tables["conv"].image_size
    device = next(net.parameters()).device
    generator = torch.Generator().manual_seed(0)
    # What a pass runs through, as a pass itself says.
    built = net.start(torch.zeros(1, 3, *padded, device=device)).parts
    works = _works(net, built, padded, lambda *shape: torch.rand(1, *shape, generator=generator).to(device))
    fixed = _built(net) if activations is None else np.asarray(activations, np.float32)
    image = torch.randn(1, 3, *padded, generator=generator).to(device)
    works.append(lambda: net(image, route=fixed))
    order = np.random.default_rng(0)
    measured = np.full((rounds, len(works)), np.nan)
    began = time.perf_counter()
    bar = Bar(range(-1, rounds), desc="measuring", unit="round", delay=2, disable=not progress, leave=False)
    for number in bar:
        for place in order.permutation(len(works)):
            if works[place] is not None:
                _, took = seconds_of(works[place], device)
                if number >= 0:
                    measured[number, place] = took
        if seconds is not None and number >= 2 and time.perf_counter() - began > seconds:
            measured = measured[: number + 1]
            bar.close()
            break
    low, middle, high = np.quantile(measured[:, :-1], (0.25, 0.5, 0.75), axis=0)
    parts = frame.drop(columns="macs").assign(
        **{f"macs_{convention}": table.frame().macs for convention, table in tables.items()},
        seconds=middle,
        low=low,
        high=high,
    )
    return TimeTable(
        parts=parts,
        whole=measured[:, -1],
        route=executed_parts(net, fixed[None], with_gates=False)[0],
        image_size=padded,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        machine=platform.machine(),
        threads=torch.get_num_threads(),
        execution="sparse" if built is net and net.execution == "folded" else net.execution,
    )


def _works(
    net: nn.Module, built: Any, image_size: tuple[int, int], random: Callable[..., Tensor]
) -> list[Callable[[], Tensor] | None]:
    """What a pass does for each part, in the order of `CostTable.frame`; None for what is not built."""
    members = part_modules(net, image_size, built)
    shapes = {shape for kind in members.values() for _, shape in kind}
    # Folded parts get what the folded stem gives: values of a place side by side.
    layout = torch.contiguous_format if built is net else torch.channels_last
    inputs = {shape: random(*shape).contiguous(memory_format=layout) for shape in sorted(shapes)}
    works: list[Callable[[], Tensor] | None] = []
    for part in ("stem", "operation", "gate", "path", "decoder", "predictor"):
        for place, (module, shape) in enumerate(members[part]):
            if module is None:
                works.append(None)
                continue
            module = built.cells[place] if part == "operation" else module
            scaled = part == "path"
            # Folded transforms multiply the activation into their weights; of "keep" nothing is left.
            into_weights = scaled and built is not net and not isinstance(module, nn.Identity)
            works.append(_work(module, inputs[shape], scaled=scaled, into_weights=into_weights))
    return works


def _work(module: nn.Module, x: Tensor, *, scaled: bool, into_weights: bool) -> Callable[[], Tensor]:
    alpha = x.new_full((1, 1, 1, 1), 0.5)
    if into_weights:
        return lambda: module(x, alpha)
    return (lambda: module(x) * alpha) if scaled else (lambda: module(x))


def _built(net: nn.Module) -> np.ndarray:
    """Activations with every path open that the network has."""
    fixed = net.config.fixed_gates
    return np.ones(net.space.n_paths, np.float32) if fixed is None else np.array(fixed, np.float32)


def seconds_of(work: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    """What work gives, and the seconds until the device is done with it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, time.perf_counter() - began
