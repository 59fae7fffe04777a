"""Checkpoints of routing networks: routeviz's own and the released layout."""

from routeviz.network.checkpoints.load import Transfer, load_checkpoint, load_pretrained
from routeviz.network.checkpoints.own import read_checkpoint_header, save_checkpoint
from routeviz.network.checkpoints.released import export_released

__all__ = [
    "Transfer",
    "export_released",
    "load_checkpoint",
    "load_pretrained",
    "read_checkpoint_header",
    "save_checkpoint",
]
