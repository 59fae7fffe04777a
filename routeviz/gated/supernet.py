"""Networks that hold many architectures: an architecture is a route, and a log has a row for each that was tried.

To add one: a class of `Supernet` in a module of its own, and a line in `SUPERNETS`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.datasets import Digits
from routeviz.recording import Gate, measure_macs, record
from routeviz.routelog import PartCosts, RouteLog
from routeviz.space import RoutingSpace

SEARCH = 257
"""Of the training digits, those that no weights are trained on: architectures are chosen by them."""

BATCH, RATE, DECAY = 64, 2e-3, 1e-4
THETA_RATE = 0.05
"""Learning rate of the parameters of the architecture, where there are some."""

WARM = 0.2
"""Share of the training in which the weights learn alone."""

ALONE_EPOCHS = 20
"""So long an architecture is trained from scratch."""


class Supernet(nn.Module, ABC):
    """A classifier in which every path of a space is there; a forward pass runs those that a route opens.

    Attributes
    ----------
    name, title, paper : str
        Of the network; where it was published.
    epochs : int
        So long its weights are trained on the digits, and those of one architecture alone.
    space : RoutingSpace
    route : Tensor, (path,)
        What the next forward pass runs: factors of the paths, 1 for those of an architecture.
    theta : nn.Parameter, optional
        Parameters of the architecture, learned on the digits of `SEARCH`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    epochs: ClassVar[int] = 40

    space: RoutingSpace
    route: Tensor
    theta: nn.Parameter | None

    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("theta", None)
        self.chosen = nn.Identity()  # a place in the model where a hook sees the route

    def forward(self, images: Tensor) -> Tensor:
        """Logits, ``(image, class)``, of the architecture that `route` says."""
        return self.run(images, self.chosen(self.route[None])[0])

    @abstractmethod
    def run(self, images: Tensor, route: Tensor) -> Tensor:
        """Logits with a route; what is 0 in it does not run."""

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """An architecture at random, as a route (path,)."""

    @abstractmethod
    def paths(self) -> Mapping[str, Sequence[nn.Module]]:
        """The modules that run where a path is open, by its name."""

    @abstractmethod
    def derive(self, log: RouteLog) -> np.ndarray:
        """The architecture that the search ends with, as a route; the log has the sampled ones."""

    def training_route(self, progress: float, rng: np.random.Generator) -> Tensor:
        """What a step of training runs; `progress` goes from 0 to 1."""
        return torch.tensor(self.sample(rng))

    def penalty(self) -> Tensor | float:
        """What is added to the loss where `theta` learns."""
        return 0.0

    def costs(self, images: Tensor) -> PartCosts:
        """What the paths cost for an image of the size of these; of a route of this space, what executes."""
        net = copy.deepcopy(self).eval()
        net.route = torch.ones(self.space.n_paths)
        return measure_macs(net, self.space, images, paths={k: list(v) for k, v in net.paths().items()})


