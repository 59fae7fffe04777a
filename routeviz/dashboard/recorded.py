"""What does it cost? MACs of a recorded log by kind of part, and the parts in which its rows spend most."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.costs import RECORDED_NOTE
from routeviz.dashboard import caches, components, filtering
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.words import percent, plain, short
from routeviz.errors import InputError
from routeviz.quantities import count
from routeviz.routelog import RouteLog
from routeviz.stats import recorded_parts

KINDS = {"fixed": "what runs for each", "operations": "open cells", "gates": "what decides", "paths": "open paths"}


def show(collection: Collection, mask: np.ndarray, convention: str) -> None:
    """What the rows that pass the filter spend."""
    key, log = filtering.passing_log(collection, mask)
    known = {costs.convention for costs in log.all_costs}
    if known and convention not in known:
        st.info(
            f"This log holds MACs in the convention {', '.join(sorted(known))}: choose it at the left.",
            icon=":material/info:",
        )
        return
    try:
        kinds, parts = _spent(key, log)
    except InputError as error:
        st.info(plain(error), icon=":material/info:")
        return
    total = kinds.sum(axis=1)
    one = log.rows_are.removesuffix("s")
    least, mean, most = (short(value) for value in (total.min(), total.mean(), total.max()))
    st.markdown(
        f"Each {one} costs {mean} MACs ({convention}) on average, {least} at least and {most} at most; with every path "
        f"open it would be {short(max(costs.total for costs in log.all_costs))}.",
        help=collection.explain("MACs"),
    )
    left, right = st.columns([1, 1.8], gap="medium")
    with left:
        st.markdown(f"**MACs of each {one} ({convention}), by kind of part**")
        st.table(by_kind(kinds), border="horizontal")
    with right:
        st.markdown(f"**Where {log.rows_are} spend most**")
        if len(parts):
            table = by_part(parts, total.mean(), log.rows_are)
            st.dataframe(table, hide_index=True, height=components.table_height(len(table)))
        else:
            st.caption("No part was measured beside what runs for each: name them when you measure the costs.")
    st.caption(f"Mean of {count(len(log), log.rows_are)}. Counted: {RECORDED_NOTE[0]}. Left out: {RECORDED_NOTE[1]}.")


def by_kind(kinds: pd.DataFrame) -> pd.DataFrame:
    """MACs by kind of part as a table for people, all of them last."""
    mean = kinds.mean().rename(KINDS)
    mean["together"] = mean.sum()
    return pd.DataFrame({"MACs": mean.map(short), "share": (mean / mean["together"]).map(percent)})


def by_part(parts: pd.DataFrame, total: float, rows: str) -> pd.DataFrame:
    """Parts as a table for people, those in which most is spent first."""
    parts = parts.sort_values("spent", ascending=False, kind="stable")
    return pd.DataFrame(
        {
            "part": parts["part"] + " of " + parts["of"],
            "MACs where it runs": [", ".join(map(short, macs)) for macs in parts["macs"]],
            f"{rows} that run it": parts["runs"].map(percent),
            "spent, mean": parts["spent"].map(short),
            "share": (parts["spent"] / total).map(percent),
        }
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def _spent(key: caches.Key, _log: RouteLog) -> tuple[pd.DataFrame, pd.DataFrame]:
    return _log.macs_by_part(), recorded_parts(_log)
