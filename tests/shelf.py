"""The folder that tests of the dashboard look at."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch

import routeviz as rv


def filled(folder: Path) -> SimpleNamespace:
    """Fill a folder with a tiny checkpoint and its log over six scenes; where they are, and the log."""
    dataset = rv.open_dataset("scenes", length=6, size=(64, 96))
    torch.manual_seed(1)
    classes = {"class_names": dataset.class_names, "num_classes": len(dataset.class_names)}
    net = rv.RoutingNetwork(rv.NetworkConfig(layers=4, width=4, stem_width=4, **classes))
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.bias, 0.2, 0.8)
    path = folder / "checkpoints" / "step-000010.safetensors"
    path.parent.mkdir()
    rv.save_checkpoint(net, path, step=10)
    log = rv.trace(rv.load_checkpoint(path), dataset, out=folder / "logs" / "scenes", workers=0)
    return SimpleNamespace(folder=folder, log=log, checkpoint=path)
