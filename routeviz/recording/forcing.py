"""Forced gates of a user's own model, and what closing each path alone changes in what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from routeviz.errors import InputError
from routeviz.network.forcing import RouteLike, forced_gates
from routeviz.network.logits import divergence
from routeviz.recording.gates import Activations, Gate, Paths, Resolved, resolve
from routeviz.recording.modules import is_compiled, unwrapped
from routeviz.recording.record import record
from routeviz.routelog import PartCosts
from routeviz.space import OPEN_THRESHOLD, RoutingSpace

Gates = Mapping[str | nn.Module, Paths | Gate]


@contextmanager
def force_paths(
    model: nn.Module, space: RoutingSpace, gates: Gates, route: RouteLike, *, activations: Activations | None = None
) -> Iterator[None]:
    """Run your own model along a forced route: what its gates return is written anew before the model reads it.

    Gates that the route is silent of are asked, on what the forced ones changed. `record` within, or around, logs the
    route as it was forced. When the context ends, by an error too, nothing of it is left on the model.

    Parameters
    ----------
    model, space, gates, activations
        As for `routeviz.record`. A gate that returns the activations themselves needs no more; any other says how they
        get back into what it returns: ``Gate(paths, activations, write)``.
    route : Route, ForcedRoute, mapping of path index to value, or (path,) array
        NaN asks the gate.

    Raises
    ------
    InputError
        If the route forces a path without a gate, does not fit the space, or if a gate cannot be written, or says
        something else than was written: one that always opens two paths opens no third.
    """
    wanted = forced_gates(route, space, 1, None)[0].numpy()
    inside = unwrapped(model)
    found = [_Forced(gate, wanted) for gate in resolve(inside, space, gates, activations)]
    silent = ~np.isnan(wanted)
    for gate in found:
        silent[gate.paths] = False
    if silent.any():
        raise InputError(f"path {space.path_names[int(silent.argmax())]} has no gate: nothing of it can be forced")

    def begin(*_: object) -> None:
        for gate in found:
            gate.begin()

    with ExitStack() as stack:
        if is_compiled(model):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.callback(inside.register_forward_pre_hook(begin).remove)
        for gate in found:
            if not np.isnan(wanted[gate.paths]).all():
                # First of all hooks, so that a recording sees what was written, whichever came before.
                stack.callback(gate.module.register_forward_hook(gate.hook, prepend=True).remove)
        yield


def close_paths(
    model: nn.Module,
    space: RoutingSpace,
    gates: Gates,
    run: Callable[[], Tensor],
    *,
    activations: Activations | None = None,
    costs: PartCosts | None = None,
) -> pd.DataFrame:
    """Measure what closing each path alone changes in what your own model answers.

    Parameters
    ----------
    model, space, gates, activations, costs
        As for `routeviz.record` and `force_paths`. Without gradients.
    run : function
        Calls the model, on the same inputs each time, and returns its scores, ``(row, class)`` or further axes behind.

    Returns
    -------
    DataFrame
        One row a path, in the space's order, as `routeviz.plot_importance` draws it: ``path``; ``open``, share of the
        recorded rows that open it; ``kl``, Kullback-Leibler divergence of the class probabilities from those before, in
        nats, and ``changed``, share of answers whose class changes, both means over all rows, 0 where no row opens the
        path; and, with costs, ``macs_<convention>``, mean change of a row's MACs.

    Raises
    ------
    InputError
        As of `force_paths`; if the scores have no axis of classes.
    """

    def recorded(path: int | None) -> tuple[Tensor, np.ndarray, float]:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if path is not None:
                stack.enter_context(force_paths(model, space, gates, {path: 0.0}, activations=activations))
            recording = stack.enter_context(record(model, space, gates, activations=activations, costs=costs))
            scores = run()
        if not isinstance(scores, Tensor) or scores.ndim < 2:
            raise InputError("run must return the model's scores, a tensor (row, class)")
        log = recording.log
        column = None if costs is None else f"macs_{costs.convention}"
        spent = 0.0 if column is None else float(log.images[column].mean())
        return scores.reshape(*scores.shape[:2], -1, 1), log.opened(slice(None)), spent

    before, opened, spent = recorded(None)
    log_p, classes = before.log_softmax(dim=1), before.argmax(dim=1)
    table = pd.DataFrame({"path": space.path_names, "open": opened.mean(axis=0), "kl": 0.0, "changed": 0.0})
    if costs is not None:
        table[f"macs_{costs.convention}"] = 0.0
    for path in np.flatnonzero(opened.any(axis=0)).tolist():
        after, _, now = recorded(path)
        table.loc[path, "kl"] = float(divergence(log_p, after).mean())
        table.loc[path, "changed"] = float((after.argmax(dim=1) != classes).double().mean())
        if costs is not None:
            table.loc[path, f"macs_{costs.convention}"] = now - spent
    return table


class _Forced:
    """A gate whose output is written anew, call after call of a forward pass."""

    def __init__(self, gate: Resolved, route: np.ndarray) -> None:
        self.name, self.module, self.paths = gate.name, gate.module, gate.paths
        self._gate, self._route, self._start = gate, route[gate.paths], 0

    def begin(self) -> None:
        """A forward pass begins."""
        self._start = 0

    def hook(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        """Give what the module returns with the forced activations in it; a forward hook."""
        values = torch.as_tensor(self._gate.read(output))
        wanted = self._columns(values)
        if np.isnan(wanted).all():
            return None
        forced = torch.as_tensor(wanted, device=values.device, dtype=torch.float32)
        # In the shape that the gate has; the last axes are the paths.
        rows = values.to(torch.float32).reshape(-1, len(wanted))
        rows = torch.where(forced.isnan(), rows, forced).view(values.shape)
        written = self._gate.write(output, rows)
        said = torch.as_tensor(self._gate.read(written)).to(torch.float32)
        opens = (said > OPEN_THRESHOLD) == (rows > OPEN_THRESHOLD)
        if said.shape != rows.shape or not opens.all():
            raise InputError(
                f"gate {self.name} does not say what was written into it: it cannot open these paths together, or its "
                "write is not the inverse of its activations"
            )
        return written

    def _columns(self, values: Tensor) -> np.ndarray:
        """What is wanted of the paths that this call decides over."""
        whole, shape = len(self._route), values.shape
        fits = whole == 1 or any(prod(shape[at:]) == whole for at in range(1, len(shape)))
        width = whole if fits else 1 if len(shape) == 1 else shape[-1]
        start, self._start = self._start, self._start + width
        return self._route[start : start + width]