def digits_for_search() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Pixels and labels of the digits that weights are trained on, and of those that architectures are chosen by."""
    data = Digits(split="train")
    pixels, labels = torch.from_numpy(data.pixels), torch.from_numpy(data.digits)
    return (pixels[SEARCH:], labels[SEARCH:]), (pixels[:SEARCH], labels[:SEARCH])


def train_supernet(
    kind: type[Supernet], *, route: np.ndarray | None = None, epochs: int | None = None, seed: int = 0
) -> Supernet:
    """Train a supernet on the training digits: weights by AdamW, `theta` by Adam on the digits for the search.

    Parameters
    ----------
    kind : type
        One of `SUPERNETS`.
    route : ndarray, (path,), optional
        Train this architecture alone, from scratch.
    epochs : int, optional
        By default the network's own number.
    seed : int
        Of weights, order and architectures.

    Returns
    -------
    Supernet
        In evaluation mode.
    """
    (pixels, labels), search = digits_for_search()
    torch.manual_seed(seed)
    rng, net, epochs = np.random.default_rng(seed), kind().train(), epochs or kind.epochs
    theta = [net.theta] if net.theta is not None and route is None else []
    weights = torch.optim.AdamW([w for w in net.parameters() if w is not net.theta], RATE, weight_decay=DECAY)
    architecture = torch.optim.Adam(theta, THETA_RATE) if theta else None
    steps = len(pixels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(weights, RATE, total_steps=epochs * steps)
    for epoch in range(epochs):
        order = torch.randperm(len(pixels))
        for step in range(steps):
            progress = (epoch + step / steps) / epochs
            if architecture is not None and progress > WARM:
                rows = torch.randint(SEARCH, (BATCH,))
                logits = net.run(search[0][rows], net.training_route(progress, rng))
                _step(architecture, F.cross_entropy(logits, search[1][rows]) + net.penalty(), theta)
            rows = order[step * BATCH : (step + 1) * BATCH]
            tried = net.training_route(progress, rng) if route is None else torch.tensor(route)
            _step(weights, F.cross_entropy(net.run(pixels[rows], tried.detach()), labels[rows]), net.parameters())
            schedule.step()
    return net.eval()


def _step(optimizer: torch.optim.Optimizer, loss: Tensor, parameters: Any) -> None:
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


@torch.no_grad()
def settle(net: Supernet, route: np.ndarray) -> None:
    """Give the batch norms the statistics of an architecture, from the training digits.

    Those that a supernet has are of all architectures together (Single Path One-Shot).
    """
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    net.train()
    for batch in digits_for_search()[0][0].split(250):
        net.run(batch, torch.tensor(route))
    net.eval()


def record_architectures(net: Supernet, routes: Mapping[str, np.ndarray]) -> RouteLog:
    """Try architectures with the weights of a supernet.

    Parameters
    ----------
    net : Supernet
    routes : mapping of str to ndarray (path,)
        Architectures by name.

    Returns
    -------
    RouteLog
        One row an architecture. Columns: id, ``search_accuracy`` on the digits for the search and ``accuracy`` on the
        held-out ones, as shares; ``loss`` (cross entropy) on these; and ``macs_conv``, of one image.
    """
    _, (search, search_labels) = digits_for_search()
    held = Digits(split="val")
    images = torch.cat([search, torch.from_numpy(held.pixels)])
    labels = torch.cat([search_labels, torch.from_numpy(held.digits)])
    source = {
        "dataset": {"name": held.name, "split": "val"},
        "network_kind": {"name": net.name, "title": net.title, "paper": net.paper},
        "rows": "architectures",
    }
    with record(
        net, net.space, {"chosen": Gate(net.space.cell_names)}, costs=net.costs(images[:8]), source=source
    ) as recording:
        for name, route in routes.items():
            settle(net, route)
            net.route = torch.tensor(route)
            with torch.inference_mode():
                logits = net(images)
            right = (logits.argmax(dim=1) == labels).numpy()
            loss = F.cross_entropy(logits[SEARCH:], labels[SEARCH:])
            recording.add(
                id=[name],
                search_accuracy=float(right[:SEARCH].mean()),
                accuracy=float(right[SEARCH:].mean()),
                loss=float(loss),
            )
    return recording.log


def search_digits(net: Supernet, *, sampled: int = 120, alone: int = 5, seed: int = 0) -> RouteLog:
    """Try architectures of a trained supernet, derive the one that the search ends with, and train a few from scratch.

    Parameters
    ----------
    net : Supernet
    sampled : int
        Architectures at random.
    alone : int
        So many, the derived one and then the first ones, are trained from scratch as well.
    seed : int

    Returns
    -------
    RouteLog
        As `record_architectures` gives it, the derived architecture first; ``role`` is derived or sampled, and
        ``accuracy_alone`` the accuracy after training from scratch, NaN where it was not.
    """
    rng = np.random.default_rng(seed)
    tried = record_architectures(net, {f"architecture {at:03d}": net.sample(rng) for at in range(sampled)})
    first = record_architectures(net, {"derived": net.derive(tried)})
    gates, facts = (
        np.concatenate([first.gates, tried.gates]),
        pd.concat([first.images, tried.images], ignore_index=True),
    )
    facts["role"] = np.where(facts.index == 0, "derived", "sampled")
    facts["accuracy_alone"] = np.nan
    for row in range(min(alone, len(facts))):
        route = np.nan_to_num(gates[row])
        by_itself = train_supernet(type(net), route=route, epochs=ALONE_EPOCHS, seed=seed)
        facts.loc[row, "accuracy_alone"] = record_architectures(by_itself, {"alone": route}).images.accuracy[0]
    return RouteLog(gates, facts, net.space, first.source)
