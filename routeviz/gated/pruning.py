"""Runtime Neural Pruning: in every layer an agent decides for each image how many groups of channels to compute.

Lin, Rao, Lu and Zhou: Runtime Neural Pruning, NIPS 2017. As there: a layer's output channels stand in groups, and an
action is to compute the first so many of them; one recurrent agent for all layers, which is given the pooled features
that a layer is given; Q-learning, where every group costs a penalty and the loss comes at the end; the network is
first trained with actions at random, and then goes on learning while the agent acts. Here: four layers of four groups
for 8×8 images, trained from scratch; network and agent learn in the same steps; and a group that is left out is zeros,
with which the next layer computes, so that a group costs the same whatever was computed before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from routeviz.gated.base import Gated, forced_scores, run_chosen, unless_forced
from routeviz.gated.residual import CLASSES
from routeviz.recording import Gate
from routeviz.space import channels_space

LAYERS = ((16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2))
"""Channels in, channels out, stride."""

GROUPS, HIDDEN = 4, 24
PENALTY = 0.01
"""Of a group that is computed, beside a loss of one."""

WORST = 2.0
"""The loss that an agent answers for, at most."""

RANDOM, EXPLORE = 0.4, 0.1
"""Share of the training in which actions are random; share of random actions after it."""


class Policy(nn.Module):
    """Pooled features and the state of an LSTM to what each action is worth, ``(image, action)``."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(nn.Linear(inputs, HIDDEN) for inputs, _, _ in LAYERS)
        self.lstm = nn.LSTMCell(HIDDEN, HIDDEN)
        self.worth = nn.Linear(HIDDEN, GROUPS)

    def forward(
        self, x: Tensor, layer: int, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        # The agent learns from what it is worth alone, the features from the loss.
        state = self.lstm(self.encoders[layer](x.detach().mean(dim=(2, 3))), state)
        return self.worth(state[0]), state


class RuntimePruning(Gated):
    """Four layers whose channel groups are computed as far as an agent asks for them."""

    name: ClassVar[str] = "pruning"
    title: ClassVar[str] = "Runtime Neural Pruning"
    paper: ClassVar[str] = "Runtime Neural Pruning, NIPS 2017"
    epochs: ClassVar[int] = 80

    def __init__(self) -> None:
        super().__init__()
        self.space = channels_space([GROUPS] * len(LAYERS), strides=[1, 2, 2, 4])
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.layers = nn.ModuleList(
            nn.ModuleList(
                nn.Sequential(
                    nn.Conv2d(inputs, outputs // GROUPS, 3, stride, 1, bias=False),
                    nn.BatchNorm2d(outputs // GROUPS),
                    nn.ReLU(),
                )
                for _ in range(GROUPS)
            )
            for inputs, outputs, stride in LAYERS
        )
        self.policy = Policy()
        self.head = nn.Linear(LAYERS[-1][1], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x, state = self.stem(images), None
        for at, layer in enumerate(self.layers):
            worth, state = self.policy(x, at, state)
            x = _run(layer, x, torch.ones_like(worth) if self.everything else first_groups(worth))
        return self.head(x.mean(dim=(2, 3)))

    def loss(self, images: Tensor, labels: Tensor, progress: float) -> Tensor:
        x, state, worths, actions = self.stem(images), None, [], []
        for at, layer in enumerate(self.layers):
            worth, state = self.policy(x, at, state)
            drawn = torch.randint(GROUPS, (len(x),))
            by_chance = torch.rand(len(x)) < (1.0 if progress < RANDOM else EXPLORE)
            action = torch.where(by_chance, drawn, worth.argmax(dim=1))
            worths.append(worth)
            actions.append(action)
            x = _run(layer, x, up_to(action))
        errors = F.cross_entropy(self.head(x.mean(dim=(2, 3))), labels, reduction="none")
        # What an action is worth: its groups' penalty, and the best that can come of it.
        after = [worth.detach().amax(dim=1) for worth in worths[1:]] + [-errors.detach().clamp(max=WORST)]
        wrong = [
            (worth.gather(1, action[:, None])[:, 0] - (then - PENALTY * (action + 1))).square().mean()
            for worth, action, then in zip(worths, actions, after, strict=True)
        ]
        return errors.mean() + torch.stack(wrong).sum()

    def gates(self) -> Mapping[str, Gate]:
        return {
            "policy": Gate(
                self.space.cell_names,
                activations=lambda output: first_groups(output[0]),
                write=lambda output, opens: (forced_scores(opens), output[1]),
            )
        }

    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        groups = [group for layer in self.layers for group in layer]
        return {
            "paths": dict(zip(self.space.path_names, groups, strict=True)),
            "gates": {  # the agent sees what its layer is given
                cell: [encoder, self.policy.lstm, self.policy.worth]
                for cell, encoder in zip(self.space.cell_names, self.policy.encoders, strict=True)
            },
        }


def first_groups(worth: Tensor) -> Tensor:
    """1 for the groups that the best action computes, or those that are forced, ``(image, group)``."""
    return unless_forced(up_to(worth.argmax(dim=1)), worth)


def up_to(action: Tensor) -> Tensor:
    """1 for the groups that an action computes, ``(image, group)``."""
    return (torch.arange(GROUPS) <= action[:, None]).float()


def _run(layer: nn.ModuleList, x: Tensor, groups: Tensor) -> Tensor:
    """Compute each image's groups of channels, ``(image, group)``; zeros for the others."""
    stride, width = layer[0][0].stride[0], layer[0][0].out_channels
    none = x.new_zeros(len(x), width, x.shape[2] // stride, x.shape[3] // stride)
    return torch.cat([run_chosen(group, x, none, runs > 0) for group, runs in zip(layer, groups.T, strict=True)], dim=1)
