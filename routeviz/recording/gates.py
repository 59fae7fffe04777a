"""Gates of a user's model: which module decides over which paths, and how its output tells their activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from routeviz.errors import InputError
from routeviz.recording.modules import find_module
from routeviz.space import RoutingSpace

Paths = str | Sequence[str]
Activations = Callable[[Any], Any]
Write = Callable[[Any, Tensor], Any]


@dataclass(frozen=True)
class Gate:
    """The paths that a module decides over, and how.

    Attributes
    ----------
    paths : str or sequence of str
        Names of paths; the name of a cell stands for all of its paths. In the order in which the module gives them.
    activations : function, optional
        From what the module returns to activations in [0, 1], ``(row, path)``; by default it returns them.
    write : function, optional
        Its inverse, for `routeviz.force_paths`: from what the module returned, and activations shaped as `activations`
        gives them, to what it is to return. By default the activations themselves, where the module returns them.
    """

    paths: Paths
    activations: Activations | None = None
    write: Write | None = None


class Resolved:
    """A gate of one model: its module, its paths as numbers, and what it gave in the forward pass that runs now."""

    def __init__(
        self, name: str, module: nn.Module, paths: np.ndarray, activations: Activations | None, write: Write | None
    ) -> None:
        self.name, self.module, self.paths = name, module, paths
        self._activations, self._write = activations, write
        self._given: list[np.ndarray] = []

    def clear(self) -> None:
        """Forget what was given: a forward pass begins."""
        self._given = []

    def hook(self, module: nn.Module, arguments: Any, output: Any) -> None:
        """Take what the module returns; a forward hook."""
        values = self.read(output)
        if isinstance(values, Tensor):
            values = values.detach().to("cpu", torch.float32).numpy()
        self._given.append(np.array(values, dtype=np.float32))

    def read(self, output: Any) -> Tensor | np.ndarray:
        """Activations in what the module returned; raises InputError where they are none."""
        values = output if self._activations is None else self._activations(output)
        if not isinstance(values, Tensor | np.ndarray):
            raise InputError(
                f"gate {self.name} gives {type(values).__name__}; give a function that makes a tensor of activations "
                "of what it returns: activations=..."
            )
        return values

    def write(self, output: Any, activations: Tensor) -> Any:
        """What the module is to return in place of an output; raises InputError where nothing says how."""
        if self._write is not None:
            return self._write(output, activations)
        if self._activations is None and isinstance(output, Tensor):
            return activations.to(output.dtype)
        raise InputError(
            f"gate {self.name} cannot be forced: say how activations get into what it returns, Gate(paths, "
            "activations, write)"
        )

    def collect(self) -> np.ndarray:
        """Activations of the forward pass, ``(row, path)`` in the order of `paths`; raises InputError where unfit."""
        width = self.width(len(self._given))
        values = [self._rows(call, width) for call in self._given]
        if len({len(call) for call in values}) > 1:
            raise InputError(
                f"gate {self.name} gave {', '.join(str(len(v)) for v in values)} rows; give as many a call"
            )
        gates = np.concatenate(values, axis=1)
        low, high = np.fmin.reduce(gates, axis=None, initial=0), np.fmax.reduce(gates, axis=None, initial=1)
        if low < 0 or high > 1:
            raise InputError(
                f"gate {self.name} gives {low:g} to {high:g}; activations lie in [0, 1]: "
                "give the function that the model puts its output through, activations=..."
            )
        return gates

    def width(self, calls: int) -> int:
        """Paths that each call of a forward pass gives; raises InputError where that is no whole number."""
        if not calls:
            raise InputError(
                f"gate {self.name} did not run in this forward pass; where a block is left out its gate must run all "
                "the same, or be read from the model's own output (the module named ''). A function compiled with "
                "torch.compile around the model hides its gates: run it uncompiled"
            )
        wanted = len(self.paths)
        if wanted % calls:
            raise InputError(
                f"gate {self.name} ran {calls} time{'s' * (calls > 1)} for {wanted} path{'s' * (wanted > 1)}; each "
                "call gives as many"
            )
        return wanted // calls

    def unfit(self, shape: Sequence[int], width: int) -> InputError:
        """The error for an array whose last axes are not so many paths."""
        return InputError(
            f"gate {self.name} gives an array of shape {tuple(shape)} for {width} path{'s' * (width > 1)}; "
            f"give (rows, {width}), one row an image or token"
        )

    def _rows(self, values: np.ndarray, width: int) -> np.ndarray:
        """One row an image or token: the last axes are the paths."""
        if width not in widths(values.shape):
            raise self.unfit(values.shape, width)
        return values.reshape(-1, width)


def widths(shape: Sequence[int]) -> set[int]:
    """How many paths an array may be of: the last axes are paths, those before them rows."""
    return {1} if len(shape) == 1 else {prod(shape[at:]) for at in range(1, len(shape))}


def resolve(
    model: nn.Module,
    space: RoutingSpace,
    gates: Mapping[str | nn.Module, Paths | Gate],
    activations: Activations | None,
) -> list[Resolved]:
    """Find the modules and paths of all gates; raises InputError where one is not there or a path has two."""
    if not gates:
        raise InputError("no gates; give at least one module with the paths that it decides over")
    found, taken = [], np.zeros(space.n_paths, bool)
    for key, value in gates.items():
        gate = value if isinstance(value, Gate) else Gate(value)
        module = find_module(model, key)
        name = repr(key) if isinstance(key, str) else type(key).__name__
        paths = path_numbers(space, gate.paths)
        if taken[paths].any():
            raise InputError(f"path {space.path_names[paths[taken[paths]][0]]} has two gates, one of them {name}")
        taken[paths] = True
        found.append(Resolved(name, module, paths, gate.activations or activations, gate.write))
    return found


def path_numbers(space: RoutingSpace, names: Paths) -> np.ndarray:
    """Positions of paths by their names, or by those of their cells; raises InputError where one is named twice."""
    found = [space.paths_named(name) for name in ([names] if isinstance(names, str) else names)]
    numbers = np.concatenate([np.empty(0, np.intp), *found])
    if len(np.unique(numbers)) < len(numbers):
        raise InputError(f"a gate decides over a path twice: {names}")
    return numbers
