"""What routes through a log's network cost: counted where the network can be built, as recorded where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from routeviz.cli.networks import log_gates, log_network, log_size
from routeviz.costs import cost_table, image_blind_macs, macs, parameters
from routeviz.errors import InputError

if TYPE_CHECKING:
    from routeviz.routelog import RouteLog
    from routeviz.space import Route


@dataclass(frozen=True)
class LogCosts:
    """MACs in one convention and for one size of input.

    Attributes
    ----------
    size : (H, W) or None
        Of the images; None where the MACs are those of a recorded log's own inputs.
    own : ndarray, (row,)
        Of the log's routes, with their gates.
    path : ndarray, (path,) int64
        Of each path where it is open.
    fixed : function of ndarray (route, path) to ndarray (route,)
        Of fixed routes, which compute no gates.
    blind : function of the same
        What of it the image does not come to.
    parameters : function of Route or None to int or None
        Of a route's static network, or of the whole; None where nobody knows.
    """

    size: tuple[int, int] | None
    own: np.ndarray
    path: np.ndarray
    fixed: Callable[[np.ndarray], np.ndarray]
    blind: Callable[[np.ndarray], np.ndarray]
    parameters: Callable[[Route | None], int | None]


def log_costs(log: RouteLog, image_size: tuple[int, int] | None, convention: str) -> LogCosts:
    """Count with the network that a log was traced through, or take what was recorded with it.

    Raises
    ------
    InputError
        If the log says neither, or something is asked of a recorded network that only the other kind has.
    """
    if log.source.get("model"):
        return _recorded(log, image_size, convention)
    net, size = log_network(log), image_size or log_size(log)
    how: dict[str, Any] = {"convention": convention, "with_gates": False}
    return LogCosts(
        size=size,
        own=macs(net, log.gates, size, convention=convention, with_gates=log_gates(log)),
        path=cost_table(net, size, convention).path,
        fixed=lambda gates: macs(net, gates, size, **how),
        blind=lambda gates: image_blind_macs(net, gates, size, **how),
        parameters=lambda route: parameters(net, route),
    )


def _recorded(log: RouteLog, image_size: tuple[int, int] | None, convention: str) -> LogCosts:
    model = log.source["model"]
    if image_size:
        raise InputError(f"MACs of this log are those that its {model} was recorded with; leave out --image-size")
    own = log.macs_by_part().sum(axis=1).to_numpy()
    if (costs := log.costs) is None:
        raise InputError("the inputs of this log have several sizes, and MACs are of one: log.select the rows of one")
    if costs.convention != convention:
        raise InputError(f"this log holds MACs in the convention {costs.convention}; choose it with --convention")
    return LogCosts(
        size=None,
        own=own,
        path=costs.path,
        fixed=lambda gates: costs.by_part(gates).drop(columns="gates").sum(axis=1).to_numpy(),
        blind=lambda gates: np.zeros(len(gates), np.int64),
        parameters=lambda route: None,
    )
