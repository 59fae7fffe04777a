"""Sparsely-gated mixture of experts: in every layer a router sends each token through two of eight experts.

Shazeer, Mirhoseini, Maziarz, Davis, Le, Hinton and Dean: Outrageously Large Neural Networks: The Sparsely-Gated
Mixture-of-Experts Layer, ICLR 2017, arXiv 1701.06538. As there: noisy top-k gating, and a loss on the squared
coefficient of variation of the experts' importance, so that all are used. Unlike there: no second loss, on their load;
the experts stand between attention layers, in place of a Transformer's feed-forward layers; the tokens are the sixteen
2×2 patches of an 8×8 image; the noise has one learned scale; and an expert whose weight counts as shut (1e-4 and less)
does not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.gated.base import Gated
from routeviz.gated.residual import CLASSES
from routeviz.recording import Gate
from routeviz.space import OPEN_THRESHOLD, experts_space

LAYERS, EXPERTS, TOP = 3, 8, 2
WIDTH, HIDDEN = 32, 32
SIDE = 4
"""Patches along each side of an image."""

BALANCE = 0.05
"""Weight of the loss on the experts' importance."""


class Router(nn.Module):
    """Tokens to the weights of the experts, ``(token, expert)``: zero for all but the two with the largest logits."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.noise = nn.Parameter(torch.zeros(()))

    def forward(self, tokens: Tensor) -> Tensor:
        logits = self.logits(tokens)
        if self.training:
            logits = logits + torch.randn_like(logits) * F.softplus(self.noise)
        top, chosen = logits.topk(TOP, dim=1)
        return torch.zeros_like(logits).scatter(1, chosen, top.softmax(dim=1))


class Attention(nn.Module):
    """Every token looks at all of its image, with one head."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.project(x).chunk(3, dim=-1)
        shares = (query @ key.transpose(1, 2) / WIDTH**0.5).softmax(dim=-1)
        return self.out(shares @ value)


class Layer(nn.Module):
    """Attention, then the experts, each beside a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.attention, self.router = Attention(), Router()
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH)) for _ in range(EXPERTS)
        )

    def forward(self, x: Tensor, *, everything: bool = False) -> tuple[Tensor, Tensor]:
        """Tokens (image, token, width) to tokens, and the experts' weights (image * token, expert)."""
        x = x + self.attention(self.norms[0](x))
        tokens = self.norms[1](x).flatten(0, 1)
        weights = self.router(tokens)
        mixed = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            rows = torch.arange(len(tokens)) if everything else (weights[:, number] > OPEN_THRESHOLD).nonzero()[:, 0]
            if len(rows):
                mixed = mixed.index_add(0, rows, weights[rows, number, None] * expert(tokens[rows]))
        return x + mixed.view_as(x), weights


class MixtureOfExperts(Gated):
    """Three layers of eight experts, two of which each token goes through."""

    name: ClassVar[str] = "moe"
    title: ClassVar[str] = "Mixture of experts"
    paper: ClassVar[str] = (
        "Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer, ICLR 2017, arXiv 1701.06538"
    )
    epochs: ClassVar[int] = 150
    tokens: ClassVar[int] = SIDE * SIDE

    def __init__(self) -> None:
        super().__init__()
        self.space = experts_space(LAYERS, EXPERTS, width=WIDTH)
        self.embed = nn.Linear(4, WIDTH)
        self.places = nn.Parameter(0.1 * torch.randn(self.tokens, WIDTH))
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self._run(images)[0]

    def _run(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, weights = self.embed(_patches(images)) + self.places, []
        for layer in self.layers:
            x, used = layer(x, everything=self.everything)
            weights.append(used)
        return self.head(x.mean(dim=1)), weights

    def loss(self, images: Tensor, labels: Tensor, progress: float) -> Tensor:
        logits, weights = self._run(images)
        importance = torch.stack(weights).sum(dim=1)  # (layer, expert)
        variation = importance.var(dim=1) / importance.mean(dim=1).square()
        return F.cross_entropy(logits, labels) + BALANCE * variation.sum()

    def gates(self) -> Mapping[str, Gate]:
        return {f"layers.{at}.router": Gate(cell) for at, cell in enumerate(self.space.cell_names)}

    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        experts = [expert for layer in self.layers for expert in layer.experts]
        return {
            "paths": dict(zip(self.space.path_names, experts, strict=True)),
            "gates": {cell: layer.router for cell, layer in zip(self.space.cell_names, self.layers, strict=True)},
        }

    def facts(self, images: Tensor) -> Mapping[str, Any]:
        """Of every token: how dark its patch is, 0 to 1."""
        return {"ink": _patches(images).mean(dim=2).flatten()}


def _patches(images: Tensor) -> Tensor:
    """Images (image, 1, 8, 8) as patches (image, token, 4), row by row."""
    return F.unfold(images, kernel_size=2, stride=2).transpose(1, 2)
