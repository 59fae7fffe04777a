"""Population of networks that choose among ways side by side: experts, branches, channel groups."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import streamlit as st

import routeviz as rv
from routeviz.dashboard import asked, caches, exports
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.words import plain
from routeviz.routelog import RouteLog, label_columns
from routeviz.space import kind_of
from routeviz.stats import chooses, expert_balance, expert_specialisation

TOLD_BY = "told_by"

COLUMNS = {
    "chosen": ("chosen, mean", "How many a row opens.", "%.2f"),
    "least": ("least load", "Smallest share of what the layer is given.", "percent"),
    "most": ("largest load", "Largest share of what the layer is given.", "percent"),
    "variation": ("variation", "Coefficient of variation of the rows that each is given (Shazeer et al.).", "%.3f"),
    "chance": ("by chance", "The variation where every row chooses as many at random.", "%.3f"),
    "balance": ("balance", "Their number × sum of load × weight (Switch Transformers): 1 where even.", "%.2f"),
    "bits": ("bits", "Mutual information of what is chosen and the class of the row.", "%.3f"),
    "bits_chance": (
        "bits by chance",
        "The same with the classes shuffled: what no relation at all would give.",
        "%.3f",
    ),
    "p": ("p", "Share of shuffles that tell as much, the order as it is among them.", "%.2f"),
}


def show(collection: Collection, mask: np.ndarray) -> None:
    """Load, balance, what is told of a class, and which are open together, of the rows that pass the filter."""
    log, ways = collection.log, kind_of(collection.space).rows
    if not chooses(log):
        return
    labels = label_columns(log)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**Use of {ways}**", width="stretch")
        by = None
        if labels:
            st.caption("classes of", width="content")
            by = asked.choose(
                "Classes of", labels, lambda: labels[0], key=TOLD_BY, label_visibility="collapsed", width=190
            )

        def make():
            return rv.plot_experts.describe(log.select(mask), by=by)

        with st.container(width="content"):
            exports.offer(make, key="experts", name=f"Use of {ways}", lazy=True)
    if labels:
        asked.say(TOLD_BY, "column")
    key = ("experts", log.digest, hashlib.sha256(np.packbits(mask)).hexdigest(), by or "")
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        st.image(caches.preview(key, make), width="stretch")
    with right:
        st.dataframe(
            _balance(key, log, mask, by),
            hide_index=True,
            column_config={"experts": ways}
            | {
                name: st.column_config.NumberColumn(label, help=text, format=form)
                for name, (label, text, form) in COLUMNS.items()
            },
            height="content",
        )
        if by:
            told = "Of each image's tokens all have one class: images are shuffled. " if "image" in log.columns else ""
            st.caption(f"Bits, and p, are of {plain(by)}. {told}")


@st.cache_resource(max_entries=16, show_spinner="Shuffling")
def _balance(key: caches.Key, _log: RouteLog, _mask: np.ndarray, by: str | None) -> pd.DataFrame:
    some = _log.select(_mask)
    table = expert_balance(some)
    if by is not None and some.facts(by)[by].notna().all():
        told = expert_specialisation(some, by=by).rename(columns={"chance": "bits_chance"})
        table = table.merge(told.drop(columns="entropy"), on="cell")
    return table
