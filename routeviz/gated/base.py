"""What every network here says of itself, so that one loop trains it and one function records and counts it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from routeviz.recording import Gate, measure_macs
from routeviz.routelog import PartCosts
from routeviz.space import RoutingSpace


class Gated(nn.Module, ABC):
    """A classifier that decides for each image, or token, what to run.

    ``forward(images)`` gives logits ``(image, class)``; in evaluation it runs nothing but what the gates ask for. What
    runs in training, so that gates can learn, is up to `loss`.

    Attributes
    ----------
    name, title, paper : str
        Of the network; where it was published.
    epochs : int
        So long it is trained on the digits, in all its stages.
    tokens : int
        Rows of a log for each image: 1, or the number of tokens where each takes a way of its own.
    space : RoutingSpace
    everything : bool
        Run every part, whatever the gates say: for counting.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    epochs: ClassVar[int] = 40
    tokens: ClassVar[int] = 1

    space: RoutingSpace
    everything: bool = False

    @abstractmethod
    def loss(self, images: Tensor, labels: Tensor, progress: float) -> Tensor:
        """What a step of training lowers; `progress` goes from 0 to 1."""

    @abstractmethod
    def gates(self) -> Mapping[str, Gate]:
        """The gates, as `routeviz.record` takes them."""

    @abstractmethod
    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        """Modules of cells and paths, as the keywords of `routeviz.measure_macs`: operations, gates, paths."""

    def facts(self, images: Tensor) -> Mapping[str, Any]:
        """Further facts of a log's rows after a forward pass of these images: one value a row."""
        return {}

    def costs(self, images: Tensor) -> PartCosts:
        """What the parts cost for an image, or a token, of the size of these."""
        training, everything = self.training, self.everything
        self.eval().everything = True
        try:
            return measure_macs(self, self.space, images, rows=len(images) * self.tokens, **self.parts())
        finally:
            self.train(training).everything = everything


def run_chosen(block: Callable[[Tensor], Tensor], features: Tensor, otherwise: Tensor, chosen: Tensor) -> Tensor:
    """Run a block for some images of a batch alone.

    Parameters
    ----------
    block : function
        From features to features, shaped as `otherwise`.
    features : Tensor, (image, ...)
    otherwise : Tensor, (image, ...)
        What images get that the block is not run for.
    chosen : Tensor, (image,) bool
    """
    if not chosen.any():
        return otherwise
    if chosen.all():
        return block(features)
    result = otherwise.clone()
    result[chosen] = block(features[chosen])
    return result


def forced_scores(opens: Tensor) -> Tensor:
    """Scores that choose these options and no other, whatever the rule: infinite, of either sign.

    Parameters
    ----------
    opens : Tensor, (image, option)
        Above 0 where the option is chosen.
    """
    return torch.where(opens > 0, torch.inf, -torch.inf)


def unless_forced(chosen: Tensor, scores: Tensor) -> Tensor:
    """What a rule chose by scores; or what `forced_scores` says, where it wrote them. All ``(image, option)``."""
    return torch.where(scores.isinf(), (scores > 0).to(chosen.dtype), chosen)
