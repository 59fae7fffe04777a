"""The routing network in torch, and its checkpoints."""

from routeviz.network.checkpoints import (
    Transfer,
    export_released,
    load_checkpoint,
    load_pretrained,
    read_checkpoint_header,
    save_checkpoint,
)
from routeviz.network.config import NetworkConfig, Normalization
from routeviz.network.fixing import fixed_network, thresholded_network
from routeviz.network.memory import keep_freed_memory
from routeviz.network.network import EXECUTIONS, NetworkOutput, RoutingNetwork

__all__ = [
    "EXECUTIONS",
    "NetworkConfig",
    "NetworkOutput",
    "Normalization",
    "RoutingNetwork",
    "Transfer",
    "export_released",
    "fixed_network",
    "keep_freed_memory",
    "load_checkpoint",
    "load_pretrained",
    "read_checkpoint_header",
    "save_checkpoint",
    "thresholded_network",
]
