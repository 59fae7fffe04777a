"""Small networks of other kinds, each from its paper, trained on digits: what a network must say to be recorded.

To add one: a module of its own here with a `Gated` class, and a line in `NETWORKS`; or a `Supernet` class, which holds
many architectures, and a line in `SUPERNETS`. Training, logging, counting, drawing and the dashboard follow from what
the class says of itself; `tests/gated` checks every line of the tables.
"""

from routeviz.gated.base import Gated
from routeviz.gated.blockdrop import BlockDrop
from routeviz.gated.choices import FBNet, SinglePath
from routeviz.gated.convnet_aig import ConvNetAIG
from routeviz.gated.darts import Darts
from routeviz.gated.digits import record_digits, train_on_digits
from routeviz.gated.hydranet import Hydra
from routeviz.gated.moe import MixtureOfExperts
from routeviz.gated.msdnet import MSDNet
from routeviz.gated.pruning import RuntimePruning
from routeviz.gated.skipnet import SkipNet
from routeviz.gated.supernet import Supernet, search_digits, train_supernet
from routeviz.gated.weights import save_weights

NETWORKS: dict[str, type[Gated]] = {
    network.name: network
    for network in (SkipNet, BlockDrop, ConvNetAIG, MSDNet, Hydra, MixtureOfExperts, RuntimePruning)
}
"""The networks by name."""

SUPERNETS: dict[str, type[Supernet]] = {network.name: network for network in (SinglePath, FBNet, Darts)}
"""Supernets of architecture search by name."""

__all__ = [
    "NETWORKS",
    "SUPERNETS",
    "BlockDrop",
    "ConvNetAIG",
    "Darts",
    "FBNet",
    "Gated",
    "Hydra",
    "MSDNet",
    "MixtureOfExperts",
    "RuntimePruning",
    "SinglePath",
    "SkipNet",
    "Supernet",
    "record_digits",
    "save_weights",
    "search_digits",
    "train_on_digits",
    "train_supernet",
]
