"""What tells one set of weights from another."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def weights_digest(net: nn.Module) -> str:
    """SHA-256 of the names, types, shapes and values of a module's weights and buffers, hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
