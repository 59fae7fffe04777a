"""A route: the activations that one image takes through a routing space."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.space.space import RoutingSpace
from routeviz.space.states import INPUTS, STATES, CellStates, cell_states, open_paths
from routeviz.space.svg import lattice_svg
from routeviz.writing import whole_file

ROUTE_SCHEMA = 1

T = TypeVar("T")


class Route:
    """All activations of one image, or of a static architecture, in the space's path order. Immutable.

    Parameters
    ----------
    space : RoutingSpace
    activations : array-like, (path,) in [0, 1]
        Kept as float32. NaN, as a log holds it for the paths of unreached cells, becomes 0.
    name, source : str
        What the route is called, and where it comes from (a paper, a log and an image).

    Raises
    ------
    InputError
        If the number of activations is not the space's number of paths, or one lies outside [0, 1].
    """

    __slots__ = ("_states", "activations", "name", "source", "space")

    activations: np.ndarray
    space: RoutingSpace
    name: str
    source: str

    def __init__(self, space: RoutingSpace, activations: np.ndarray, *, name: str = "", source: str = "") -> None:
        values = np.nan_to_num(np.array(activations, dtype=np.float32), nan=0.0)
        if values.shape != (space.n_paths,):
            raise InputError(f"activations of shape {values.shape}; this space has {space.n_paths} paths")
        outside = (values < 0) | (values > 1)
        if outside.any():
            path = int(outside.argmax())
            raise InputError(f"activation {values[path]:g} of path {space.path_names[path]} is outside [0, 1]")
        values.setflags(write=False)
        for attribute, value in (("space", space), ("activations", values), ("name", name), ("source", source)):
            object.__setattr__(self, attribute, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Route is immutable; make a new one to change its {name}")

    @property
    def open(self) -> np.ndarray:
        """Paths that are open and whose cell is reached, ``(path,)`` bool."""
        return open_paths(self.space, self.activations[None])[0]

    @property
    def states(self) -> CellStates:
        """State and input codes of the cells, each ``(1, cell)`` uint8."""
        if not hasattr(self, "_states"):
            object.__setattr__(self, "_states", cell_states(self.space, self.activations[None]))
        return self._states

    @property
    def cell_states(self) -> pd.DataFrame:
        """One row a cell: layer, scale, state (open, closed, unreached) and input (none, zeros, constant, image)."""
        table = self.space.cells[["layer", "scale"]].copy()
        table["state"] = np.array(STATES)[self.states.state[0]]
        table["input"] = np.array(INPUTS)[self.states.input[0]]
        return table

    def to_json(self) -> str:
        """The route with its space as JSON text; activations are written so that float32 comes back exactly."""
        return route_json(self.space, self.activations, name=self.name, source=self.source)

    @classmethod
    def from_json(cls, text: str) -> Route:
        """Inverse of :meth:`to_json`; raises InputError where the text is no route, or leaves paths to their gates."""
        space, activations, name, source = parse_route(text)
        if asks := int(np.isnan(activations).sum()):
            raise InputError(
                f"{asks} of {space.n_paths} paths are left to their gates; such a route can be forced "
                "(routeviz trace --route, routeviz.ForcedRoute.load), but is none by itself"
            )
        return cls(space, activations, name=name, source=source)

    def save(self, path: str | Path) -> None:
        """Write :meth:`to_json` to a file, whole or not at all."""
        with whole_file(path) as draft:
            draft.write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Route:
        """Read a file that :meth:`save` wrote; raises InputError naming the file where it holds no route."""
        return read_file(path, cls.from_json)

    def __reduce__(self) -> tuple:
        return _rebuild, (self.space, self.activations, self.name, self.source)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Route)
            and self.space == other.space
            and np.array_equal(self.activations, other.activations)
        )

    def __hash__(self) -> int:
        return hash((self.space, self.activations.tobytes()))

    def __repr__(self) -> str:
        name = f"{self.name!r}: " if self.name else ""
        states = np.bincount(self.states.state[0], minlength=len(STATES))
        cells = ", ".join(f"{count} {state}" for count, state in zip(states[::-1], STATES[::-1], strict=True))
        return f"Route({name}{self.open.sum()} of {self.space.n_paths} paths open; cells: {cells})"

    def _repr_html_(self) -> str:
        """The lattice, where a notebook shows the route."""
        return f'<div style="overflow-x:auto">{self._repr_svg_()}</div>'

    def _repr_svg_(self) -> str:
        return lattice_svg(self.space, self.activations, title=self.name)


class RouteText(NamedTuple):
    """What the text of a route says; NaN among the activations ``(path,)`` asks the gate."""

    space: RoutingSpace
    activations: np.ndarray
    name: str
    source: str


def route_json(space: RoutingSpace, activations: np.ndarray, *, name: str = "", source: str = "") -> str:
    """Write a route, or a part of one (NaN asks the gate, null in the text), with its space as JSON."""
    values = [None if value != value else value for value in np.asarray(activations, np.float32).tolist()]
    data = {"schema": ROUTE_SCHEMA, "name": name, "source": source, "space": space.to_dict(), "activations": values}
    return json.dumps(data)


def parse_route(text: str) -> RouteText:
    """Inverse of `route_json`; raises InputError where the text is no route of a schema known here."""
    try:
        data = json.loads(text)
        schema, space, activations = data["schema"], data["space"], data["activations"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"not a route: {error}; expected JSON with schema, space and activations") from None
    if schema != ROUTE_SCHEMA:
        raise InputError(f"route of schema {schema}; this version reads schema {ROUTE_SCHEMA}")
    try:
        values = np.array(activations, dtype=np.float32)
    except (ValueError, TypeError):
        raise InputError("the route's activations are not a list of numbers") from None
    return RouteText(RoutingSpace.from_dict(space), values, str(data.get("name", "")), str(data.get("source", "")))


def read_file(path: str | Path, parse: Callable[[str], T]) -> T:
    """Read the text of a file and parse it; raises InputError naming the file where it cannot be."""
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read route {path}: {error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _rebuild(space: RoutingSpace, activations: np.ndarray, name: str, source: str) -> Route:
    return Route(space, activations, name=name, source=source)


def route_distance(a: Route, b: Route, *, metric: str = "jaccard") -> float:
    """Distance between two routes of one space, in [0, 1]; paths of unreached cells count as shut.

    Parameters
    ----------
    a, b : Route
    metric : str
        ``"jaccard"``: weighted Jaccard distance of the activations, 1 - sum(min) / sum(max), 0 for two empty routes;
        ``"hamming"``: share of paths that are open in one route only.

    Raises
    ------
    InputError
        If the spaces differ or the metric is unknown.
    """
    if a.space != b.space:
        raise InputError(f"routes of different spaces ({a.space} and {b.space}) have no distance")
    if metric == "hamming":
        return float((a.open != b.open).mean())
    if metric != "jaccard":
        raise InputError(f"unknown metric {metric!r}; valid: jaccard, hamming")
    left, right = (np.where(route.open, route.activations, 0.0).astype(np.float64) for route in (a, b))
    union = np.maximum(left, right).sum()
    return float(1 - np.minimum(left, right).sum() / union) if union else 0.0
