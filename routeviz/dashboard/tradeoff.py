"""A fact of each row of a recorded log, such as a loss or an accuracy, against the row's MACs."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import streamlit as st

import routeviz as rv
from routeviz.dashboard import asked, caches, exports
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.facts import own_numbers
from routeviz.dashboard.words import plain
from routeviz.routelog import label_columns

AGAINST = "against"
_SCORES = ("miou", "pixel_accuracy", "iou_")


def show(collection: Collection, mask: np.ndarray, convention: str) -> None:
    """The figure, over the rows that pass the filter; nothing where their MACs are all one number."""
    log, facts, column = collection.log, collection.facts, f"macs_{convention}"
    offered = numbers(facts) if collection.recorded else []
    if column not in log.columns or not offered or not np.ptp(facts[column][mask]):
        return
    by = next((name for name in ("role", *label_columns(log)) if name in log.columns), None)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{log.rows_are.capitalize()}: a fact against MACs**", width="stretch")
        fact = asked.choose("Fact", offered, lambda: offered[0], key=AGAINST, label_visibility="collapsed", width=190)

        def make():
            return rv.plot_against_macs.describe(log.select(mask), fact, by=by, convention=convention)

        with st.container(width="content"):
            exports.offer(make, key=AGAINST, name=f"{fact} against MACs", lazy=True)
    asked.say(AGAINST, "fact")
    left, _ = st.columns([1.15, 1], gap="medium")
    if not facts[fact][mask].notna().any():
        left.caption(f"None of these {log.rows_are} has a number in {plain(fact)}.")
        return
    key = ("tradeoff", log.digest, hashlib.sha256(np.packbits(mask)).hexdigest(), fact, by or "", convention)
    left.image(caches.preview(key, make), width="stretch")


def numbers(facts: pd.DataFrame) -> list[str]:
    """Columns that can stand against MACs: fractions, such as a loss, then whole numbers and truth values."""
    found = [*own_numbers(facts), *(name for name in facts if name.startswith(_SCORES))]
    return sorted(found, key=lambda name: not pd.api.types.is_float_dtype(facts[name]))
