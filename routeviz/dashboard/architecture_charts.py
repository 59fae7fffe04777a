"""Charts of static architectures: their drawings, and how many images are nearest to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from routeviz.dashboard.charts import component
from routeviz.dashboard.components import text_of

_counts = component("counts")
_drawings = st.components.v2.component(
    "routeviz_drawings",
    js=text_of("routeviz.dashboard", "gallery.js"),
    css=text_of("routeviz.dashboard", "panels.css")
    + ".gallery { grid-template-columns: repeat(auto-fill, minmax(216px, 1fr)); } .gallery img { aspect-ratio: 3.7; }",
)


def counts(rows: Sequence[Mapping[str, Any]], *, chosen: str, key: str, on_choose: Callable[[], None]) -> None:
    """Draw a bar for each kind; a click on one sets ``chosen``, its name, while `on_choose` is called.

    Parameters
    ----------
    rows : sequence of dict
        ``name``, ``text``, ``count``, ``value`` (the count in words) and ``hint``.
    chosen : str
        Name of the one that is marked.
    """
    _counts(key=key, data={"rows": list(rows), "chosen": chosen}, on_chosen_change=on_choose)


def drawings(pictures: Sequence[Mapping[str, str]], *, key: str, chosen: str, on_choose: Callable[[], None]) -> None:
    """Show wide pictures as `components.gallery` shows photos; a click sets ``chosen`` in the state of `key`."""
    _drawings(key=key, data={"pictures": list(pictures), "chosen": chosen}, on_chosen_change=on_choose)
