"""The routing space and the routes through it: numpy and pandas only."""

from routeviz.space.architectures import ARCHITECTURES, architecture, architectures
from routeviz.space.kinds import (
    KINDS,
    branches_space,
    cell_graph_space,
    chain_space,
    channels_space,
    choices_space,
    exit_gates,
    exits_space,
    experts_space,
    extent,
    kind_of,
)
from routeviz.space.route import Route, route_distance
from routeviz.space.skips import skips
from routeviz.space.space import RoutingSpace, lattice_space
from routeviz.space.states import INPUTS, OPEN_THRESHOLD, STATES, CellStates, cell_states, open_paths, sent
from routeviz.space.svg import lattice_svg

__all__ = [
    "ARCHITECTURES",
    "INPUTS",
    "KINDS",
    "OPEN_THRESHOLD",
    "STATES",
    "CellStates",
    "Route",
    "RoutingSpace",
    "architecture",
    "architectures",
    "branches_space",
    "cell_graph_space",
    "cell_states",
    "chain_space",
    "channels_space",
    "choices_space",
    "exit_gates",
    "exits_space",
    "experts_space",
    "extent",
    "kind_of",
    "lattice_space",
    "lattice_svg",
    "open_paths",
    "route_distance",
    "sent",
    "skips",
]
