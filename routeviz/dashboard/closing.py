"""Importance on the screen: which paths matter for an image or for all, and which cost and do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import asked, components, exports, state
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.words import WORDS, percent, plain
from routeviz.plots import plot_importance

if TYPE_CHECKING:
    from routeviz.counterfactual import Importance

LATTICE = "importance_lattice"
MEASURES = {"changed pixels": "changed", "KL": "kl", "mIoU": "miou", "MACs": "macs"}
ONE, ALL = "this image", "all images"


def show(collection: Collection, row: int, convention: str) -> None:
    """Offer to close each path in turn; then the lattice, the ranking and the flags."""
    asked.check_switch(state.IMPORTANCE, "importance of paths")
    # A finished job leads here with both set; what is as at first stays out of the address.
    for key, set_to in ((state.IMPORTANCE, True), (state.OVER, ALL)):
        if st.session_state.get(key) == set_to:
            asked.keep(key)
    if not st.toggle("Importance of paths", key=state.IMPORTANCE, bind=state.BOUND, help=WORDS["importance"]):
        return
    kept, over = collection.kept_importance(), ONE
    asked.check(state.RANKED, list(MEASURES), "measure of importance")
    asked.check(state.OVER, (ONE, ALL), "images of the importance")
    left, right = st.columns([2, 1])
    with left:
        options = {"default": "changed pixels", "required": True, "key": state.RANKED, "bind": state.BOUND}
        words = st.segmented_control("Width and colour", list(MEASURES), **options)
    if kept is not None:
        with right:
            first = None if state.OVER in st.session_state else ONE
            options = {"default": first, "required": True, "key": state.OVER, "bind": state.BOUND}
            over = st.segmented_control("Over", (ONE, ALL), **options)
    found = kept if over == ALL else collection.importance(row)
    if found is None:
        st.info(plain(collection.missing), icon=":material/image_not_supported:")
        return
    if kept is None:
        st.caption(
            "Of a whole dataset: Checkpoints, *Run a checkpoint* closes each path in turn as a job, as "
            "`routeviz importance CHECKPOINT --dataset NAME --out FOLDER` does; then choose its result as the log."
        )
    show_found(found, MEASURES[words], words, convention)


def show_found(found: Importance, by: str, words: str, convention: str) -> None:
    """The lattice coloured by a measure, and the paths ranked by it with their flags."""
    from routeviz.counterfactual import Limits, flag_paths, ranked

    limits, one = Limits(), len(found) == 1
    table = flag_paths(found.table(), limits, convention=convention)
    effect = np.abs(table[f"macs_{convention}" if by == "macs" else by].to_numpy(float))
    if not np.isfinite(effect).any():
        st.info("No pixel is labelled, so there is no mIoU.")
        return
    effect = np.nan_to_num(effect)
    most = float(effect.max())
    over = "" if one else f", over {len(found):,} images"
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**What closing each path alone changes{over}**", width="content")
        with st.container(width="content"):
            exports.offer(
                lambda: plot_importance.describe(found.space, table, by=by, convention=convention),
                key="importance",
                name="Importance of paths",
            )
    components.lattice(
        found.space,
        found.gates[0] if one else np.nan_to_num(found.gates).mean(axis=0),
        key=LATTICE,
        title="Importance of paths",
        weights=("no effect to most", effect / most if most > 0 else effect),
        path_notes={
            "closed, changes": [f"{percent(value)} of the pixels" for value in table["changed"]],
            "mIoU": [f"{100 * value:+.2f} points" if value == value else "not known" for value in table["miou"]],
            f"MACs ({convention})": [f"{value:+,.0f}" for value in table[f"macs_{convention}"]],
        },
    )
    size = {"changed": percent(most), "kl": f"{most:.3g} nats", "miou": f"{100 * most:.1f} points"}
    largest = size.get(by, f"{most:,.0f} ({convention})")
    st.caption(f"Width and colour: {words}, how much changes when a path alone is closed; at most {largest}{over}.")
    show_ranking(ranked(table, by, convention=convention), convention)
    defined = limits.words(convention, labelled=bool(table["miou"].notna().any()))
    about = " ".join(f"{word}: {text}." for word, text in defined.items())
    st.caption(f"{int(table['flagged'].sum())} paths are flagged, costly, often open and useless. {about}")


def show_ranking(best: pd.DataFrame, convention: str) -> None:
    """The ranked paths, with numbers where they are open."""
    cost = f"MACs ({convention})"
    shown = pd.DataFrame(
        {
            "path": best["path"],
            "open in": 100 * best["open"],
            "changed pixels": 100 * best["changed_open"],
            "KL, nats": best["kl_open"],
            "mIoU, points": 100 * best["miou"],
            cost: -100 * best[f"saved_{convention}"],
            "flagged": best["flagged"],
        }
    )
    formats = {"open in": "%.1f%%", "changed pixels": "%.2f%%", "KL, nats": "%.4f", "mIoU, points": "%+.2f"}
    numbers = {name: st.column_config.NumberColumn(format=text) for name, text in (formats | {cost: "%+.2f%%"}).items()}
    st.dataframe(shown, hide_index=True, height=components.table_height(len(shown)), column_config=numbers)
