"""Taking a picture away: as a file at paper size, as its data, or into the list that the view Figures shows."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4
from zipfile import ZIP_DEFLATED, ZipFile

import streamlit as st

from routeviz import __version__
from routeviz.dashboard import caches, owner, state
from routeviz.dashboard.links import address
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.words import plain
from routeviz.errors import RoutevizError
from routeviz.plots import WIDTHS, Sheet, render_figure
from routeviz.routelog import RouteLog

MOST = 40
"""Pictures that one browser tab collects."""

LIST = "figures"
"""The view that shows them."""

OWN, OTHER = "own", "other"
MIME = {"pdf": "application/pdf", "svg": "image/svg+xml", "png": "image/png", "csv": "text/csv"}

_HELP = {
    "pdf": "Vector graphics with the fonts inside: for LaTeX and print.",
    "svg": "Vector graphics with text as outlines, the same on every machine: for slides, the web, Inkscape.",
    "png": "Pixels, 300 an inch.",
    "csv": "The numbers that the picture shows, as a table.",
}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A collected picture: its name, what it shows, a caption, where its routes come from, and how to make it again.

    ``made_by`` is the link that shows it, or the call; `key` tells it from all others.
    """

    name: str
    sheet: Sheet
    caption: str = ""
    origin: str = ""
    made_by: str = ""
    key: str = field(default_factory=lambda: uuid4().hex)


@st.fragment
def offer(
    make: Callable[[], Sheet], *, key: str, name: str, caption: str = "", made_by: str = "", lazy: bool = False
) -> None:
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
    caption, made_by : str
        Noted with a collected picture; by default it is made by the link to what is on the screen.
    lazy : bool
        Draw what the button opens only once it is opened: for a view of many pictures that are often drawn anew.
    """
    opened = {"key": f"export_{key}_open", "on_change": "rerun"} if lazy else {}
    with st.popover("Export", icon=":material/download:", **opened) as popover:
        if lazy and not popover.open:
            return
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
                sheet = make()
            except RoutevizError as error:
                st.error(plain(error))
                return
            made_by = made_by or f"dashboard, {here()}"
            st.toast(keep(Kept(name=name, sheet=sheet, caption=caption, origin=origin(), made_by=made_by)))
            if st.session_state.get(state.VIEW) == LIST:
                st.rerun()


def choose_width(key: str) -> str | float | None:
    """Offer the widths of a paper, and any other; None is the width that each picture was made for."""
    words = {OWN: "its own", **{name: f"{name}, {inches} in" for name, inches in WIDTHS.items()}, OTHER: "other"}
    chosen = st.segmented_control(
        "Width on paper",
        list(words),
        default=OWN,
        format_func=words.get,
        required=True,
        key=f"{key}_width",
        help="Of a page with two columns: one column, or the whole width of the text. Letters keep their size.",
    )
    if chosen != OTHER:
        return None if chosen == OWN else chosen
    return st.number_input("Inches", 1.0, 40.0, 5.0, 0.25, key=f"{key}_inches")


def file_of(sheet: Sheet, suffix: str, width: str | float | None = None, about: str = "") -> bytes:
    """A picture as a file of some kind: a key of ``MIME``."""
    if suffix == "csv":
        return sheet.table().to_csv(index=False).encode()
    return render_figure(sheet, formats=(suffix,), width=width, about=about)[suffix]


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


def pack(figures: Sequence[Kept], formats: Sequence[str], width: str | float | None) -> bytes:
    """All pictures in one ZIP file, numbered in their order, and a ``README.txt`` that says what each one is."""
    file, lines = io.BytesIO(), [f"Figures made by routeviz {__version__}"]
    drawn = tuple(name for name in formats if name != "csv")
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for number, figure in enumerate(figures, start=1):
            name = f"{number:02d}-{file_name(figure.name)}"
            about = f"{figure.made_by}; {figure.origin}"
            files = render_figure(figure.sheet, formats=drawn, width=width, about=about) if drawn else {}
            if "csv" in formats:
                files["csv"] = file_of(figure.sheet, "csv")
            for suffix, data in files.items():
                archive.writestr(f"{name}.{suffix}", data)
            facts = {"files": ", ".join(f"{name}.{suffix}" for suffix in files), "caption": figure.caption}
            facts |= {"routes from": figure.origin, "made by": figure.made_by}
            lines += ["", f"{number}. {figure.name}"]
            lines += [f"   {what}: {' '.join(words.split())}" for what, words in facts.items() if words]
        archive.writestr("README.txt", "\n".join(lines) + "\n")
    return file.getvalue()


def here() -> str:
    """The link to what is on the screen now, below the dashboard's address."""
    # The address leaves out the convention where it is the first; a figure's README says it all the same.
    chosen: dict[str, object] = {state.CONVENTION: st.session_state.get(state.CONVENTION)}
    chosen |= {key: st.query_params.get_all(key) for key in st.query_params}
    chosen |= {state.FILTER: state.values(state.FILTER)}
    return address(st.session_state.get(state.VIEW) or "inspect", **chosen)


def origin() -> str:
    """Where the routes on the screen come from: the log or checkpoint that was chosen, with its hash."""
    shelf = owner.items(Settings.from_environment())
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
