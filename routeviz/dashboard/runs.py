"""A training run as the screen shows it: what was measured, and its checkpoints' routes; no streamlit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from routeviz.dashboard import running
from routeviz.dashboard.shelf import RUN_FILES, Item
from routeviz.errors import InputError, LogError
from routeviz.space import INPUTS, STATES, RoutingSpace, cell_states, open_paths, sent
from routeviz.space.drawing import INPUT_WORDS, MARKS, lattice_data

if TYPE_CHECKING:
    from routeviz.routelog import RouteLog
    from routeviz.training import TrainConfig

SMOOTHED = 60
OPEN, BLIND, PASSED, SHUT = "o", "b", "p", "-"


@dataclass(frozen=True, eq=False)
class Run:
    """A run folder, read.

    Attributes
    ----------
    config : TrainConfig
    steps : DataFrame
        One row a line of training metrics: step, loss, cross_entropy, budget_loss, expected_share, rate, seconds.
    evaluations : DataFrame
        One row an evaluation: step, images, miou, pixel_accuracy, expected_macs, and ``<convention>_avg``, ``_max``,
        ``_min``.
    checkpoints : dict of int to Item
        By step.
    """

    config: TrainConfig
    steps: pd.DataFrame
    evaluations: pd.DataFrame
    checkpoints: Mapping[int, Item]

    @property
    def marks(self) -> list[int]:
        """Steps that there is something to say about: evaluations and checkpoints, or else lines of metrics."""
        marks = sorted({*self.evaluations.get("step", ()), *self.checkpoints})
        return [int(step) for step in (marks or self.steps.get("step", ()))]

    @property
    def done(self) -> int:
        """Steps that were taken."""
        return int(self.steps["step"].iloc[-1]) if len(self.steps) else 0

    def checkpoint_at(self, step: int) -> int | None:
        """Step of the last checkpoint up to a step, or else of the first one; None in a run without any."""
        before = [known for known in self.checkpoints if known <= step]
        return max(before, default=min(self.checkpoints, default=None))


def read(folder: Path) -> Run:
    """Read a run folder; raises LogError or InputError where its files are not a run's."""
    from routeviz.training import checkpoint_paths, read_config, read_metrics

    config = read_config(folder)
    try:
        lines = read_metrics(folder)
        steps = pd.DataFrame([line for line in lines if line["kind"] == "step"])
        evaluations = pd.DataFrame([_evaluation(line) for line in lines if line["kind"] == "evaluation"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LogError(f"{folder / RUN_FILES[1]} cannot be read as the metrics of a run: {error}") from None
    found = checkpoint_paths(folder)
    checkpoints = {step: Item("checkpoint", path, path.name) for step, path in found.items()}
    return Run(config, steps, evaluations, checkpoints)


def trained_on(folder: Path) -> str:
    """Name of a run's dataset; empty where its settings cannot be read."""
    try:
        return str(json.loads((folder / RUN_FILES[0]).read_bytes())["training"]["dataset"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What a cache must know to notice that a run went on."""
    files = [*(folder / name for name in RUN_FILES), folder / "checkpoints"]
    facts = [(file.name, file.stat()) for file in files if file.exists()]
    return tuple((name, fact.st_mtime_ns, fact.st_size) for name, fact in facts)


def at(table: pd.DataFrame, step: int) -> pd.Series:
    """The last row up to a step; an empty one where there is none."""
    rows = table[table["step"] <= step] if len(table) else table
    return rows.iloc[-1] if len(rows) else pd.Series(dtype=object)


def smooth(values: pd.Series) -> np.ndarray:
    """Running mean over about a sixtieth of the values."""
    return values.rolling(max(1, len(values) // SMOOTHED), min_periods=1).mean().to_numpy()


class Routes(NamedTuple):
    """One image's routes along a training: ``gates`` (checkpoint, path), ``macs`` (checkpoint,) of each convention."""

    space: RoutingSpace
    gates: np.ndarray
    macs: dict[str, np.ndarray]


def routes(checkpoints: Sequence[Path], image: np.ndarray, how: running.How) -> Routes:
    """Send one image through each checkpoint; raises InputError where they are not of one routing space."""
    from routeviz.costs import CONVENTIONS, macs

    size = how.resize or image.shape[:2]
    gates, costs, space = [], {convention: [] for convention in CONVENTIONS}, None
    for path in checkpoints:
        net = running.load(path, {})
        if space not in (None, net.space):
            raise InputError(f"{path} has another routing space than the checkpoints before it")
        space = net.space
        gates.append(running.run(net, image, how).gates)
        for convention, values in costs.items():
            values.append(int(macs(net, gates[-1][None], size, convention=convention)[0]))
    return Routes(space, np.stack(gates), {convention: np.array(values) for convention, values in costs.items()})


class Drift(NamedTuple):
    """What is known of a run's checkpoints on the same images.

    ``table`` is that of `routeviz.stats.drift`, ``events`` that of `path_events`; ``entropy`` and ``activation`` those
    of `path_courses`; ``warnings`` of each step those of `collapses` up to there.
    """

    logs: Mapping[int, RouteLog]
    table: pd.DataFrame
    events: pd.DataFrame
    entropy: pd.DataFrame
    activation: pd.DataFrame
    warnings: Mapping[int, pd.DataFrame]


def follow(paths: Mapping[int, str]) -> Drift:
    """Read the logs of a drift and describe them; raises InputError where they are not of the same images."""
    from routeviz.routelog import load_log
    from routeviz.stats import collapses, drift, path_courses, path_events

    logs = {step: load_log(path) for step, path in paths.items()}
    return Drift(
        logs,
        drift(logs),
        path_events(logs),
        path_courses(logs),
        path_courses(logs, value="activation"),
        {last: collapses({step: log for step, log in logs.items() if step <= last}) for last in logs},
    )


def film(space: RoutingSpace) -> dict[str, Any]:
    """What all frames of a space's routes have in common: its geometry, and words for states of cells."""
    words = {}
    for kind in MARKS:
        state, _, arrives = kind.partition(" ")
        if arrives:
            words[kind] = f"{STATES[STATES.index(state)]}; {INPUT_WORDS[INPUTS.index(arrives)]}"
    return {"geometry": lattice_data(space), "cell_words": words}


def frames(space: RoutingSpace, gates: np.ndarray) -> list[dict[str, Any]]:
    """Routes as the player draws them: activations, a letter for each path's kind, the mark of each cell.

    Parameters
    ----------
    space : RoutingSpace
    gates : ndarray, (frame, path)
        NaN counts as 0.
    """
    values = np.nan_to_num(np.asarray(gates, np.float32))
    states, inputs = cell_states(space, values)
    is_open, carried = open_paths(space, values), sent(space, values)
    passed = (states[:, space.source] == STATES.index("closed")) & space.passes
    blind = is_open & (carried != INPUTS.index("image"))
    kinds = np.select([blind, is_open, passed], [BLIND, OPEN, PASSED], SHUT)
    names = list(MARKS)
    return [
        {
            "activation": np.round(values[frame].astype(float), 4).tolist(),
            "kinds": "".join(kinds[frame]),
            "cells": [
                names.index(f"{STATES[s]} {INPUTS[k]}") for s, k in zip(states[frame], inputs[frame], strict=True)
            ],
            "open": int(is_open[frame].sum()),
        }
        for frame in range(len(values))
    ]


def _evaluation(line: Mapping[str, Any]) -> dict[str, Any]:
    costs = {f"{convention}_{what}": value for convention, all_ in line["macs"].items() for what, value in all_.items()}
    known = {name: line[name] for name in ("step", "images", "miou", "pixel_accuracy")}
    expected = line["expected_macs"]
    return known | {"expected_macs": np.nan if expected is None else expected} | costs
