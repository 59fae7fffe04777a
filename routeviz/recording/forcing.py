"""Forced gates of a user's own model, and what closing each path alone changes in what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from routeviz.errors import InputError
from routeviz.network.forcing import RouteLike, forced_gates
from routeviz.network.logits import divergence
from routeviz.recording.gates import Activations, Gate, Paths, Resolved, resolve, widths
from routeviz.recording.modules import is_compiled, unwrapped
from routeviz.recording.record import record
from routeviz.routelog import PartCosts, RouteLog
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
        If the route forces a path without a gate, or does not fit the space; if a gate that it forces cannot be
        written, does not run, or says something else than was written: one that always opens two paths opens no third;
        or if it does not tell which of its paths a call is of: ``(image, 4, 1)`` is four paths, or one of four tokens.
    """
    wanted = forced_gates(route, space, 1, None)[0].numpy()
    inside = unwrapped(model)
    found = [_Forced(gate, wanted) for gate in resolve(inside, space, gates, activations)]
    silent = ~np.isnan(wanted)
    for gate in found:
        silent[gate.paths] = False
    if silent.any():
        raise InputError(f"path {space.path_names[int(silent.argmax())]} has no gate: nothing of it can be forced")

    found = [gate for gate in found if gate.wanted]

    def begin(*_: object) -> None:
        for gate in found:
            gate.begin()

    def end(*_: object) -> None:
        for gate in found:
            gate.end()

    with ExitStack() as stack:
        if is_compiled(model):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.callback(inside.register_forward_pre_hook(begin).remove)
        for gate in found:
            # First of all hooks, so that a recording sees what was written, whichever came before.
            stack.callback(gate.module.register_forward_hook(gate.hook, prepend=True).remove)
        stack.callback(inside.register_forward_hook(end).remove)
        yield


def close_paths(
    model: nn.Module,
    space: RoutingSpace,
    gates: Gates,
    run: Callable[[], Tensor],
    *,
    activations: Activations | None = None,
    costs: PartCosts | Sequence[PartCosts] | None = None,
) -> pd.DataFrame:
    """Measure what closing each path alone changes in what your own model answers.

    Parameters
    ----------
    model, space, gates, activations, costs
        As for `routeviz.record` and `force_paths`; the model in eval mode. Without gradients.
    run : function
        Calls the model, on the same inputs each time, and returns its scores, ``(row, class)`` or further axes behind.

    Returns
    -------
    DataFrame
        One row a path, in the space's order, as `routeviz.plot_importance` draws it: ``path``; ``open``, share of the
        recorded rows that open it; ``kl``, Kullback-Leibler divergence of the class probabilities from the original, in
        nats, and ``changed``, share of answers whose class changes, both means over all rows; and, with costs,
        ``macs_<convention>``, mean change of a row's MACs. All three are 0 where no row opens the path, and NaN where
        it is open without a gate: nothing can close it.

    Raises
    ------
    InputError
        As of `force_paths`; if the model is in training mode, or the scores have no axis of classes.
    """
    inside = unwrapped(model)
    if inside.training:
        raise InputError("paths are closed at inference only; call model.eval() first")
    gated = np.concatenate([gate.paths for gate in resolve(inside, space, gates, activations)])

    def recorded(path: int | None) -> tuple[Tensor, RouteLog]:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if path is not None:
                stack.enter_context(force_paths(model, space, gates, {path: 0.0}, activations=activations))
            recording = stack.enter_context(record(model, space, gates, activations=activations, costs=costs))
            scores = run()
        if not isinstance(scores, Tensor) or scores.ndim < 2:
            raise InputError("run must return the model's scores, a tensor (row, class)")
        return scores.reshape(*scores.shape[:2], -1, 1), recording.log

    original, log = recorded(None)
    log_p, classes = original.log_softmax(dim=1), original.argmax(dim=1)
    opened = log.opened(slice(None)).mean(axis=0)
    # Inputs may have several sizes: each row is counted with the costs of its own, all in one convention.
    macs = [f"macs_{one.convention}" for one in log.all_costs[:1]]
    table = pd.DataFrame({"path": space.path_names, "open": opened} | dict.fromkeys(["kl", "changed", *macs], 0.0))
    table.loc[(opened > 0) & ~np.isin(np.arange(space.n_paths), gated), ["kl", "changed", *macs]] = np.nan
    for path in gated[opened[gated] > 0].tolist():
        scores, closed = recorded(path)
        table.loc[path, "kl"] = float(divergence(log_p, scores).mean())
        table.loc[path, "changed"] = float((scores.argmax(dim=1) != classes).double().mean())
        for column in macs:
            table.loc[path, column] = closed.images[column].mean() - log.images[column].mean()
    return table


class _Forced:
    """A gate whose output is written anew, call after call of a forward pass."""

    def __init__(self, gate: Resolved, route: np.ndarray) -> None:
        self.name, self.module, self.paths = gate.name, gate.module, gate.paths
        self._gate, self._route = gate, route[gate.paths]
        self.wanted = not np.isnan(self._route).all()
        self._calls = self._width = 0

    def begin(self) -> None:
        """A forward pass begins."""
        self._calls = 0

    def end(self) -> None:
        """A forward pass ends: all paths have been decided over, each by the call that a recording reads it from."""
        width = self._gate.width(self._calls)
        if width != self._width:
            raise self._ambiguous()

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
        """What is wanted of the paths that this call decides over.

        How often a gate runs is not known before the pass ends. Until then a call is taken to be of as many paths as it
        can be; `end` finds out where it was of fewer.
        """
        whole, fitting = len(self._route), widths(values.shape)
        if not self._calls:
            self._width = 1 if whole == 1 else max((one for one in fitting if one and whole % one == 0), default=0)
        if self._width not in fitting and whole > 1:
            raise self._gate.unfit(values.shape, self._width or whole)
        start = self._calls * self._width
        self._calls += 1
        if start == whole:
            raise self._ambiguous()
        return self._route[start : start + self._width]

    def _ambiguous(self) -> InputError:
        calls = f"{self._calls} time{'s' * (self._calls > 1)}"
        return InputError(
            f"gate {self.name} ran {calls}, each as if for {self._width} of its {len(self._route)} paths: it cannot "
            "be told which a call is of. Let its activations have the shape (rows, paths of a call), with a write to "
            "match, and call the model itself, model(images)"
        )
