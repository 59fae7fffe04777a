"""Small networks of other kinds, each from its paper, trained on digits: what a network must say to be recorded.

To add one: a module of its own here with a `Gated` class, and a line in `NETWORKS`. Training, logging, counting,
drawing and the dashboard follow from what the class says of itself; `tests/gated` checks every line of the table.
"""

from routeviz.gated.base import Gated
from routeviz.gated.blockdrop import BlockDrop
from routeviz.gated.convnet_aig import ConvNetAIG
from routeviz.gated.digits import record_digits, train_on_digits
from routeviz.gated.hydranet import Hydra
from routeviz.gated.moe import MixtureOfExperts
from routeviz.gated.msdnet import MSDNet
from routeviz.gated.pruning import RuntimePruning
from routeviz.gated.skipnet import SkipNet

NETWORKS: dict[str, type[Gated]] = {
    network.name: network
    for network in (SkipNet, BlockDrop, ConvNetAIG, MSDNet, Hydra, MixtureOfExperts, RuntimePruning)
}
"""The networks by name."""

__all__ = [
    "NETWORKS",
    "BlockDrop",
    "ConvNetAIG",
    "Gated",
    "Hydra",
    "MSDNet",
    "MixtureOfExperts",
    "RuntimePruning",
    "SkipNet",
    "record_digits",
    "train_on_digits",
]
