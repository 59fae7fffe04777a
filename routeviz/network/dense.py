"""Dense execution: all that a live cell has is computed and multiplied by its gate, as the released code does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from routeviz.errors import InputError
from routeviz.network.inbox import Passage
from routeviz.network.sparse import decided

if TYPE_CHECKING:
    from routeviz.network.network import RoutingNetwork


def run_cell(
    net: RoutingNetwork,
    index: int,
    passage: Passage,
    forced: Tensor | None,
    run_starved: bool,
    opened: Callable[[int, Tensor], None] | None,
) -> None:
    """Run one cell on the whole batch; it is left out only where every image that reaches it closes it.

    Gates are asked on the whole batch too. Each image still gets what it gets alone: what a cell computes for an image
    that does not reach or open it is multiplied by zero.
    """
    cell, paths, box = net.cells[index], net.space.paths_from(index), passage.boxes[index]
    everyone = np.arange(len(passage.gates))
    reached = box.reached
    if not reached.any():
        return
    x = box.features(everyone)
    passage.boxes[index] = None
    alphas = net.activations(cell, index, x, None if forced is None else forced[:, paths])
    images = torch.from_numpy(np.flatnonzero(reached))
    passage.gates[images, paths] = alphas[images].float()
    closed, opens = decided(alphas)
    closed, live = reached & closed, reached & ~closed
    opens &= live[:, None]
    weights = torch.where(torch.from_numpy(opens), alphas, 0).to(x.device)
    h = None
    if live.any():
        if cell.operation is None:
            raise InputError(
                f"cell {net.space.cell_names[index]} was not built into this static network; leave it closed"
            )
        h = cell(x)
    for offset, path in enumerate(range(paths.start, paths.stop)):
        target = passage.boxes[net.leads_to[path]]
        if h is not None:
            reached = target.reached | (live if run_starved else opens[:, offset])
            if cell.moves[offset] in cell.transforms:
                y = cell.transforms[cell.moves[offset]](h) * weights[:, offset, None, None, None]
                target.add(everyone, y)
                if opened is not None and opens[:, offset].any():
                    opened(path, y[torch.from_numpy(opens[:, offset])])
            elif opens[:, offset].any():
                raise InputError(
                    f"path {net.space.path_names[path]} was not built into this static network; leave it shut"
                )
            target.reached = reached
        if net.space.passes[path] and closed.any():
            reached = target.reached | closed
            target.add(everyone, x * torch.from_numpy(closed)[:, None, None, None].to(x))
            target.reached = reached
