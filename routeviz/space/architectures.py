"""Static architectures as fixed routes of the routing space."""

from __future__ import annotations

from routeviz.space.route import Route
from routeviz.space.space import RoutingSpace


def architectures(space: RoutingSpace) -> dict[str, Route]:
    return {}
