"""What the static architectures cost beside the images of a log."""

from __future__ import annotations

from routeviz.costs import macs
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.routelog import RouteLog
from routeviz.space import architectures


def static_macs(log: RouteLog, *, convention: str = "conv") -> dict[str, int]:
    """Count the MACs of every static architecture in a log's network, without gates.

    Parameters
    ----------
    log : RouteLog
        Traced, so that it says how its network is built.
    convention : str

    Returns
    -------
    dict of str to int
        By the architecture's name, for the size that most of the log's images have; nothing where the log does not say
        how its network is built, or how large its images are.
    """
    config = log.source.get("network")
    if not config or not {"height", "width"} <= {*log.columns}:
        return {}
    net = RoutingNetwork(NetworkConfig.from_dict(config | {"fixed_gates": None})).eval()
    size = log.facts("height", "width").value_counts().index[0]
    return {
        route.name: int(macs(net, route.activations[None], size, convention=convention, with_gates=False)[0])
        for route in architectures(log.space).values()
    }
