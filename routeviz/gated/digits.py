"""Training and recording the networks here on scikit-learn's digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from routeviz.datasets import Digits
from routeviz.gated.base import Gated
from routeviz.recording import record
from routeviz.routelog import RouteLog

BATCH, RATE, DECAY = 64, 2e-3, 1e-4
SHIFT = 1
"""Pixels by which training images are moved, at most."""


def train_on_digits(kind: type[Gated], *, epochs: int | None = None, seed: int = 0) -> Gated:
    """Train a network on the training digits: AdamW, one cycle of learning rates, images shifted by up to a pixel.

    Parameters
    ----------
    kind : type
        One of `NETWORKS`.
    epochs : int, optional
        By default the network's own number.
    seed : int
        Of weights, order and decisions.

    Returns
    -------
    Gated
        In evaluation mode.
    """
    data = Digits(split="train")
    pixels, labels = torch.from_numpy(data.pixels), torch.from_numpy(data.digits)
    torch.manual_seed(seed)
    net, epochs = kind().train(), epochs or kind.epochs
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    steps = len(data) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=epochs * steps)
    for epoch in range(epochs):
        order = torch.randperm(len(data))
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            shift = tuple(torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist())
            images = torch.roll(F.pad(pixels[rows], (SHIFT,) * 4), shift, (2, 3))[..., SHIFT:-SHIFT, SHIFT:-SHIFT]
            loss = net.loss(images, labels[rows], (epoch + step / steps) / epochs)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return net.eval()


def record_digits(net: Gated, *, split: str = "val", batch_size: int = 90) -> RouteLog:
    """Record the routes that the digits take through a network.

    Parameters
    ----------
    net : Gated
    split : str
        Of `routeviz.datasets.Digits`.
    batch_size : int
        Of no effect on the log.

    Returns
    -------
    RouteLog
        One row an image, or a token. Columns: id, ``digit`` (the label) and ``answer`` as text, ``correct`` (1 or 0),
        ``loss`` (cross entropy), what the network adds, and ``macs_conv``.
    """
    data = Digits(split=split)
    pixels, labels = torch.from_numpy(data.pixels), torch.from_numpy(data.digits)
    source = {
        "dataset": {"name": data.name, "split": split},
        "network_kind": {"name": net.name, "title": net.title, "paper": net.paper},
    }
    with (
        torch.inference_mode(),
        record(net.eval(), net.space, net.gates(), costs=net.costs(pixels[:8]), source=source) as recording,
    ):
        for start in range(0, len(data), batch_size):
            rows = slice(start, start + batch_size)
            logits = net(pixels[rows])
            answers = logits.argmax(dim=1)
            facts: dict[str, Any] = {
                "id": np.array(data.ids[rows]),
                "digit": labels[rows].numpy().astype(str),
                "answer": answers.numpy().astype(str),
                "correct": (answers == labels[rows]).numpy().astype(np.int64),
                "loss": F.cross_entropy(logits, labels[rows], reduction="none").numpy(),
            }
            if net.tokens > 1:
                facts = {name: np.repeat(values, net.tokens) for name, values in facts.items()}
                position = np.tile(np.arange(net.tokens), len(logits))
                facts |= {"image": facts["id"], "token": position}
                facts["id"] = [f"{image} token {at:02d}" for image, at in zip(facts["image"], position, strict=True)]
            recording.add(**facts, **net.facts(pixels[rows]))
    return recording.log
