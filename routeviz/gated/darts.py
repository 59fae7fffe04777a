"""DARTS: a cell whose edges are sums of operations while it is searched, and the operation that weighs most after it.

Liu, Simonyan and Yang: DARTS: Differentiable Architecture Search, ICLR 2019, arXiv 1806.09055. As there: a cell with
two inputs, the outputs of the two cells before it; on every edge a softmax over operations, none among them; weights
learn on one part of the training data and the architecture on another, in turn (first order); of a node's edges the two
are kept whose best operation weighs most, none aside; the derived cell is trained again from scratch. Here: three
intermediate nodes instead of four, four operations, and three cells that share one architecture, with average pooling
between them instead of reduction cells, for 8×8 images; a cell gives its nodes' sum, not their concatenation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.gated.residual import CLASSES
from routeviz.gated.supernet import Supernet
from routeviz.routelog import RouteLog
from routeviz.space import cell_graph_space

WIDTH, CELLS, KEPT = 16, 3, 2
"""Channels; cells, all of one architecture; edges into a node that are kept."""

EDGES = ((0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))
NODES = (2, 3, 4)
OPERATIONS = ("separable 3", "dilated 3", "max pool", "identity")


def operation(name: str) -> nn.Module:
    """An operation on an edge, whose output is shaped as its input."""
    if name == "identity":
        return nn.Identity()
    if name == "max pool":
        return nn.MaxPool2d(3, 1, 1)
    dilation = 2 if name == "dilated 3" else 1
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(WIDTH, WIDTH, 3, 1, dilation, dilation, groups=WIDTH, bias=False),
        nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
        nn.BatchNorm2d(WIDTH),
    )


class Cell(nn.Module):
    """The two inputs, and every operation on every edge."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH)) for _ in range(2)
        )
        self.edges = nn.ModuleList(nn.ModuleList(operation(name) for name in OPERATIONS) for _ in EDGES)

    def forward(self, before: Tensor, last: Tensor, factors: Tensor) -> Tensor:
        """Factors are (edge, operation); what is 0 does not run."""
        nodes = [self.inputs[0](before), self.inputs[1](last)]
        for node in NODES:
            nodes.append(torch.zeros_like(last))
            for at, (source, target) in enumerate(EDGES):
                if target == node:
                    for part, factor in zip(self.edges[at], factors[at], strict=True):
                        if factor > 0:
                            nodes[node] = nodes[node] + factor * part(nodes[source])
        return sum(nodes[node] for node in NODES)


class Darts(Supernet):
    """Three cells of one architecture."""

    name: ClassVar[str] = "darts"
    title: ClassVar[str] = "DARTS"
    paper: ClassVar[str] = "DARTS: Differentiable Architecture Search, ICLR 2019, arXiv 1806.09055"
    epochs: ClassVar[int] = 25

    def __init__(self) -> None:
        super().__init__()
        self.space = cell_graph_space(EDGES, OPERATIONS, inputs=2, outputs=NODES)
        names = self.space.path_names
        self.steps = np.array([[names.index(f"node {a} to {b} {name}") for name in OPERATIONS] for a, b in EDGES])
        self.outs = np.array([names.index(f"node {node} out") for node in NODES])
        self.stem = nn.Sequential(nn.Conv2d(1, WIDTH, 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTH))
        self.cells = nn.ModuleList(Cell() for _ in range(CELLS))
        self.head = nn.Linear(WIDTH, CLASSES)
        self.theta = nn.Parameter(1e-3 * torch.randn(len(EDGES), 1 + len(OPERATIONS)))  # none first

    def run(self, images: Tensor, route: Tensor) -> Tensor:
        before = last = self.stem(images)
        for at, cell in enumerate(self.cells):
            if at:
                before, last = F.avg_pool2d(before, 2), F.avg_pool2d(last, 2)
            before, last = last, cell(before, last, route[self.steps])
        return self.head(last.mean(dim=(2, 3)))

    def weights(self) -> Tensor:
        """Weight of every operation on every edge, ``(edge, operation)``; what is missing to 1 is that of none."""
        return self.theta.softmax(dim=1)[:, 1:]

    def training_route(self, progress: float, rng: np.random.Generator) -> Tensor:
        route = torch.zeros(self.space.n_paths)
        route[self.outs] = 1.0
        return route.index_put((torch.from_numpy(self.steps),), self.weights())

    def architecture(self, chosen: Mapping[int, int]) -> np.ndarray:
        """The route of an architecture: the operation of each edge that it has, by the edge's number."""
        route = np.zeros(self.space.n_paths, np.float32)
        route[self.outs] = 1
        route[[self.steps[edge, name] for edge, name in chosen.items()]] = 1
        return route

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        chosen = {}
        for node in NODES:
            into = [at for at, (_, target) in enumerate(EDGES) if target == node]
            chosen |= {int(edge): int(rng.integers(len(OPERATIONS))) for edge in rng.choice(into, KEPT, replace=False)}
        return self.architecture(chosen)

    def paths(self) -> Mapping[str, Sequence[nn.Module]]:
        return {
            self.space.path_names[self.steps[edge, at]]: [cell.edges[edge][at] for cell in self.cells]
            for edge in range(len(EDGES))
            for at, name in enumerate(OPERATIONS)
            if name not in ("identity", "max pool")
        }

    def derive(self, log: RouteLog) -> np.ndarray:
        """Of every node the two edges whose best operation weighs most."""
        weights, chosen = self.weights().detach().numpy(), {}
        for node in NODES:
            into = [at for at, (_, target) in enumerate(EDGES) if target == node]
            kept = sorted(into, key=lambda edge: -weights[edge].max())[:KEPT]
            chosen |= {edge: int(weights[edge].argmax()) for edge in kept}
        return self.architecture(chosen)
