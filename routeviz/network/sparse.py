"""Sparse execution: what is open, on the images that open it; folded execution differs in the cells it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from routeviz.errors import InputError
from routeviz.network.inbox import Passage, take
from routeviz.space import OPEN_THRESHOLD

if TYPE_CHECKING:
    from routeviz.network.network import RoutingNetwork


def decided(activations: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Which images close a cell, ``(n,)`` bool, and which paths each opens, ``(n, path)`` bool.

    Both are asked so that a gate of NaN counts as open: NaN goes on to the logits, where it is seen.
    """
    values = activations.detach().float().numpy()
    return values.sum(axis=1) < OPEN_THRESHOLD, ~(values <= OPEN_THRESHOLD)


def run_cell(
    net: RoutingNetwork,
    index: int,
    passage: Passage,
    forced: Tensor | None,
    run_starved: bool,
    opened: Callable[[int, Tensor], None] | None,
) -> None:
    """Run one cell on the images that reach and open it, and each of its paths on the images that open the path."""
    cell, paths, box = passage.parts.cells[index], net.space.paths_from(index), passage.boxes[index]
    images = np.flatnonzero(box.reached)
    if len(images) == 0:
        return
    x = box.features(images)
    passage.boxes[index] = None  # frees the sum as soon as the cell has read it
    activations = net.activations(cell, index, x, None if forced is None else take(forced[:, paths], images))
    passage.gates[torch.from_numpy(images), paths] = activations.float()
    closed, opens = decided(activations)
    awake, asleep = np.flatnonzero(~closed), np.flatnonzero(closed)
    targets = [passage.boxes[net.leads_to[path]] for path in range(paths.start, paths.stop)]

    if len(awake):
        opens = opens[awake]
        _check_built(net, index, cell, opens)
        senders, weights = images[awake], take(activations.to(x.device, non_blocking=True), awake)
        spend = box.owned or len(awake) < len(x)  # rows of their own, or a sum that nobody reads again
        for offset, chosen, y, activation in cell.send(take(x, awake), weights, opens, spend=spend):
            targets[offset].add(senders[chosen], y, activation, spend=opened is None)
            if opened is not None:
                opened(paths.start + offset, y if activation is None else y * activation.to(y.dtype))
        if run_starved:
            for target in targets:
                target.mark(senders)
    if len(asleep):
        for path, target in zip(range(paths.start, paths.stop), targets, strict=True):
            if net.space.passes[path]:
                target.add(images[asleep], take(x, asleep), spend=box.owned or len(asleep) < len(x))


def _check_built(net: RoutingNetwork, index: int, cell: torch.nn.Module, opens: np.ndarray) -> None:
    if cell.operation is None:
        raise InputError(f"cell {net.space.cell_names[index]} was not built into this static network; leave it closed")
    if len(cell.transforms) == len(cell.moves):
        return
    for offset, is_open in enumerate(opens.any(axis=0)):
        if is_open and cell.moves[offset] not in cell.transforms:
            name = net.space.path_names[net.space.paths_from(index).start + offset]
            raise InputError(f"path {name} was not built into this static network; leave it shut")
