"""How routes change along a training: the same images through every checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import entropy

from routeviz.errors import InputError
from routeviz.routelog import RouteLog
from routeviz.stats.usage import blocks, cell_usage, path_usage, route_counts

MEANS = ("macs_conv", "macs_fvcore", "macs_released", "expected_macs_released", "miou")
"""Columns of a log whose mean over images is followed, where it has them."""

DRIFT_WORDS = {
    "alive": "paths open for any image; born, died: against the checkpoint before",
    "changed": "share of paths that an image opens at one of two successive checkpoints only, mean over images",
    "open": "share of paths that are open, mean over images",
    "decided": "paths open for some images and shut for others",
    "entropy": "over images of whether a path is open, in bits, mean over paths; 0: static",
    "routes": "distinct ones: different sets of open paths",
    "MACs": "of the images' routes, mean, convention released, stem, gates and decoder included",
    "expected": "the same weighted by activations, without stem, gates and decoder: what the budget steers",
    "of first": "as a share of the first checkpoint's",
}
"""What figures of `drift` mean."""

COLLAPSES = {
    "static": "all images take one route: the network is not dynamic",
    "closed scale": "every cell of the scale is closed or unreached for all images",
    "dead gate": "the cell is closed for all images that reach it; a shut gate learns nothing itself, so only what "
    "comes before it can open it again",
    "constant gate": "each path of the cell is open for all images that reach it, or shut for all",
}
"""What can collapse, and what that means; a dead gate is constant too, but called dead only."""


def drift(logs: Mapping[int, RouteLog]) -> pd.DataFrame:
    """Describe the routes of the same images at every checkpoint.

    Parameters
    ----------
    logs : mapping of step to RouteLog
        Of one space and the same images.

    Returns
    -------
    DataFrame
        One row a checkpoint, by step: ``step``; ``alive``, number of paths open for any image; ``born`` and ``died``,
        paths that came alive or ceased to be since the checkpoint before (0 at the first); ``changed``, share of paths
        that an image opens at one of these two checkpoints only, mean over images (NaN at the first); ``open``, share
        of paths that are open, mean over images; ``decided``, number of paths open for some images only; ``entropy``,
        of whether a path is open, in bits, mean over paths (0: static); ``routes``, distinct ones, and
        ``effective_routes``; ``warnings``, number of `collapses_of` this checkpoint; and, where all logs have them,
        means over images of `MEANS`: what routes really cost (``macs_...``) beside the expected cost, which the budget
        of training steers and nothing runs.

    Raises
    ------
    InputError
        If there are no logs, or they are of different spaces or images, or of fewer than two images.
    """
    steps = _checked(logs)
    means = [name for name in MEANS if all(name in log.columns for log in logs.values())]
    rows = []
    for step in steps:
        log, counts, usage = logs[step], route_counts(logs[step]), path_usage(logs[step])
        row = {
            "step": step,
            "alive": int((usage.open > 0).sum()),
            "born": 0,
            "died": 0,
            "changed": np.nan,
            "open": float(usage.open.mean()),
            "decided": int(((usage.open > 0) & (usage.open < 1)).sum()),
            "entropy": float(usage.entropy.mean()),
            "routes": len(counts),
            "effective_routes": float(np.exp(entropy(counts))),
            "warnings": len(collapses_of(log)),
        }
        rows.append(row | log.facts(*means).mean().to_dict() if means else row)
    table = pd.DataFrame(rows)
    events = path_events(logs)
    for event in ("born", "died"):
        table[event] = [int(((events.step == step) & (events.event == event)).sum()) for step in steps]
    table.loc[1:, "changed"] = [_changed(logs[before], logs[after]) for before, after in pairwise(steps)]
    return table


def path_events(logs: Mapping[int, RouteLog]) -> pd.DataFrame:
    """List the paths that were born or died between checkpoints.

    Parameters
    ----------
    logs : mapping of step to RouteLog
        As for `drift`.

    Returns
    -------
    DataFrame
        One row a path and event, by step and in the space's order: ``step``, that of the later checkpoint; ``event``,
        ``"born"`` (open for some image, where before it was for none) or ``"died"``; ``path``, ``layer``, ``scale``,
        ``move``; ``before`` and ``after``, share of the images that open it.
    """
    steps = _checked(logs)
    space = logs[steps[0]].space
    tables = []
    for step, before, after in _successive(logs, steps):
        table = space.paths[["layer", "scale", "move"]].assign(before=before, after=after)
        table.insert(0, "path", list(space.path_names))
        table.insert(
            0, "event", np.select([(before == 0) & (after > 0), (before > 0) & (after == 0)], ["born", "died"], "")
        )
        table.insert(0, "step", step)
        tables.append(table[table.event != ""])
    columns = ["step", "event", "path", "layer", "scale", "move", "before", "after"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def path_courses(logs: Mapping[int, RouteLog], *, value: str = "entropy") -> pd.DataFrame:
    """Follow one figure of every path over the checkpoints.

    Parameters
    ----------
    logs : mapping of step to RouteLog
        As for `drift`.
    value : str
        A column of `path_usage`: ``entropy`` of whether the path is open over images, in bits (0: static), ``open``,
        share of images that open it, ``activation`` or ``activation_open``.

    Returns
    -------
    DataFrame
        One row a path, its index the path's name; one column a step.
    """
    steps = _checked(logs)
    space = logs[steps[0]].space
    usage = path_usage(logs[steps[0]])
    valid = [name for name in usage if name not in space.paths]
    if value not in valid:
        raise InputError(f"unknown value {value!r}; valid: {', '.join(valid)}")
    courses = {step: path_usage(logs[step])[value].to_numpy() for step in steps}
    return pd.DataFrame(courses, index=pd.Index(space.path_names, name="path"))


def collapses_of(log: RouteLog) -> list[tuple[str, str]]:
    """Find what has collapsed in the routes of a log.

    Parameters
    ----------
    log : RouteLog
        Of two images or more.

    Returns
    -------
    list of (kind, where)
        Kinds are those of `COLLAPSES`, in their order; ``where`` is ``"network"``, a scale (``"s3"``) or a cell
        (``"L4 s2"``).
    """
    space, n = log.space, len(log)
    cells, n_open = cell_usage(log), (path_usage(log).open * n).round().to_numpy()
    n_reached = n - (cells.unreached * n).round().to_numpy()
    found = [("static", "network")] if len(route_counts(log)) == 1 else []
    shut = cells.groupby("scale").open.max() == 0
    found += [("closed scale", f"s{scale}") for scale in shut.index[shut]]
    same = (n_open == 0) | (n_open == n_reached[space.source])
    constant = np.array([same[space.paths_from(cell)].all() for cell in range(space.n_cells)]) & (n_reached > 0)
    dead = (cells.open == 0).to_numpy() & (n_reached > 0)
    for kind, which in (("dead gate", dead), ("constant gate", constant & ~dead)):
        found += [(kind, space.cell_names[cell]) for cell in np.flatnonzero(which)]
    return found


def collapses(logs: Mapping[int, RouteLog]) -> pd.DataFrame:
    """List what has collapsed at the last checkpoint, and since when.

    Parameters
    ----------
    logs : mapping of step to RouteLog
        As for `drift`.

    Returns
    -------
    DataFrame
        One row a warning: ``kind``, a key of `COLLAPSES`; ``where``; ``since``, the first of the checkpoints without a
        break up to the last at which it holds; ``meaning``.
    """
    steps = _checked(logs)
    at = {step: set(collapses_of(logs[step])) for step in steps}
    rows = []
    for warning in collapses_of(logs[steps[-1]]):
        since = steps[-1]
        for step in reversed(steps):
            if warning not in at[step]:
                break
            since = step
        rows.append((*warning, since, COLLAPSES[warning[0]]))
    return pd.DataFrame(rows, columns=["kind", "where", "since", "meaning"])


def _changed(before: RouteLog, after: RouteLog) -> float:
    total = sum(float((a != b).sum()) for (_, a), (_, b) in zip(blocks(before), blocks(after), strict=True))
    return total / before.gates.size


def _successive(logs: Mapping[int, RouteLog], steps: list[int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Step, and share of the images that open each path before and at it, ``(path,)``."""
    shares = [path_usage(logs[step]).open.to_numpy() for step in steps]
    yield from zip(steps[1:], shares[:-1], shares[1:], strict=True)


def _checked(logs: Mapping[int, RouteLog]) -> list[int]:
    """Steps in their order, once their logs are found to be of one space and the same images."""
    if not logs:
        raise InputError("no logs to follow; trace the checkpoints of a run")
    steps = sorted(logs)
    first = logs[steps[0]]
    ids = first.facts("id").id.tolist()
    if len(ids) < 2:
        raise InputError(f"logs of {len(ids)} images; whether a gate is static needs two or more")
    for step in steps[1:]:
        if logs[step].space != first.space:
            raise InputError(
                f"the log of step {step} is of {logs[step].space}, that of step {steps[0]} of {first.space}"
            )
        if logs[step].facts("id").id.tolist() != ids:
            raise InputError(f"the logs of steps {steps[0]} and {step} are of different images; trace the same ones")
    return steps
