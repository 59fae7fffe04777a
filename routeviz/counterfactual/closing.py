"""Closing each path of an image in turn: what comes before a path is computed once, what comes after in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from routeviz.costs import CONVENTIONS, asked_cells, macs
from routeviz.errors import InputError
from routeviz.metrics import confusion
from routeviz.network import NetworkOutput, RoutingNetwork
from routeviz.network.forcing import RouteLike, forced_gates
from routeviz.network.inbox import Passage
from routeviz.network.logits import classes_at, divergence
from routeviz.network.sparse import decided

MAX_BYTES = 1 << 28
TOGETHER = 16


@dataclass(frozen=True, eq=False)
class Closings:
    """What an image's segmentation is with each path closed alone; row 0 of `hits` and `predicted` is the original.

    Attributes
    ----------
    gates : ndarray, (path,) float32
        Of the original; NaN where the cell is unreached.
    kl : ndarray, (path,) float64
        Kullback-Leibler divergence of the closed network's class probabilities from the original's, in nats, mean over
        pixels. 0 where the activation is 0 or the cell unreached. A path that is not open but above 0 is closed all the
        same, as one forward pass with it forced to 0 gives it: its share may be what keeps its cell from being closed.
    changed : ndarray, (path,) float64
        Share of pixels whose class changes.
    macs : dict of str to ndarray, (1 + path,) int64
        MACs by convention, of the original first. The gate of a closed path is asked all the same.
    confusion : ndarray, (class, class) int64, or None
        Label against prediction of the original; None without a label.
    hits, predicted : ndarray, (1 + path, class) int64, or None
        Pixels labelled with a class and predicted right, and labelled pixels predicted as it.
    """

    gates: np.ndarray
    kl: np.ndarray
    changed: np.ndarray
    macs: dict[str, np.ndarray]
    confusion: np.ndarray | None = None
    hits: np.ndarray | None = None
    predicted: np.ndarray | None = None


@torch.inference_mode()
def run_closed(
    net: RoutingNetwork,
    image: Tensor,
    *,
    route: RouteLike | None = None,
    together: int = TOGETHER,
    max_bytes: int = MAX_BYTES,
) -> Iterator[tuple[np.ndarray, NetworkOutput]]:
    """Run an image with each path whose activation is above 0 closed in turn.

    The original runs layer by layer. From each layer the alternatives in which one of its paths is closed go on: what
    the layer's cells sent is known, so that they begin with the next one, and they run together as one batch. Cells
    that an alternative reaches no more do not run for it.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    image : Tensor, (3, H, W) float32
        As the network takes it.
    route : RouteLike, optional
        What is forced on the original already, and stays so in the alternatives; see `RoutingNetwork.forward`.
    together : int
        Most alternatives that run at a time.
    max_bytes : int
        About the most bytes that these may take; at least one runs.

    Yields
    ------
    paths : ndarray, (alternative,) intp
        The path that each alternative closes.
    output : NetworkOutput
        Of the alternatives, as one forward pass each with this path forced to 0 gives it.
    """
    if net.training:
        raise InputError("paths are closed at inference only; call net.eval() first")
    space, layers = net.space, net.space.cells.layer.to_numpy()
    together = max(1, min(together, max_bytes // _bytes(net, image)))
    passage = net.start(image[None])
    for layer in range(space.layers + 1):
        before, sent = passage.fork(), {}
        net.advance(passage, route, until=layer + 1, opened=sent.__setitem__)
        cells = [cell for cell in np.flatnonzero(layers == layer).tolist() if before.boxes[cell].reached.any()]
        inputs = {cell: before.boxes[cell].features(np.zeros(1, np.intp)) for cell in cells}
        for cell in np.flatnonzero(layers == layer):
            before.boxes[cell] = None  # a fork would copy it
        # What is 0 already is closed; comparing NaN gives False, so that unreached cells have no alternatives.
        alphas = passage.gates[0].numpy()
        paths = np.flatnonzero((alphas > 0) & (layers[space.source] == layer))
        for start in range(0, len(paths), together):
            chosen = paths[start : start + together]
            alternatives = _without(net, chosen, before, passage.gates[0], inputs, sent)
            net.advance(alternatives, route)
            yield chosen, net.finish(alternatives)


def close_each(
    net: RoutingNetwork,
    image: Tensor,
    *,
    label: np.ndarray | None = None,
    ignore_index: int | None = None,
    route: RouteLike | None = None,
    **options: int,
) -> Closings:
    """Measure what closing each path alone does to an image's segmentation, and to its MACs.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    image : Tensor, (3, H, W) float32
        As the network takes it, on its device.
    label : ndarray, (H, W) int, optional
        At its own size, to which logits are resized (bilinear).
    ignore_index : int, optional
        Label value that is no class.
    route : RouteLike, optional
        As of `run_closed`.
    **options
        ``together`` and ``max_bytes``, as of `run_closed`.

    Returns
    -------
    Closings
    """
    n_paths, n_classes = net.space.n_paths, net.config.num_classes
    size = tuple(image.shape[-2:])
    kl, changed = np.zeros(n_paths), np.zeros(n_paths)
    with torch.inference_mode():
        original = net(image[None], route=route)
        gates = original.gates[0].cpu().numpy()
        all_gates = np.repeat(gates[None], 1 + n_paths, axis=0)
        log_p, predictions = original.logits.log_softmax(dim=1), original.logits.max(dim=1).indices
        table = None if label is None else _confusion(original.logits, label, n_classes, ignore_index)
        tables = None if table is None else np.repeat(table, 1 + n_paths, axis=0)
        for paths, output in run_closed(net, image, route=route, **options):
            logits = output.logits
            kl[paths] = divergence(log_p, logits).cpu()
            changed[paths] = (logits.max(dim=1).indices != predictions).double().mean(dim=(1, 2)).cpu()
            all_gates[1 + paths] = output.gates.cpu()
            if tables is not None:
                tables[1 + paths] = _confusion(logits, label, n_classes, ignore_index)
    forced = None if route is None else forced_gates(route, net.space, 1, None)[0].numpy()
    asked = True if forced is None else asked_cells(net.space, forced)
    counts = {name: macs(net, all_gates, size, convention=name, with_gates=asked) for name in CONVENTIONS}
    if tables is None:
        return Closings(gates, kl, changed, counts)
    hits = np.diagonal(tables, axis1=1, axis2=2)
    return Closings(gates, kl, changed, counts, tables[0], hits, tables.sum(axis=1))


def _without(
    net: RoutingNetwork,
    closed: np.ndarray,
    before: Passage,
    gates: Tensor,
    inputs: dict[int, Tensor],
    sent: dict[int, Tensor],
) -> Passage:
    """The passages of an image behind a layer, one for each of its paths that is closed.

    ``inputs`` are those of the layer's reached cells, ``sent`` is what its open paths carried, ``gates`` are known up
    to this layer.
    """
    space, n = net.space, len(closed)
    passage = before.fork(np.zeros(n, np.intp))
    passage.gates = gates.repeat(n, 1)
    passage.gates[torch.arange(n), torch.from_numpy(closed)] = 0
    passage.layer += 1
    for cell, x in inputs.items():
        paths = space.paths_from(cell)
        closes, opens = decided(passage.gates[:, paths])
        awake, asleep = np.flatnonzero(~closes), np.flatnonzero(closes)
        for offset, path in enumerate(range(paths.start, paths.stop)):
            box = passage.boxes[net.leads_to[path]]
            if len(awake):
                box.mark(awake)
            senders = awake[opens[awake, offset]]
            if len(senders):
                box.add(senders, sent[path].expand(len(senders), -1, -1, -1))
            if len(asleep) and space.passes[path]:
                box.add(asleep, x.expand(len(asleep), -1, -1, -1))
    return passage


def _confusion(logits: Tensor, label: np.ndarray, n_classes: int, ignore_index: int | None) -> np.ndarray:
    """Confusion of each of several segmentations of one image, ``(n, class, class)`` int64."""
    return np.stack([confusion(label, one, n_classes, ignore_index) for one in classes_at(logits, label.shape)])


def _bytes(net: RoutingNetwork, image: Tensor) -> int:
    """About what one alternative takes: the features of two layers, a cell's own, and logits with probabilities."""
    height, width = net.padded_size(tuple(image.shape[-2:]))
    features = int((net.cell_sizes((height, width)).prod(axis=1) * net.space.cells.channels)[-net.space.scales :].sum())
    return image.element_size() * (6 * features + 4 * net.config.num_classes * height * width)
