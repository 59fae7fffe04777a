"""Whole passes for a GPU: every cell on every image, masked, and handed over as one CUDA graph."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from routeviz.network.decoder import STEM_STRIDE
from routeviz.space import OPEN_THRESHOLD

if TYPE_CHECKING:
    from routeviz.network.network import RoutingNetwork

KEPT = 4
"""Graphs kept for as many sizes of batch and image; each holds the memory of its pass."""


def run_masked(
    net: RoutingNetwork, parts: Any, images: Tensor, forced: Tensor, *, run_starved: bool
) -> tuple[Tensor, Tensor]:
    """Run every cell and path on the whole batch, and multiply by zero what an image does not open.

    Nothing is decided on the CPU, so that no kernel waits for it. Where a GPU is not kept busy by what is open, that is
    several times as quick as to leave out what is closed. NaN or infinity in what is closed gets through, as zero times
    either is NaN: such logits say nothing.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode, with gates.
    parts : RoutingNetwork or Parts
        What it runs through.
    images : Tensor, (N, 3, H, W)
        H and W padded already.
    forced : Tensor, (N, path) float32
        On the images' device; NaN asks the gate.
    run_starved : bool
        See `RoutingNetwork.forward`.

    Returns
    -------
    logits : Tensor, (N, class, H, W)
    gates : Tensor, (N, path) float32
        NaN where the cell is unreached.
    """
    space, n = net.space, len(images)
    x = parts.stem(images)
    nobody = torch.zeros(n, dtype=torch.bool, device=x.device)
    sums: list[Tensor | None] = [None] * (space.n_cells + space.scales)
    reached = [nobody] * len(sums)
    sums[0], reached[0] = x, ~nobody
    gates = []
    for index, cell in enumerate(parts.cells):
        x, paths, here = sums[index], space.paths_from(index), reached[index]
        sums[index] = None
        asked = forced[:, paths]
        alphas = torch.where(asked.isnan(), net.ask(cell, index, x).to(asked.dtype), asked)
        gates.append(torch.where(here[:, None], alphas, torch.nan))
        closed = here & (alphas.sum(dim=1) < OPEN_THRESHOLD)
        live = here & ~closed
        opens = live[:, None] & ~(alphas <= OPEN_THRESHOLD)  # asked this way round, NaN counts as open
        h = cell(x)
        weights, passed = torch.where(opens, alphas, 0).to(h.dtype), _each(closed).to(x.dtype)
        for offset, path in enumerate(range(paths.start, paths.stop)):
            target = net.leads_to[path]
            y, weight = cell.transforms[cell.moves[offset]](h), _each(weights[:, offset])
            sums[target] = y * weight if sums[target] is None else sums[target].addcmul(y, weight)
            reached[target] = reached[target] | (live if run_starved else opens[:, offset])
            if space.passes[path]:
                sums[target] = sums[target].addcmul(x, passed)
                reached[target] = reached[target] | closed
    return _decode(parts.decoder, sums[space.n_cells :], reached[space.n_cells :]), torch.cat(gates, dim=1)


def _decode(decoder: Any, sums: list[Tensor], reached: list[Tensor]) -> Tensor:
    """What `Decoder` gives, from sums and masks in place of inboxes."""
    for scale in range(len(sums) - 1, 0, -1):
        y = F.interpolate(decoder.stages[scale](sums[scale]), scale_factor=2, mode="bilinear", align_corners=False)
        sums[scale - 1] = sums[scale - 1].addcmul(y, _each(reached[scale]).to(y.dtype))
        reached[scale - 1] = reached[scale - 1] | reached[scale]
    logits = decoder.predictor(decoder.stages[0](sums[0]))
    logits = F.interpolate(logits, scale_factor=STEM_STRIDE, mode="bilinear", align_corners=False)
    return torch.where(_each(reached[0]), logits, _each(decoder.predictor.bias, 1).to(logits.dtype))


def _each(values: Tensor, before: int = 0) -> Tensor:
    """One value an image, ``(N,)``, or a channel, laid out to go with features ``(N, C, H, W)``."""
    return values.view(*[1] * before, -1, *[1] * (3 - before))


class Capturing:
    """Keeps a network's passes as CUDA graphs, for the last few sizes of batch and image."""

    def __init__(self) -> None:
        self._graphs: OrderedDict[tuple, _Graph] = OrderedDict()
        self._parts: Any = None
        self._lock = Lock()

    def run(
        self, net: RoutingNetwork, parts: Any, images: Tensor, forced: Tensor | None, *, run_starved: bool
    ) -> tuple[Tensor, Tensor]:
        """Logits and gates as `run_masked` gives them; ``forced`` may lie on the CPU, and None asks every gate."""
        with self._lock:
            if self._parts is not parts:  # the weights have changed
                self._graphs.clear()
                self._parts = parts
            device = images.device.type
            autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
            key = images.device, images.shape, images.dtype, run_starved, autocast
            graph = self._graphs.pop(key, None) or _Graph(net, parts, images, run_starved=run_starved)
            self._graphs[key] = graph
            while len(self._graphs) > KEPT:
                self._graphs.popitem(last=False)
            return graph(images, forced)

    def __reduce__(self) -> tuple:
        return Capturing, ()  # a copied or unpickled network captures for itself


class _Graph:
    """One pass of one size, captured: its inputs and outputs lie where they lay then."""

    def __init__(self, net: RoutingNetwork, parts: Any, images: Tensor, *, run_starved: bool) -> None:
        self._images = images.clone()
        self._forced = torch.full((len(images), net.space.n_paths), torch.nan, device=images.device)
        beside = torch.cuda.Stream(images.device)
        beside.wait_stream(torch.cuda.current_stream(images.device))
        # Once outside the graph: libraries choose their kernels and take their memory at the first call.
        with (
            torch.cuda.stream(beside),
            torch.autocast("cuda", enabled=torch.is_autocast_enabled("cuda"), cache_enabled=False),
        ):
            run_masked(net, parts, self._images, self._forced, run_starved=run_starved)
        torch.cuda.current_stream(images.device).wait_stream(beside)
        self._graph = torch.cuda.CUDAGraph()
        with (
            torch.autocast("cuda", enabled=torch.is_autocast_enabled("cuda"), cache_enabled=False),
            torch.cuda.graph(self._graph),
        ):
            self._output = run_masked(net, parts, self._images, self._forced, run_starved=run_starved)

    def __call__(self, images: Tensor, forced: Tensor | None) -> tuple[Tensor, Tensor]:
        self._images.copy_(images)
        self._forced.fill_(torch.nan) if forced is None else self._forced.copy_(forced)
        self._graph.replay()
        return tuple(tensor.clone() for tensor in self._output)
