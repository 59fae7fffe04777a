"""What the parts of a user's own model cost: counted as they run, by torch's own counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from routeviz.errors import CostError, InputError
from routeviz.recording.modules import find_module, is_compiled, unwrapped
from routeviz.routelog import PartCosts
from routeviz.space import RoutingSpace

Parts = str | nn.Module | Sequence[str | nn.Module]


class _Counted:
    """MACs of each part for one row, without those of the parts inside it."""

    def __init__(self, counter: FlopCounterMode, tokens: bool) -> None:
        self._counter, self._tokens = counter, tokens
        self._open: list[list[int]] = []  # MACs at the start, and of the parts inside that have ended
        self.of: dict[nn.Module, set[tuple[int, int]]] = {}
        self.parts = 0

    def begin(self, module: nn.Module, arguments: tuple) -> None:
        self._open.append([self._now(), 0])

    def end(self, module: nn.Module, arguments: tuple, output: Any) -> None:
        start, inner = self._open.pop()
        inclusive = self._now() - start
        if self._open:
            self._open[-1][1] += inclusive
        own = inclusive - inner
        self.parts += own
        given = next((value for value in arguments if isinstance(value, Tensor)), None)
        if given is None:
            raise CostError(f"a {type(module).__name__} is called without a tensor first; name the modules inside it")
        rows = prod(given.shape[:-1]) if self._tokens else given.shape[0]
        if rows:
            self.of.setdefault(module, set()).add((own, rows))

    def _now(self) -> int:
        # The counter counts a multiply-add as two operations.
        return self._counter.get_total_flops() // 2

    def cost(self, module: nn.Module, name: str) -> int:
        """MACs of a part for one row; raises CostError where it did not run, or costs more for some rows."""
        if module not in self.of:
            raise CostError(
                f"{name} did not run on these inputs, so that its cost is not known; give inputs, or a mode of the "
                "model, in which every part runs"
            )
        per_row = {own / rows for own, rows in self.of[module]}
        if len(per_row) > 1 or not next(iter(per_row)).is_integer():
            raise CostError(
                f"{name} does not cost the same for every row ({sorted(per_row)[:3]} MACs); measure one size"
            )
        return int(next(iter(per_row)))


def measure_macs(
    model: nn.Module,
    space: RoutingSpace,
    inputs: Tensor | Sequence[Any],
    *,
    operations: Mapping[str, Parts] | None = None,
    gates: Mapping[str, Parts] | None = None,
    paths: Mapping[str, Parts] | None = None,
    rows: int | None = None,
) -> PartCosts:
    """Count what the parts of your own model cost for one image, or one token.

    The model runs once on the inputs, uncompiled and in its own mode, with gradients off, and every part has to run.
    Counted are the multiply-adds of convolutions, matrix products and attention, as `torch.utils.flop_counter` counts
    them on what executes; norms, activations and sums are left out.

    Parameters
    ----------
    model : nn.Module
    space : RoutingSpace
    inputs : Tensor, or sequence of arguments
        Of the size that is to be counted; of each size where there are several, see `record`.
    operations : mapping of str to modules, optional
        For the name of a cell: what runs where it is open. Modules, or their names; one or several.
    gates : mapping of str to modules, optional
        For the name of a cell: what decides, and so runs wherever it is reached.
    paths : mapping of str to modules, optional
        For the name of a path: what runs where it is open.
    rows : int, optional
        Rows of a log that this pass makes; by default the first dimension of the inputs. With more of them, tokens are
        counted: every axis of a part's input but the last is rows.

    Returns
    -------
    PartCosts
        What no part names is ``fixed``. A module inside another is counted for its own part alone; one that stands for
        several parts costs each of them one call.

    Raises
    ------
    InputError
        If a name is not that of a module, a cell or a path.
    CostError
        If a part does not run, or does not cost the same for every row.
    """
    inside = unwrapped(model)
    wanted = {
        kind: {name: _modules(inside, modules) for name, modules in (given or {}).items()}
        for kind, given in (("operation", operations), ("gate", gates), ("path", paths))
    }
    arguments = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    first = next((value for value in arguments if isinstance(value, Tensor)), None)
    if first is None or not len(first):
        raise InputError("no tensor among the inputs; give at least one image")
    total_rows = len(first) if rows is None else rows
    counter = FlopCounterMode(display=False)
    counted = _Counted(counter, tokens=total_rows != len(first))
    modules = dict.fromkeys(module for part in wanted.values() for found in part.values() for module in found)
    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_pre_hook(counted.begin).remove)
            stack.callback(module.register_forward_hook(counted.end).remove)
        if is_compiled(model):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        with torch.no_grad(), counter:
            inside(*arguments)
    fixed = counter.get_total_flops() // 2 - counted.parts
    if fixed % total_rows:
        raise CostError(f"{fixed} MACs beside the parts for {total_rows} rows: not the same for every row")
    columns = {}
    for kind, names, part in (
        ("operation", space.cell_names, wanted["operation"]),
        ("gate", space.cell_names, wanted["gate"]),
        ("path", space.path_names, wanted["path"]),
    ):
        values = np.zeros(len(names), np.int64)
        for name, found in part.items():
            if name not in names:
                raise InputError(f"the space has no {'path' if kind == 'path' else 'cell'} {name!r}; see its names")
            values[names.index(name)] = sum(counted.cost(module, f"{kind} of {name}") for module in found)
        columns[kind] = values
    return PartCosts(space, fixed // total_rows, **columns, size=tuple(first.shape[1:]))


def _modules(model: nn.Module, wanted: Parts) -> list[nn.Module]:
    several = [wanted] if isinstance(wanted, str | nn.Module) and not isinstance(wanted, nn.ModuleList) else wanted
    return [find_module(model, one) for one in several]
