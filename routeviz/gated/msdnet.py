"""MSDNet: classifiers along the way, the first of which that is sure enough answers.

Huang, Chen, Li, Wu, van der Maaten and Weinberger: Multi-Scale Dense Networks for Resource Efficient Image
Classification, ICLR 2018, arXiv 1703.09844. As there: features at several scales in every layer, each densely connected
to all before it at its own scale and the next finer one; a classifier on the coarsest scale after each block; the
losses of all classifiers added; an image leaves where its largest probability is above a threshold. Unlike there: two
scales and five layers for 8×8 images, one layer a block; one threshold for all exits, given instead of fitted to a
budget; and fine features in the last layer too, which nothing reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.gated.base import Gated
from routeviz.gated.residual import CLASSES
from routeviz.recording import Gate
from routeviz.space import exit_gates, exits_space

LAYERS, GROWTH = 5, (6, 12)
"""Layers; channels that a layer adds at the fine and at the coarse scale."""

SURE = 0.9
"""An image leaves where a class is more probable than this."""


class Exits(NamedTuple):
    """What is computed of a batch: logits ``(image, class)``, and the block after which each image left."""

    logits: Tensor
    left: Tensor


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3×3 convolution with batch norm and ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class Layer(nn.Module):
    """New features at both scales, beside all that were there: the coarse ones from the fine too."""

    def __init__(self, fine: int, coarse: int) -> None:
        super().__init__()
        self.fine = convolution(fine, GROWTH[0])
        self.down = convolution(fine, GROWTH[1] // 2, stride=2)
        self.coarse = convolution(coarse, GROWTH[1] // 2)

    def forward(self, features: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        more = torch.cat([coarse, self.down(features), self.coarse(coarse)], dim=1)
        return torch.cat([features, self.fine(features)], dim=1), more


class Classifier(nn.Module):
    """Coarse features to logits."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(convolution(inputs, 24, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.answer = nn.Linear(24, CLASSES)

    def forward(self, coarse: Tensor) -> Tensor:
        return self.answer(self.layers(coarse))


class Answers(nn.Module):
    """Hands on what it is given: a place in the model where a hook sees who left where."""

    def forward(self, exits: Exits) -> Exits:
        return exits


class MSDNet(Gated):
    """Two scales, five layers, and a classifier after each."""

    name: ClassVar[str] = "msdnet"
    title: ClassVar[str] = "MSDNet"
    paper: ClassVar[str] = (
        "Multi-Scale Dense Networks for Resource Efficient Image Classification, ICLR 2018, arXiv 1703.09844"
    )

    def __init__(self) -> None:
        super().__init__()
        widths = [(8 + at * GROWTH[0], 16 + at * GROWTH[1]) for at in range(LAYERS + 1)]
        self.space = exits_space(LAYERS, channels=[coarse for _, coarse in widths[1:]])
        self.stem, self.coarse_stem = convolution(1, 8), convolution(8, 16, stride=2)
        self.layers = nn.ModuleList(Layer(*width) for width in widths[:-1])
        self.classifiers = nn.ModuleList(Classifier(coarse) for _, coarse in widths[1:])
        self.answers = Answers()

    def forward(self, images: Tensor) -> Tensor:
        fine = self.stem(images)
        coarse = self.coarse_stem(fine)
        logits = images.new_zeros(len(images), CLASSES)
        left = torch.full((len(images),), LAYERS - 1)
        here = torch.arange(len(images))
        for at, (layer, classifier) in enumerate(zip(self.layers, self.classifiers, strict=True)):
            fine, coarse = layer(fine, coarse)
            answer = classifier(coarse)
            logits[here], left[here] = answer, at
            goes = (answer.softmax(dim=1).amax(dim=1) <= SURE) | self.everything
            fine, coarse, here = fine[goes], coarse[goes], here[goes]
            if not len(here):
                break
        return self.answers(Exits(logits, left)).logits

    def loss(self, images: Tensor, labels: Tensor, progress: float) -> Tensor:
        fine = self.stem(images)
        coarse = self.coarse_stem(fine)
        losses = []
        for layer, classifier in zip(self.layers, self.classifiers, strict=True):
            fine, coarse = layer(fine, coarse)
            losses.append(F.cross_entropy(classifier(coarse), labels))
        return torch.stack(losses).sum()

    def gates(self) -> Mapping[str, Gate]:
        return {"answers": Gate(self.space.cell_names, activations=lambda exits: exit_gates(self.space, exits.left))}

    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        cells = self.space.cell_names
        return {
            "operations": dict(zip(cells, self.layers, strict=True)),
            "gates": dict(zip(cells, self.classifiers, strict=True)),
        }
