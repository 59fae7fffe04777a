"""How dynamic is it? A log in figures, each with its definition, and the entropy of every gate."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import caches, components, filtering
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.exports import file_name
from routeviz.dashboard.words import percent, plain
from routeviz.quantities import count, of_rows

if TYPE_CHECKING:
    from routeviz.stats import Figure

LATTICE = "dynamics_lattice"


def show(collection: Collection, mask: np.ndarray, convention: str) -> None:
    """The figures of the images that pass the filter."""
    key, log = filtering.passing_log(collection, mask)
    with st.spinner(f"Describing {count(len(log), log.rows_are)}; they are shuffled for what chance would give"):
        figures = caches.figures(key, log)
        usage = caches.path_usage(key, log)
    st.markdown(plain(verdict(figures, convention)))
    components.lattice(
        log.space,
        np.nan_to_num(usage["activation"].to_numpy()),
        key=LATTICE,
        title="Entropy of each gate",
        weights=("entropy 0 to 1 bit", usage["entropy"].to_numpy()),
        path_notes={
            "entropy": [f"{value:.3f} bits" for value in usage["entropy"]],
            "open in": [f"{percent(value)} of the {log.rows_are}" for value in usage["open"]],
        },
    )
    st.caption(
        collection.say(
            "Width and colour: entropy over images of whether a path is open. 0: it is open for all images, or shut "
            "for all, so nothing is decided there; 1 bit: half of the images open it."
        )
    )
    shown = [figure for figure in figures if figure.convention in ("", convention)]
    for topic, about in groupby(shown, key=lambda figure: figure.topic):
        st.markdown(f"**{topic}**")
        st.table(written(list(about)), hide_index=True, border="horizontal")
    table = pd.DataFrame([vars(figure) for figure in figures])
    st.download_button(
        "Figures as CSV",
        table.to_csv(index=False),
        file_name(f"figures of {len(log)} {log.rows_are}") + ".csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="dynamics_csv",
    )


def verdict(figures: list[Figure], convention: str) -> str:
    """Say in a sentence how dynamic the routes of a log are, static included."""
    value = {figure.key: figure.value for figure in figures}
    text = {figure.key: figure.text for figure in figures}
    rows = next(figure.unit for figure in figures if figure.key == "images")
    if value["images"] == 1:
        return of_rows("One image alone: nothing can be said of how its route differs from others.", rows)
    if value["distinct_routes"] == 1:
        return f"The network is static on these {text['images']} {rows}: all of them take one route."
    # An architecture decides nothing: it is what was decided.
    decided = "differ between them" if rows == "architectures" else of_rows("are decided by the image", rows)
    said = (
        f"{text['images']} {rows} take {text['distinct_routes']} distinct routes, as diverse as "
        f"{value['effective_routes']:.1f} equally frequent ones. {text['decided_paths']} paths {decided}, "
        f"{text['always_open']} are always open, {text['never_open']} never."
    )
    varying = text.get(f"macs_{convention}_varying")
    return said if varying is None else f"{said} {varying} of the MACs ({convention}) vary between {rows}."


def written(figures: list[Figure]) -> pd.DataFrame:
    """Figures as a table for people, the definition beside each."""
    return pd.DataFrame(
        {
            "figure": [plain(figure.name) for figure in figures],
            "value": [figure.text for figure in figures],
            "unit": [figure.unit.removeprefix("share").strip(", ") for figure in figures],
            "definition": [plain(figure.definition) for figure in figures],
        }
    )
