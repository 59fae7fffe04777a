"""The routing network in torch, and its checkpoints."""

from routeviz.network.config import NetworkConfig, Normalization
from routeviz.network.network import NetworkOutput, RoutingNetwork

__all__ = ["NetworkConfig", "NetworkOutput", "Normalization", "RoutingNetwork"]
