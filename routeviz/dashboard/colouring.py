"""What points can be coloured by, and the group of each image; no streamlit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from routeviz.dashboard import charts, filters
from routeviz.dashboard.charts import Group
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.facts import own_labels, own_numbers
from routeviz.dashboard.order import SCALE_COLUMNS
from routeviz.dashboard.population import Clustering
from routeviz.dashboard.words import percent, short

CLUSTER = "cluster"
STEPS = 5
_HOLDS = "objects_count_"


def choices(collection: Collection, convention: str) -> list[str]:
    """Facts of this log's images that points can be coloured by, the most telling first."""
    facts, log = collection.facts, collection.log
    found = ["scale class"] if "scale_class" in facts else []
    found.append(CLUSTER)
    columns = {**_columns(convention), **{words: column for column, words in SCALE_COLUMNS.items()}}
    found += [words for words, column in columns.items() if column in facts]
    names = [str(name) for name in collection.class_names]
    found += [f"holds {name}" for name in names if f"{_HOLDS}{name}" in log.columns]
    found += [f"IoU of {name}" for name in names if f"iou_{name}" in facts]
    labels = own_labels(collection)
    return found + labels + [name for name in own_numbers(facts) if name not in labels]


def groups(
    collection: Collection, mask: np.ndarray, by: str, found: Clustering, convention: str
) -> tuple[list[Group], np.ndarray]:
    """The groups of a choice, named with how many of their images pass; the position of each image's group."""
    facts = collection.facts
    if by == CLUSTER:
        total = len(found.typical)
        sizes = np.bincount(found.cluster[mask], minlength=total)
        return [
            Group(f"cluster {i + 1} ({sizes[i]:,})", *charts.series(i), f"cluster {i + 1} of {total}")
            for i in range(total)
        ], found.cluster.astype(int)
    if by == "scale class":
        return _named(facts["scale_class"], mask, lambda name: filters.classes_among("scale_class", [name]))
    if by in own_labels(collection):
        return _named(facts[by], mask, lambda name: filters.one_of(by, [name]))
    if by in own_numbers(facts):
        return _stepped(facts[by].to_numpy(float), short)
    if by.startswith("holds "):
        column = f"{_HOLDS}{by.removeprefix('holds ')}"
        held = collection.log.facts(column)[column] > 0
        return _named(held.map({True: by, False: by.replace("holds", "without", 1)}), mask, lambda name: "")
    column = f"iou_{by.removeprefix('IoU of ')}" if by.startswith("IoU of ") else None
    words = {words: column for column, words in SCALE_COLUMNS.items()}
    column = column or {**_columns(convention), **words}[by]
    written = filters.amount if column.startswith("macs_") else short if "area" in column else percent
    return _stepped(facts[column].to_numpy(float), written)


def _columns(convention: str) -> dict[str, str]:
    return {f"MACs ({convention})": f"macs_{convention}", "mIoU": "miou", "pixel accuracy": "pixel_accuracy"}


def _named(column: pd.Series, mask: np.ndarray, condition: Callable[[str], str]) -> tuple[list[Group], np.ndarray]:
    codes, found = pd.factorize(column, sort=True)
    names = [*map(str, found)]
    if (codes < 0).any():
        names += [] if filters.UNKNOWN in names else [filters.UNKNOWN]
        codes = np.where(codes < 0, names.index(filters.UNKNOWN), codes)
    sizes = np.bincount(codes[mask], minlength=len(names))
    return [
        Group(f"{name} ({size:,})", *charts.series(i), condition(name))
        for i, (name, size) in enumerate(zip(names, sizes, strict=True))
    ], codes


def _stepped(values: np.ndarray, words: Callable[[float], str]) -> tuple[list[Group], np.ndarray]:
    """Values in equal parts of the images, from the light end of the ramp to its dark end."""
    known = np.isfinite(values)
    if not known.any():
        return [Group(filters.UNKNOWN, "--rv-soft")], np.zeros(len(values), int)
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, STEPS + 1)))
    n = max(1, len(edges) - 1)
    at = np.clip(np.searchsorted(edges[1:-1], values, side="right"), 0, n - 1)
    colours = np.rint(np.linspace(0, 8, n)).astype(int)
    named = [
        Group(f"{words(edges[i])} to {words(edges[min(i + 1, len(edges) - 1)])}", f"--rv-ramp-{colours[i]}")
        for i in range(n)
    ]
    if known.all():
        return named, at
    return [*named, Group(filters.UNKNOWN, "--rv-soft", 1)], np.where(known, at, n)
