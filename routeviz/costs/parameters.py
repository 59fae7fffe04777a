"""Parameters of a network, and of the part of it that a route alone would need."""

from __future__ import annotations

from torch import nn

from routeviz.errors import CostError, InputError
from routeviz.space import STATES, Route


def parameters(net: nn.Module, route: Route | None = None) -> int:
    """Count parameters: all of a network's, or those that a route's own static network has.

    Parameters
    ----------
    net : RoutingNetwork
    route : Route, optional
        Counted are stem and decoder, the operations of the cells it opens and the transforms of its open paths; no
        gates. A static network that was cut out along the route has so many.

    Returns
    -------
    int
        Weights, biases, scales and shifts; a norm's running statistics are no parameters.

    Raises
    ------
    InputError
        If the route is of another space.
    CostError
        If a static network has not built what the route uses.
    """
    if route is None:
        return _count(net)
    space = net.space
    if route.space != space:
        raise InputError(f"the route belongs to {route.space}; this network has {space}")
    live = route.states.state[0] == STATES.index("open")
    parts = [cell.operation for cell, runs in zip(net.cells, live, strict=True) if runs]
    for cell, move, is_open in zip(space.source, space.moves, route.open, strict=True):
        if is_open:
            parts.append(dict(net.cells[cell].transforms.items()).get(move))
    if any(part is None for part in parts):
        raise CostError("the route uses a part that this static network has not built; count in a network that has it")
    return sum(map(_count, (net.stem, net.decoder, *parts)))


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
