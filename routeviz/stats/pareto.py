"""Accuracy against MACs: which points none beats, and in words what going along them buys."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.metrics import ClassCounts
from routeviz.routelog import RouteLog

MARGIN = 0.01
"""mIoU that may be lost where a network is still called as good."""

LEAST_SAVED = 0.01
"""Share of the MACs below which a saving is called none."""


def pareto_front(macs: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Find the Pareto-efficient points: those that no other beats in one figure and equals in the other.

    Parameters
    ----------
    macs, accuracy : ndarray, (point,) float

    Returns
    -------
    ndarray, (efficient point,) intp
        Positions, by MACs; of equal points the first.
    """
    order = np.lexsort((-accuracy, macs))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], accuracy[order]]))
    return order[accuracy[order] > best[:-1]]


def counts_of(log: RouteLog) -> ClassCounts:
    """Read what was counted of each class on each image; raises InputError where a log does not hold it."""
    names = [name.removeprefix("labelled_") for name in log.columns if name.startswith("labelled_")]
    if not names:
        raise InputError("this log does not hold the pixels of each class; it was traced without counting them")
    tables = (log.facts(*(f"{part.name}_{name}" for name in names)) for part in fields(ClassCounts))
    return ClassCounts(*(table.fillna(0).to_numpy(np.int64) for table in tables))


def front_verdict(points: pd.DataFrame, *, convention: str = "conv", margin: float = MARGIN) -> list[str]:
    """Say in sentences what a front buys against the network as it was trained.

    Parameters
    ----------
    points : DataFrame
        One row a point, the network as trained first: ``name``; ``kind``, ``"other"`` for other networks; ``miou`` in
        [0, 1]; ``difference``, ``difference_low`` and ``difference_high``, its mIoU less that of the first, with a
        paired interval; ``macs_<convention>``, mean over images.
    convention : str
    margin : float
        mIoU that may be lost.

    Returns
    -------
    list of str
        What can be saved without a loss, up to the margin, and which other networks do better; plainly where nothing.
    """
    column = f"macs_{convention}"
    if points.empty or column not in points:
        raise InputError(f"a front without points or without {column}; there is nothing to say of it")
    base = points.iloc[0]
    table = points.assign(saved=1 - points[column] / base[column])
    others, swept = table[table.kind == "other"], table[table.kind != "other"]
    cheaper = swept[swept.saved >= LEAST_SAVED]
    as_good, near = cheaper[cheaper.difference >= 0], cheaper[cheaper.difference_low >= -margin]
    room, sentences = f"{100 * margin:g} point{'s' * (margin != 0.01)}", []
    if len(as_good):
        sentences.append(f"No lower in mIoU on these images: {_best(as_good)} of the MACs ({convention}).")
    if len(near):
        within = f"Surely within {room} of mIoU (paired 95 % interval)"
        sentences.append(f"{within}: {_best(near)} of the MACs ({convention}).")
    else:
        sentences.append(
            f"It buys nothing that is sure: no point saves {100 * LEAST_SAVED:g} % of the MACs ({convention}) or more "
            f"with its mIoU surely (paired 95 % interval) within {room} of that as trained."
        )
        if len(cheaper):
            sentences.append(f"The least is lost by {_told(cheaper.loc[cheaper.difference.idxmax()])}.")
    for other in others.to_dict("records"):
        better = swept[(swept[column] < other[column]) & (swept.miou > other["miou"])]
        worse = swept[(swept[column] > other[column]) & (swept.miou < other["miou"])]
        if len(better):
            sentences.append(f"{better.loc[better.miou.idxmax(), 'name']} beats {other['name']} in both.")
        if len(worse):
            sentences.append(f"{other['name']} beats {len(worse)} of these {len(swept)} points in both.")
    return sentences


def _best(points: pd.DataFrame) -> str:
    return _told(points.loc[points.saved.idxmax()])


def _told(point: pd.Series) -> str:
    low, high = point.difference_low, point.difference_high
    interval = f"{100 * point.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] points".replace("-", "−")
    return f"{point['name']} ({interval}), which saves {100 * point.saved:.1f} %"
