"""Facts that whoever recorded a log gave its rows, beside those that routeviz writes itself."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from routeviz.dashboard.collection import Collection
from routeviz.dashboard.table import Facts
from routeviz.routelog import groups_rows

_WRITTEN = frozenset({"id", "image", "file", "height", "width", "miou", "pixel_accuracy", "scale_class", "input"})
_PREFIXES = ("macs_", "expected_macs_", "objects_", "iou_", "closed_")


def own_facts(facts: pd.DataFrame | Facts) -> list[str]:
    """Columns that are not of those that a trace writes, in the table's order."""
    return [name for name in facts if name not in _WRITTEN and not name.startswith(_PREFIXES)]


def own_numbers(facts: pd.DataFrame | Facts) -> list[str]:
    """Those of them that hold numbers, such as a loss."""
    return [name for name in own_facts(facts) if pd.api.types.is_numeric_dtype(facts[name])]


def own_labels(collection: Collection) -> list[str]:
    """Those of them that name a class for each row, such as a digit."""
    return _labels((*collection.key, len(collection.facts)), collection.facts)


def own_means(facts: pd.DataFrame) -> dict[str, float]:
    """Mean of each of the numbers over some rows; NaN where none has one."""
    return {name: float(facts[name].mean()) for name in own_numbers(facts)}


@st.cache_resource(max_entries=16, show_spinner=False)
def _labels(key: tuple, _facts: pd.DataFrame) -> list[str]:
    return [name for name in own_facts(_facts) if groups_rows(_facts[name])]
