"""NaN and infinity in a forward pass: seen in what comes out, then looked for where they first appear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from routeviz.errors import NonFiniteError
from routeviz.network.forcing import RouteLike
from routeviz.space import OPEN_THRESHOLD

if TYPE_CHECKING:
    from routeviz.network.network import RoutingNetwork


def check_finite_logits(
    net: RoutingNetwork, images: Tensor, route: RouteLike | None, logits: Tensor, *, run_starved: bool = True
) -> None:
    """Raise where a pass gave NaN or infinity, naming where in it they first appear.

    Costs one sum; only where that is not finite the images run again, to be looked at layer by layer.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    images, route, run_starved
        Of the pass, as for :meth:`RoutingNetwork.forward`.
    logits : Tensor, (N, class, H, W)
        What came of it.

    Raises
    ------
    NonFiniteError
        Names the image, the stem, the cell's gate or path, or the decoder, and what is wrong with it.
    """
    if logits.sum(dtype=torch.float32).isfinite():
        return
    with torch.inference_mode():
        if found := _first(net, images, route, run_starved):
            place, rows = found
            image = int(rows.nonzero()[0])
            raise NonFiniteError(f"NaN or infinity in image {image} of the batch: {place}", image=image)


def _first(
    net: RoutingNetwork, images: Tensor, route: RouteLike | None, run_starved: bool
) -> tuple[str, Tensor] | None:
    """Where numbers first are not finite, and for which images ``(N,)`` bool; None where the sum alone overflowed."""
    space, layers = net.space, net.space.cells.layer.to_numpy()
    if (bad := _rows(images)).any():
        _, channel, row, column = (~images.isfinite()).nonzero()[0].tolist()
        return f"the image itself holds it, at channel {channel}, row {row}, column {column}", bad
    passage = net.start(images)
    everyone = np.arange(len(images))
    if (bad := _rows(passage.boxes[0].features(everyone))).any():
        return f"it first appears in the stem{_why(net.stem)}", bad
    for layer in range(space.layers + 1):
        cells = [cell for cell in range(space.n_cells) if layers[cell] == layer]
        reached = {cell: passage.boxes[cell].reached.copy() for cell in cells}
        for cell, rows in reached.items():
            arrived = passage.boxes[cell].features(everyone)
            if (bad := _rows(arrived) & torch.from_numpy(rows)).any():
                return f"it first appears in the sum that cell {space.cell_names[cell]} is sent", bad
        sent: dict[int, Tensor] = {}
        net.advance(passage, route, until=layer + 1, run_starved=run_starved, opened=sent.__setitem__)
        for cell, rows in reached.items():
            paths, module = space.paths_from(cell), net.cells[cell]
            if (bad := _rows(passage.gates[:, paths]) & torch.from_numpy(rows)).any():
                return f"it first appears in the gate of cell {space.cell_names[cell]}{_why(module.gate)}", bad
            for path in range(paths.start, paths.stop):
                if path in sent and _rows(sent[path]).any():
                    bad = torch.zeros(len(images), dtype=torch.bool)
                    bad[passage.gates[:, path] > OPEN_THRESHOLD] = _rows(sent[path])
                    return f"it first appears in cell {space.path_names[path]}{_why(module)}", bad
    bad = _rows(net.finish(passage).logits)
    return (f"it first appears in the decoder{_why(net.decoder)}", bad) if bad.any() else None


def _rows(x: Tensor) -> Tensor:
    """Which rows hold NaN or infinity, ``(N,)`` bool on the CPU."""
    return ~x.isfinite().flatten(1).all(dim=1).cpu()


def _why(module: nn.Module | None) -> str:
    """The weights to blame, or that none are."""
    state = {} if module is None else module.state_dict()
    names = [name for name, tensor in state.items() if not tensor.float().isfinite().all()]
    if names:
        return f", whose weights {names[0]} hold it; take another checkpoint"
    return ", whose weights are finite: values grew beyond what float32 holds; take another checkpoint"
