"""Weights of the networks here as files that say of which network they are."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from routeviz.gated.base import Gated
from routeviz.gated.supernet import Supernet
from routeviz.network.checkpoints.own import RECORDED


def save_weights(net: Gated | Supernet, path: str | Path, *, half: bool = False) -> None:
    """Write a network's weights to a safetensors file; whoever takes it for a checkpoint is told what it is.

    Parameters
    ----------
    net : Gated or Supernet
    path : path
    half : bool
        In half precision.
    """
    weights = net.state_dict()
    if half:
        weights = {name: one.half() if one.is_floating_point() else one for name, one in weights.items()}
    save_file(weights, path, {RECORDED: net.title})
