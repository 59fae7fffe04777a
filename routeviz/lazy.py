"""Faces of packages whose modules are imported where one of their names is first asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def on_first_use(package: str, rooms: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], object], list[str]]:
    """Make ``__getattr__`` of a package, and the names that it has, sorted.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    rooms : mapping of str to sequence of str
        Names by the module, or package, that they come from; a module may not bear the name of one of them, since it
        would be found in its place.

    Returns
    -------
    attribute : callable
        Gives a name's value, and leaves it in the package so that it is not asked again; raises AttributeError where
        the package has no such name.
    names : list of str
    """
    homes = {name: room for room, names in rooms.items() for name in names}

    def attribute(name: str) -> object:
        if name in rooms:
            return import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return attribute, sorted(homes)
