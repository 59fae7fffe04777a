"""From a supernet and a route to the static network that the route is: its cells and paths, no gates."""

from __future__ import annotations

from dataclasses import replace

import torch

from routeviz.errors import InputError
from routeviz.network.network import RoutingNetwork
from routeviz.space import Route


def fixed_network(net: RoutingNetwork, route: Route) -> RoutingNetwork:
    """Cut the static network of a route out of a network, with copies of its weights.

    What is left are the operations of the cells that the route opens, the transforms of its open paths, the stem and
    the decoder; gates are replaced by the route's activations. It computes what ``net(images, route=route)`` does.

    Parameters
    ----------
    net : RoutingNetwork
        A supernet, or a static network that has all that the route uses; it is left as it is.
    route : Route
        Of the network's space: a static architecture, an image's route, a common network.

    Returns
    -------
    RoutingNetwork
        In the mode and on the device that ``net`` is in.

    Raises
    ------
    InputError
        If the route is of another space, or uses a part that a static network has not built.
    """
    if route.space != net.space:
        raise InputError(f"the route belongs to {route.space}; this network has {net.space}")
    with torch.random.fork_rng(devices=[]):  # first weights that are replaced at once cost no random numbers
        fixed = RoutingNetwork(replace(net.config, fixed_gates=tuple(route.activations.tolist())))
    weights = net.state_dict()
    if missing := [name for name in fixed.state_dict() if name not in weights]:
        cell = int(missing[0].split(".")[1])
        raise InputError(
            f"the route uses parts of cell {net.space.cell_names[cell]} that this static network has not built; "
            "cut it out of a network that has them"
        )
    fixed.load_state_dict({name: weights[name] for name in fixed.state_dict()})
    return fixed.to(next(net.parameters()).device).train(net.training)
