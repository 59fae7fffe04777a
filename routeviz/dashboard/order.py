"""In which order images are listed, and which of them at a time; no streamlit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from routeviz.dashboard.facts import own_facts

DATASET_ORDER = "dataset order"
UP, DOWN = "↑", "↓"
SCALE_COLUMNS = {"objects_share_small": "share of small objects", "objects_median_area": "median object area"}


def sort_choices(facts: pd.DataFrame, convention: str) -> dict[str, tuple[str | None, bool]]:
    """What images can be sorted by: words for the screen, with the column and whether the largest comes first."""
    columns = {
        "MACs": f"macs_{convention}",
        "mIoU": "miou",
        "pixel accuracy": "pixel_accuracy",
        **{words: column for column, words in SCALE_COLUMNS.items()},
        "scale class": "scale_class",
        **{name: name for name in own_facts(facts)},
    }
    choices: dict[str, tuple[str | None, bool]] = {DATASET_ORDER: (None, False)}
    for words, column in columns.items():
        if column in facts:
            choices |= {f"{words} {UP}": (column, False), f"{words} {DOWN}": (column, True)}
    return choices


def listed(
    facts: pd.DataFrame, mask: np.ndarray | None = None, *, sort: str | None = None, descending: bool = False
) -> np.ndarray:
    """Choose and order images.

    Parameters
    ----------
    facts : DataFrame
        One row an image.
    mask : ndarray, (image,) bool, optional
        Those that pass the filter.
    sort : str, optional
        Column; images without a value come last. Ties stay in the order of the table.
    descending : bool

    Returns
    -------
    ndarray, (listed,) intp
        Rows of `facts`.
    """
    rows = np.arange(len(facts)) if mask is None else np.flatnonzero(mask)
    if sort is None:
        return rows[::-1] if descending else rows
    order = facts[sort].iloc[rows].reset_index(drop=True).sort_values(ascending=not descending, kind="stable")
    return rows[order.index.to_numpy()]


def step(rows: np.ndarray, current: int, by: int) -> int:
    """Row before or after the current one, round at the ends; the first where the current one is not listed."""
    found = np.flatnonzero(rows == current)
    return int(rows[(found[0] + by) % len(rows)] if len(found) else rows[0])


def window(rows: np.ndarray, current: int | None, size: int) -> np.ndarray:
    """At most `size` neighbours of the current row in a list: a browser cannot take a hundred thousand options."""
    if len(rows) <= size:
        return rows
    found = np.flatnonzero(rows == current)
    middle = int(found[0]) if len(found) else 0
    start = min(max(0, middle - size // 2), len(rows) - size)
    return rows[start : start + size]
