"""What the figures of a paper can be drawn from, with a log on the screen: its pictures, its network, its run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import caches, owner
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import RUN_FILES, Item
from routeviz.errors import InputError
from routeviz.plots.catalogue import Material, Pictures

if TYPE_CHECKING:
    from routeviz.datasets import Sample
    from routeviz.routelog import RouteLog

RUNS = 8
"""Training runs that are drawn beside each other."""


def material_of(collection: Collection, convention: str, image: str, by: str = "") -> Material:
    """Bring together what is at hand for a log; nothing is drawn, run or traced yet."""
    shelf = owner.items(Settings.from_environment())
    runs = _runs(collection, [item for item in shelf if item.kind == "run"])
    own = next((item for item in runs if _made(item, collection.checkpoint)), None)
    return Material(
        log=collection.log,
        pictures=None if collection.dataset is None else _pictures(collection),
        image=image if (collection.facts["id"] == image).any() else "",
        runs={item.path.name: _metrics(str(item.path), _stamp(item)) for item in runs},
        steps=None if own is None or collection.dataset is None else lambda: _steps(collection, own),
        importance=_importance(collection, convention),
        convention=convention,
        by=by,
    )


def _importance(collection: Collection, convention: str) -> Callable[[], pd.DataFrame] | None:
    """What closing each path does over all images, where the log holds it."""
    if not collection.keeps_importance:
        return None

    def table() -> pd.DataFrame:
        from routeviz.counterfactual import flag_paths

        return flag_paths(collection.kept_importance().table(), convention=convention)

    return table


def _pictures(collection: Collection) -> Pictures:
    rows = {id_: row for row, id_ in enumerate(collection.facts["id"])}

    def sample(id_: str) -> Sample:
        found = collection.sample(rows[id_])
        if found is None:
            raise InputError(f"the image {id_} is not in the dataset's folder")
        return found

    def segment(image: np.ndarray) -> np.ndarray:
        return caches.running.run(collection.network(), image, collection.how).prediction

    return Pictures(
        sample=sample,
        segment=None if collection.checkpoint is None else segment,
        class_names=collection.class_names,
        class_colors=collection.class_colors,
    )


def _runs(collection: Collection, runs: Sequence[Item]) -> list[Item]:
    """Runs on the log's dataset, the one that made its checkpoint first."""
    name = (collection.log.source.get("dataset") or {}).get("name")
    found = [item for item in runs if _dataset_of(str(item.path), _stamp(item)) == name]
    return sorted(found, key=lambda item: not _made(item, collection.checkpoint))[:RUNS]


def _made(run: Item, checkpoint: Item | None) -> bool:
    return checkpoint is not None and checkpoint.path.is_relative_to(run.path)


def _stamp(run: Item) -> caches.Key:
    facts = [path.stat() for name in RUN_FILES if (path := run.path / name).exists()]
    return tuple((fact.st_mtime_ns, fact.st_size) for fact in facts)


@st.cache_resource(max_entries=64, show_spinner=False)
def _dataset_of(path: str, stamp: caches.Key) -> str | None:
    try:
        return json.loads((Path(path) / RUN_FILES[0]).read_text(encoding="utf-8"))["training"]["dataset"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


@st.cache_resource(max_entries=16, show_spinner=False)
def _metrics(path: str, stamp: caches.Key) -> list[Mapping[str, Any]]:
    """Evaluations of a run, none where they cannot be read; a last line that is being written is left out."""
    try:
        lines = (Path(path) / RUN_FILES[1]).read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in lines if '"evaluation"' in line]
    except (OSError, ValueError):
        return []


def _steps(collection: Collection, run: Item) -> Mapping[int, RouteLog]:
    paths = sorted((run.path / "checkpoints").glob("step-*.safetensors"))
    stamp = tuple((path.name, path.stat().st_mtime_ns) for path in paths)
    return _traced(str(run.path), (stamp, *collection.dataset_key, *collection.how), collection)


@st.cache_resource(max_entries=4, show_spinner="Tracing eight images through the run's checkpoints")
def _traced(path: str, key: caches.Key, _collection: Collection) -> Mapping[int, RouteLog]:
    from routeviz.plots.networks import trace_steps
    from routeviz.training import checkpoint_paths

    return trace_steps(checkpoint_paths(path), _collection.dataset, resize=_collection.how.resize)
