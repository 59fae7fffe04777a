"""Forced routes: the several ways of naming them, brought to one tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from routeviz.errors import InputError
from routeviz.space import RoutingSpace


@runtime_checkable
class NamedRoute(Protocol):
    """Activations ``(path,)`` over a space, NaN where the gate is asked: a Route, or a forced part of one."""

    space: RoutingSpace
    activations: np.ndarray
    name: str


RouteLike = NamedRoute | Mapping[int, float] | np.ndarray | Tensor


def forced_gates(route: RouteLike | None, space: RoutingSpace, n_images: int, fixed: Tensor | None) -> Tensor | None:
    """Activations to use instead of asking the gates.

    Parameters
    ----------
    route : Route, ForcedRoute, mapping of path index to value, (path,) or (image, path) array, optional
        NaN asks the gate.
    space : RoutingSpace
    n_images : int
    fixed : Tensor, (path,), optional
        Activations of a network without gates, used where the route says nothing.

    Returns
    -------
    Tensor, (image, path) float32 on the CPU, or None
        NaN where the gate is to be asked; None where it is to be asked everywhere.

    Raises
    ------
    InputError
        If the route is of another space, has another shape, names a path that is not there, or leaves [0, 1].
    """
    if route is None and fixed is None:
        return None
    base = torch.full((space.n_paths,), torch.nan) if fixed is None else fixed.detach().cpu().clone()
    if route is None:
        return base.expand(n_images, -1)
    if isinstance(route, NamedRoute):
        if route.space != space:
            raise InputError(f"the route belongs to {route.space}; this network has {space}")
        values = torch.tensor(route.activations)
    elif isinstance(route, Mapping):
        values = torch.full((space.n_paths,), torch.nan)
        for path, value in route.items():
            if not 0 <= int(path) < space.n_paths:
                raise InputError(f"no path {path}; this space has paths 0 to {space.n_paths - 1}")
            values[int(path)] = float(value)
    else:
        values = torch.as_tensor(route, dtype=torch.float32).detach().cpu()
    if values.shape not in ((space.n_paths,), (n_images, space.n_paths)):
        raise InputError(
            f"a route of shape {tuple(values.shape)}; valid: ({space.n_paths},) or ({n_images}, {space.n_paths})"
        )
    values = values.expand(n_images, -1)
    if ((values < 0) | (values > 1)).any():
        raise InputError(
            f"a forced activation is {values[(values < 0) | (values > 1)][0]:g}; valid: 0 to 1, NaN asks the gate"
        )
    return torch.where(values.isnan(), base, values)
