"""Networks made of another one's weights: the static network that a route is, and the same with paths shut earlier."""

from __future__ import annotations

from collections.abc import Sequence
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
    fixed.execution = net.execution
    return fixed.to(next(net.parameters()).device).train(net.training)


def thresholded_network(net: RoutingNetwork, threshold: float | Sequence[float]) -> RoutingNetwork:
    """Copy a network with another threshold under which a path is closed; no weight changes.

    Parameters
    ----------
    net : RoutingNetwork
        With gates; it is left as it is.
    threshold : float or sequence of float, (path,)
        See :class:`NetworkConfig`: `OPEN_THRESHOLD` as trained, 1 shuts a path for all images.

    Returns
    -------
    RoutingNetwork
        In the mode and on the device that ``net`` is in.

    Raises
    ------
    InputError
        If a threshold is out of range, or the network is static: what is fixed asks no threshold.
    """
    if net.config.fixed_gates is not None:
        raise InputError("a static network has no gates that a threshold could shut; give the network it was cut from")
    several = not isinstance(threshold, float | int)
    setting = tuple(float(value) for value in threshold) if several else float(threshold)
    with torch.random.fork_rng(devices=[]):
        other = RoutingNetwork(replace(net.config, open_threshold=setting))
    other.load_state_dict(net.state_dict())
    other.execution = net.execution
    return other.to(next(net.parameters()).device).train(net.training)
