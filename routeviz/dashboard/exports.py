"""Taking a picture away: as a file at paper size, as its data, or into the list that the view Figures shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

import streamlit as st

from routeviz.dashboard import caches, state
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.words import plain
from routeviz.errors import RoutevizError
from routeviz.plots import WIDTHS, Sheet, render_figure
from routeviz.routelog import RouteLog

MOST = 40
"""Pictures that one browser tab collects."""

OTHER = "other"
MIME = {"pdf": "application/pdf", "svg": "image/svg+xml", "png": "image/png", "csv": "text/csv"}

_HELP = {
    "pdf": "Vector graphics with the fonts inside: for LaTeX and print.",
    "svg": "Vector graphics with text as outlines, the same on every machine: for slides, the web, Inkscape.",
    "png": "Pixels, 300 an inch.",
    "csv": "The numbers that the picture shows, as a table.",
}


@dataclass(frozen=True)
class Kept:
    """A collected picture: its name, what it shows, a caption, where its routes come from, and how to make it again.

    ``made_by`` is the link that shows it, or the call.
    """

    name: str
    sheet: Sheet
    caption: str = ""
    origin: str = ""
    made_by: str = ""


@st.fragment
def offer(make: Callable[[], Sheet], *, key: str, name: str) -> None:
    """Draw a button that opens the ways to take a picture away.

    Parameters
    ----------
    make : function without arguments
        Gives the picture's description, such as ``rv.plot_usage.describe(log)``. It is called when a button asks for
        it, on another thread: it holds what it needs, and reads nothing from ``st.session_state``.
    key : str
        Of the widgets; one for each picture on a page.
    name : str
        What the picture shows; files are named after it.
    """
    with st.popover("Export", icon=":material/download:"):
        width = choose_width(f"export_{key}")
        for place, suffix in zip(st.columns(len(MIME)), MIME, strict=True):
            place.download_button(
                suffix.upper(),
                data=lambda suffix=suffix: file_of(make(), suffix, width),
                file_name=f"{file_name(name)}.{suffix}",
                mime=MIME[suffix],
                on_click="ignore",
                key=f"export_{key}_{suffix}",
                help=_HELP[suffix],
                width="stretch",
            )
        added = st.button(
            "Add to figures",
            icon=":material/playlist_add:",
            key=f"export_{key}_add",
            help="Keeps the picture as it is now, to be exported with others on the page Figures.",
            width="stretch",
        )
        if added:
            try:
                st.success(keep(Kept(name, make(), origin=origin(), made_by=here())))
            except RoutevizError as error:
                st.error(plain(error))


def choose_width(key: str) -> str | float:
    """Offer the widths of a paper, and any other."""
    words = {"column": f"column, {WIDTHS['column']} in", "text": f"text, {WIDTHS['text']} in", OTHER: "other"}
    chosen = st.segmented_control(
        "Width on paper", list(words), default="column", format_func=words.get, key=f"{key}_width", required=True
    )
    if chosen != OTHER:
        return chosen
    return st.number_input("Inches", 1.0, 40.0, 5.0, 0.25, key=f"{key}_inches")


def file_of(sheet: Sheet, suffix: str, width: str | float | None = None) -> bytes:
    """A picture as a file of some kind: a key of ``MIME``."""
    if suffix == "csv":
        return sheet.table().to_csv(index=False).encode()
    return render_figure(sheet, formats=(suffix,), width=width)[suffix]


def file_name(name: str) -> str:
    """A name that every file system takes: letters of any script, digits, dot, dash and underscore."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-._")[:80] or "figure"


def kept() -> list[Kept]:
    """What this browser tab has collected, in order."""
    return st.session_state.setdefault(state.FIGURES, [])


def keep(figure: Kept) -> str:
    """Add a picture to those collected, under a name that none of them has; the words that say so."""
    figures = kept()
    if len(figures) >= MOST:
        return f"{MOST} figures are collected already: remove some on the page Figures."
    names, name, number = {one.name for one in figures}, figure.name, 1
    while name in names:
        number += 1
        name = f"{figure.name} ({number})"
    figures.append(replace(figure, name=name))
    count = "1 figure is" if len(figures) == 1 else f"{len(figures)} figures are"
    return f"Added. {count} collected on the page Figures."


def here() -> str:
    """The link to what is on the screen now, below the dashboard's address."""
    asked = urlencode(st.query_params.to_dict(), quote_via=quote)
    return f"/{st.session_state.get(state.VIEW, '')}" + f"?{asked}" * bool(asked)


def origin() -> str:
    """Where the routes on the screen come from: the log or checkpoint that was chosen, with its hash."""
    shelf = caches.items(json.dumps(Settings.from_environment().to_environment()))
    chosen = next((item for item in shelf if f"{item.name} ({item.kind})" == state.value(state.SOURCE)), None)
    if chosen is None:
        return ""
    if chosen.kind == "checkpoint":
        return f"checkpoint {chosen.name}, SHA-256 {caches.sha256(chosen)}"
    return f"route log {chosen.name}, {of_log(caches.log(chosen))}"


def of_log(log: RouteLog) -> str:
    """Digest of a log, and the checkpoint that it names."""
    made_by = log.source.get("checkpoint") or {}
    words = f"digest {log.digest}"
    return f"{words}; checkpoint {made_by['file']}, SHA-256 {made_by['sha256']}" if made_by.get("sha256") else words
