"""Columns of a log that name a class for each row: what images, or tokens, can be grouped by."""

from __future__ import annotations

import pandas as pd

from routeviz.routelog.log import RouteLog

NAMES = frozenset({"id", "image", "file", "height", "width"})
"""Columns that tell rows apart, or how large their pictures are, instead of grouping them."""

MOST_LABELS = 50
"""Different values that a column may have."""


def label_columns(log: RouteLog) -> tuple[str, ...]:
    """Find the columns that group the rows of a log, in the log's order.

    Parameters
    ----------
    log : RouteLog

    Returns
    -------
    tuple of str
        Columns of text, truth values or whole numbers, other than names and sizes of rows, with 2 to `MOST_LABELS`
        different values, each in two rows on average; columns in which `routeviz.trace` counts objects, or
        `routeviz.importance` keeps what closing paths does, are left out.
    """
    columns = [
        name for name in log.columns if name not in NAMES and not name.startswith(("macs_", "objects_", "closed_"))
    ]
    facts = log.facts(*columns) if columns else pd.DataFrame()
    return tuple(name for name in columns if groups_rows(facts[name]))


def groups_rows(values: pd.Series) -> bool:
    """Whether a column's values, one a row, are classes of rows as `label_columns` takes them."""
    if values.dtype == object and values.map(pd.api.types.is_list_like).any():
        return False
    return not pd.api.types.is_float_dtype(values) and 2 <= values.nunique() <= min(MOST_LABELS, len(values) / 2)
