"""`record`: hooks on the gates of a user's own model, which turn its forward passes into a route log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from routeviz import __version__
from routeviz.errors import InputError, LogError
from routeviz.network.digest import weights_digest
from routeviz.recording.gates import Activations, Gate, Paths, Resolved, resolve
from routeviz.recording.modules import is_compiled, unwrapped
from routeviz.routelog import SCHEMA, PartCosts, RouteLog
from routeviz.routelog.log import SIZE
from routeviz.space import STATES, RoutingSpace, cell_states


class Recording:
    """What `record` has seen so far; made by it."""

    def __init__(
        self, space: RoutingSpace, gates: list[Resolved], costs: Sequence[PartCosts], source: Mapping[str, Any]
    ) -> None:
        self._space, self._gates, self._costs, self._source = space, gates, costs, dict(source)
        self._rows: list[np.ndarray] = []
        self._cost: PartCosts | None = None
        self._costs_of: list[PartCosts | None] = []
        self._facts: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return sum(map(len, self._rows))

    def add(self, **facts: Any) -> None:
        """Add facts to the rows of the last forward pass: columns of ``log.images``.

        Parameters
        ----------
        **facts
            By column: a value for each row (sequence, array or tensor), or one for all. ``id`` names the rows, and is
            made text; without it they are numbered. Correct answers, classes, losses: whatever is to be held against
            the routes.

        Raises
        ------
        InputError
            If nothing ran yet, or there are not as many values as rows.
        """
        if not self._rows:
            raise InputError("no forward pass was recorded yet; call the model first, then add what is known of it")
        rows, columns = len(self._rows[-1]), {}
        for name, values in facts.items():
            if isinstance(values, Tensor):
                values = values.detach().cpu().numpy()
            values = np.full(rows, values) if np.ndim(values) == 0 else np.asarray(values)
            if values.shape != (rows,):
                raise InputError(f"fact {name!r} has shape {values.shape}; the last forward pass gave {rows} rows")
            columns[name] = values.astype(str) if name == "id" else values
        self._facts[-1] |= columns

    @property
    def log(self) -> RouteLog:
        """The routes so far, with their facts, and ``macs_conv`` where costs are known.

        Raises
        ------
        LogError
            If no forward pass was recorded.
        """
        if not self._rows:
            raise LogError("no forward pass was recorded: call the model itself, model(images), while recording")
        gates, numbers = np.concatenate(self._rows), np.arange(len(self)).astype(str)
        parts, start = [], 0
        for rows, facts in zip(self._rows, self._facts, strict=True):
            parts.append(pd.DataFrame({"id": numbers[start : start + len(rows)]} | facts))
            start += len(rows)
        images = pd.concat(parts, ignore_index=True).astype({"id": str})
        passes = list(zip(self._costs_of, self._rows, strict=True))
        if len(self._costs) > 1:
            images[SIZE] = [costs.size_text for costs, rows in passes for _ in rows]
        if self._costs:
            macs = [costs.macs(rows) for costs, rows in passes]
            images[f"macs_{self._costs[0].convention}"] = np.concatenate(macs)
        return RouteLog(gates, images, self._space, self._source)

    def _begin(self, model: nn.Module, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
        """Forget the pass before, and find what one of this size costs; a hook before the model's forward pass."""
        for gate in self._gates:
            gate.clear()
        given = next((one for one in (*arguments, *keywords.values()) if isinstance(one, Tensor)), None)
        size = None if given is None else tuple(given.shape[1:])
        fitting = [one for one in self._costs if one.size == size or None in (one.size, size)]
        self._cost = fitting[0] if len(fitting) == 1 else None
        if self._costs and self._cost is None:
            known = ", ".join(one.size_text for one in self._costs)
            raise InputError(
                f"an input of size {'x'.join(map(str, size or ()))}, and costs of {known}: measure its own with "
                "measure_macs, and give those of all sizes, costs=[...]"
            )

    def _end(self, *_: object) -> None:
        """Join what the gates gave in a forward pass into rows; a forward hook of the model."""
        given = [gate.collect() for gate in self._gates]
        lengths = {gate.name: len(values) for gate, values in zip(self._gates, given, strict=True)}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in list(lengths.items())[:4])
            raise InputError(
                f"gates gave different numbers of rows ({told}); let each give a row for every image of the batch"
            )
        gates = np.ones((next(iter(lengths.values())), self._space.n_paths), np.float32)
        for gate, values in zip(self._gates, given, strict=True):
            gates[:, gate.paths] = values
        unreached = (cell_states(self._space, gates).state == STATES.index("unreached"))[:, self._space.source]
        if (wrong := np.isnan(gates) & ~unreached).any():
            path = self._space.path_names[int(np.argwhere(wrong)[0][1])]
            raise InputError(f"the gate of {path} gives NaN where its cell is reached; see what the model computes")
        gates[unreached] = np.nan
        self._rows.append(gates)
        self._facts.append({})
        self._costs_of.append(self._cost)


