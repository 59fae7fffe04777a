"""Forced routes as data: which paths and cells are forced open, shut or to a value; all others ask their gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from routeviz.errors import InputError
from routeviz.space import RoutingSpace
from routeviz.space.route import parse_route, read_file, route_json
from routeviz.writing import whole_file

WORDS = {"open": 1.0, "shut": 0.0, "closed": 0.0}


@dataclass(frozen=True)
class ForcedRoute:
    """An immutable set of changes to the routes that a network takes through a space.

    Parameters
    ----------
    space : RoutingSpace
    changes : mapping of str to float or str
        By short name of a path (``"L3 s1 up"``) or a cell (``"L3 s1"``: all its paths): an activation in [0, 1], or
        ``"open"`` (1), ``"shut"`` or ``"closed"`` (0). What is said of a path goes before what is said of its cell. A
        cell all of whose paths are shut is closed: it passes its input on.
    name : str

    Raises
    ------
    InputError
        If the space has no such cell or path, or a value is outside [0, 1].

    Examples
    --------
    >>> ForcedRoute(space, {"L3 s1 up": "shut", "L5 s2": 0.5}).change("L0 s0 down", 1)
    """

    space: RoutingSpace
    changes: Mapping[str, float] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        changes = {key: _value(key, value) for key, value in self.changes.items()}
        for key in changes:
            self.space.paths_named(key)  # raises where nothing is called so
        object.__setattr__(self, "changes", MappingProxyType(changes))

    @property
    def activations(self) -> np.ndarray:
        """What is forced, ``(path,)`` float32; NaN asks the gate. `RoutingNetwork` and `trace` take it as a route."""
        values = np.full(self.space.n_paths, np.nan, np.float32)
        for name in self._cells_first():  # a path has the last word
            values[self.space.paths_named(name)] = self.changes[name]
        return values

    def change(self, name: str, value: float | str) -> ForcedRoute:
        """The same with one more cell or path forced; a cell takes back what was said of its paths."""
        its = self._paths(name)
        kept = {key: old for key, old in self.changes.items() if key == name or key not in its}
        return replace(self, changes={**kept, name: value})

    def release(self, name: str) -> ForcedRoute:
        """The same with the gates of one cell or path asked again; the other paths of a forced cell stay forced."""
        released, changes = self._paths(name), {}
        for key in [key for key in self.changes if key != name]:
            its = self._paths(key)
            left = [path for path in its if path not in released]
            if left == its:
                changes[key] = self.changes[key]
            else:  # what is said of a path goes before
                changes = dict.fromkeys(left, self.changes[key]) | changes
        return replace(self, changes=changes)

    def _paths(self, name: str) -> list[str]:
        return [self.space.path_names[path] for path in self.space.paths_named(name)]

    def _cells_first(self) -> list[str]:
        return sorted(self.changes, key=self.space.path_names.__contains__)

    def over(self, base: ForcedRoute) -> ForcedRoute:
        """Both together; where they disagree this one holds. Raises InputError where their spaces differ."""
        if self.space != base.space:
            raise InputError(f"what is forced belongs to {self.space}; this is {base.space}")
        together = replace(base, name=self.name or base.name)
        for name in self._cells_first():
            together = together.change(name, self.changes[name])
        return together

    def to_text(self) -> str:
        """One line for an address or a command, with every digit that is needed: ``L3 s1 up=0; L5 s2=0.5``."""
        return "; ".join(f"{name}={repr(value).removesuffix('.0')}" for name, value in self.changes.items())

    @classmethod
    def from_text(cls, space: RoutingSpace, text: str, *, name: str = "") -> ForcedRoute:
        """Inverse of :meth:`to_text`; raises InputError where the text says something else."""
        changes = {}
        for part in filter(str.strip, text.replace("\n", ";").split(";")):
            key, equals, value = part.partition("=")
            if not equals:
                raise InputError(f"cannot read {part.strip()!r}; write L3 s1 up=0; L5 s2=0.5; L7 s0=open")
            changes[" ".join(key.split())] = value.strip()
        return cls(space, changes, name=name)

    @classmethod
    def from_activations(cls, space: RoutingSpace, activations: np.ndarray, *, name: str = "") -> ForcedRoute:
        """Force activations ``(path,)``; NaN (or None) asks the gate. A cell forced to one value is one change."""
        values = np.array(activations, dtype=np.float32)
        if values.shape != (space.n_paths,):
            raise InputError(f"activations of shape {values.shape}; this space has {space.n_paths} paths")
        changes: dict[str, float] = {}
        for cell, cell_name in enumerate(space.cell_names):
            paths = space.paths_from(cell)
            if len(set(values[paths].tolist())) == 1 and not np.isnan(values[paths]).any():
                changes[cell_name] = _shortest(values[paths][0])
            else:
                names = zip(space.path_names[paths], values[paths], strict=True)
                changes |= {path: _shortest(value) for path, value in names if not np.isnan(value)}
        return cls(space, changes, name=name)

    def to_json(self) -> str:
        """The text of a route in which null asks the gate."""
        return route_json(self.space, self.activations, name=self.name, source="forced")

    @classmethod
    def from_json(cls, text: str) -> ForcedRoute:
        """Read the text of a route, of which every path or only some are said."""
        space, activations, name, _ = parse_route(text)
        return cls.from_activations(space, activations, name=name)

    def save(self, path: str | Path) -> None:
        """Write the file that ``routeviz trace --route`` takes."""
        with whole_file(path) as draft:
            draft.write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> ForcedRoute:
        """Read what :meth:`save` or `Route.save` wrote; raises InputError naming the file where it holds no route."""
        return read_file(path, cls.from_json)

    def __len__(self) -> int:
        return len(self.changes)

    def __reduce__(self) -> tuple:
        return ForcedRoute, (self.space, dict(self.changes), self.name)

    def __hash__(self) -> int:
        return hash((self.space, self.activations.tobytes()))


def _shortest(value: np.float32) -> float:
    """The float of fewest digits that is this float32: 0.1, not 0.10000000149011612."""
    return float(str(value))


def _value(name: str, value: float | str) -> float:
    try:
        number = WORDS.get(value, value) if isinstance(value, str) else value
        number = float(number)
    except (TypeError, ValueError):
        number = np.nan
    if not 0 <= number <= 1:
        raise InputError(f"{name} is forced to {value!r}; valid: 0 to 1, open, shut")
    return number
