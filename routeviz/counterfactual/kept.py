"""A forward pass that is kept, so that another route runs from where it first differs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from routeviz.errors import InputError
from routeviz.network import NetworkOutput, RoutingNetwork
from routeviz.network.finite import check_finite_logits
from routeviz.network.forcing import RouteLike, forced_gates

MAX_BYTES = 1 << 30


class KeptPass:
    """A batch's pass through a network with what was sent to the layers, from which other routes go on.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    images : Tensor, (N, 3, H, W) float32
        As the network takes them.
    route : RouteLike, optional
        What is forced on this pass; see `RoutingNetwork.forward`.
    max_bytes : int
        Most bytes of features that are kept. Where all layers need more, every second, third, ... one is kept, and a
        route runs from the last kept layer before it differs.

    Attributes
    ----------
    output : NetworkOutput
        Of this pass.
    """

    def __init__(
        self, net: RoutingNetwork, images: Tensor, route: RouteLike | None = None, *, max_bytes: int = MAX_BYTES
    ):
        if net.training:
            raise InputError("a pass is kept at inference only; call net.eval() first")
        self._net, self._images = net, images
        self._forced = self._gates(route, len(images))
        step = -(-_feature_bytes(net, images) // max_bytes)
        with torch.inference_mode():
            passage = net.start(images)
            self._kept = []
            for layer in range(0, net.space.layers + 1, step):
                self._kept.append(passage.fork())
                net.advance(passage, route, until=min(layer + step, net.space.layers + 1))
            self.output: NetworkOutput = net.finish(passage)
        check_finite_logits(net, images, route, self.output.logits)

    def run(self, route: RouteLike | None) -> NetworkOutput:
        """Run under another route: what a whole forward pass gives, from the first layer in which the two differ."""
        return self.run_from(self.first_difference(route), route)

    def run_from(self, layer: int, route: RouteLike | None) -> NetworkOutput:
        """Run under another route that differs from `layer` on at the earliest; NonFiniteError as a forward pass."""
        passage = next(kept for kept in reversed(self._kept) if kept.layer <= layer).fork()
        with torch.inference_mode():
            self._net.advance(passage, route)
            output = self._net.finish(passage)
        check_finite_logits(self._net, self._images, route, output.logits)
        return output

    def first_difference(self, route: RouteLike | None) -> int:
        """Number of the first layer for which a route says something else; the last layer where there is none."""
        here, there = self._forced, self._gates(route, len(self._forced))
        differs = ~((here == there) | (here.isnan() & there.isnan())).all(dim=0).numpy()
        layers = self._net.space.paths.layer.to_numpy()[differs]
        return int(layers.min()) if len(layers) else self._net.space.layers

    @property
    def nbytes(self) -> int:
        """Bytes of the features that are kept."""
        return sum(passage.nbytes for passage in self._kept)

    def _gates(self, route: RouteLike | None, n_images: int) -> Tensor:
        net = self._net
        forced = forced_gates(route, net.space, n_images, net.fixed_gates)
        return torch.full((n_images, net.space.n_paths), torch.nan) if forced is None else forced


def _feature_bytes(net: RoutingNetwork, images: Tensor) -> int:
    """Bytes of the inputs of all cells."""
    places = net.cell_sizes(images.shape[-2:]).prod(axis=1)
    return int((places * net.space.cells.channels.to_numpy(np.int64)).sum()) * len(images) * images.element_size()