@contextmanager
def record(
    model: nn.Module,
    space: RoutingSpace,
    gates: Mapping[str | nn.Module, Paths | Gate],
    *,
    activations: Activations | None = None,
    costs: PartCosts | Sequence[PartCosts] | None = None,
    source: Mapping[str, Any] | None = None,
) -> Iterator[Recording]:
    """Record the routes that images, or tokens, take through your own model while it runs as it always does.

    The model is neither copied nor changed; every forward pass within the context adds a row for each of its images.
    When it ends, by an error too, nothing of it is left on the model. A model of DistributedDataParallel is recorded in
    each process by itself. A compiled model runs uncompiled while it is recorded: compiled code passes by new hooks.

    Parameters
    ----------
    model : nn.Module
    space : RoutingSpace
        What its gates decide: see `routeviz.chain_space` and those beside it.
    gates : mapping of str or nn.Module to str, sequence of str or Gate
        A module of the model (``""`` is the model itself), or its name, and the paths that it decides over; a cell's
        name stands for all its paths. One that runs several times in a forward pass, as a recurrent gate does, gives
        the paths' activations one call after the other. Paths without a gate are open wherever their cell is reached.
    activations : function, optional
        From what a gate module returns to activations in [0, 1], one row an image, or a token: of ``(batch, token,
        path)`` every token is a row. By default it returns them itself. A `Gate` may have its own.
    costs : PartCosts or sequence of PartCosts, optional
        Of `measure_macs`; gives the log its column ``macs_conv``. For inputs of several sizes, the costs of each size:
        every row is counted with those of its own, which its column ``input_size`` names.
    source : mapping, optional
        Where the routes come from, fit for JSON, such as ``{"dataset": {"name": "digits"}}``.

    Yields
    ------
    Recording
        `Recording.add` adds facts of the rows; `Recording.log` is the RouteLog.

    Raises
    ------
    InputError
        If a module or path is not there, a path has two gates, what a gate gives cannot be activations, or an input has
        a size of which no costs are given.
    """
    if not isinstance(space, RoutingSpace):
        raise InputError(f"a space of type {type(space).__name__}; build one, such as routeviz.chain_space(8)")
    every = _every(space, costs)
    inside = unwrapped(model)
    found = resolve(inside, space, gates, activations)
    told = {
        "model": type(inside).__name__,
        "weights": weights_digest(inside),
        "costs": _told(every),
        "routeviz": __version__,
        "schema": SCHEMA,
    }
    recording = Recording(space, found, every, told | dict(source or {}))
    with ExitStack() as stack:
        if is_compiled(model):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        # A gate may be the model itself: its own hook comes before the one that collects.
        handles = [inside.register_forward_pre_hook(recording._begin, with_kwargs=True)]
        handles += [gate.module.register_forward_hook(gate.hook) for gate in found]
        handles.append(inside.register_forward_hook(recording._end))
        for handle in handles:
            stack.callback(handle.remove)
        yield recording


def _every(space: RoutingSpace, costs: PartCosts | Sequence[PartCosts] | None) -> list[PartCosts]:
    """The costs of every size, each once; raises InputError where they are not of this space, or of one convention."""
    every = [] if costs is None else [costs] if isinstance(costs, PartCosts) else list(costs)
    for one in every:
        if one.space != space:
            raise InputError(f"costs of {one.space}; this is {space}")
    sizes = [one.size for one in every]
    if len(every) > 1 and (None in sizes or len(set(sizes)) < len(sizes)):
        raise InputError("costs of several sizes must each say another one; give what measure_macs returns for each")
    if len({one.convention for one in every}) > 1:
        raise InputError("costs of several conventions; count all sizes in one")
    return every


def _told(costs: Sequence[PartCosts]) -> Any:
    """Costs as the log keeps them; with one size, the log need not say which."""
    said = [one.to_dict() for one in costs]
    if len(said) == 1:
        said[0].pop("size", None)
        return said[0]
    return said or None
