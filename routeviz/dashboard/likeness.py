"""How alike the routes of groups are: the rows of a log by any column that names a class for each."""

from __future__ import annotations

import streamlit as st

import routeviz as rv
from routeviz.dashboard import asked, caches, exports, state
from routeviz.dashboard.collection import Collection
from routeviz.plots import Sheet
from routeviz.routelog import label_columns

CLASSES = "classes"
"""Groups of images that hold each class of the labels; one image may stand in several."""


def show(collection: Collection) -> None:
    """Offer the columns, and the matrix of the one that is chosen."""
    log = collection.log
    asked.check_switch(state.ALIKE, "similarity of groups")
    wanted = st.toggle(
        "Similarity of groups",
        key=state.ALIKE,
        bind=state.BOUND,
        help=collection.say(
            "Weighted Jaccard similarity of the routes of the sidebar's log, mean over all pairs of different images "
            "of two groups; of a group with more than 2,000 images a seeded sample."
        ),
    )
    if not wanted:
        return
    if log is None:
        st.info("Similarity is of the rows of a route log: choose one at the left.", icon=":material/info:")
        return
    columns = list(label_columns(log))
    columns += [CLASSES] * any(name.startswith("objects_count_") for name in log.columns)
    if not columns:
        words = "No column of this log names a class for each image, so there are no groups to compare."
        st.info(collection.say(words), icon=":material/info:")
        return
    left, right = st.columns([1.15, 1], gap="medium")
    with right:
        by = asked.choose("Groups by", columns, lambda: columns[0], key=state.ALIKE_BY)
        asked.say(state.ALIKE_BY, "column")

    def make() -> Sheet:
        return rv.plot_similarity.describe(log, by=by)

    with left:
        st.image(caches.preview(("alike", log.digest, by), make), width="stretch")
    with right:
        exports.offer(make, key="alike", name=f"Similarity by {by}", lazy=True)
