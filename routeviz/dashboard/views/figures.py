"""Figures: what was collected on the way, and the figures of a paper, to be taken away together."""

from __future__ import annotations

import re
from dataclasses import replace

import streamlit as st

from routeviz.dashboard import asked, caches, exports, state
from routeviz.dashboard.chooser import choose_collection
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.exports import Kept
from routeviz.dashboard.facts import own_labels
from routeviz.dashboard.material import material_of
from routeviz.dashboard.words import plain
from routeviz.errors import RoutevizError
from routeviz.plots import Sheet
from routeviz.plots.catalogue import FIGURES, Figure, Material

FORMATS = tuple(exports.MIME)
COLUMNS = 3
HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def show_collected() -> None:
    """The list, with all that can be done to it."""
    figures = exports.kept()
    st.subheader(f"Collected ({len(figures)})")
    if not figures:
        st.info(
            "Nothing is collected yet. Open **Export** beside a picture, on any view or below, and choose "
            "**Add to figures**. What is collected can be captioned, put in order and exported together here.",
            icon=":material/playlist_add:",
        )
        return
    st.caption(
        "Kept for this browser tab, as the pictures were when they were added; a reload of the page clears them."
    )
    for place, figure in enumerate(figures):
        show_one(figure, place, last=place == len(figures) - 1)
    bar = st.columns([3.2, 1.8, 1.3, 0.9], vertical_alignment="bottom")
    with bar[0]:
        width = exports.choose_width("figures")
    with bar[1]:
        formats = st.pills(
            "Files of each",
            FORMATS,
            selection_mode="multi",
            default=FORMATS,
            format_func=str.upper,
            key="figures_files",
        )
    taken = tuple(figures)
    bar[2].download_button(
        "Export all",
        data=lambda: exports.pack(taken, formats, width),
        file_name="figures.zip",
        mime="application/zip",
        on_click="ignore",
        disabled=not formats,
        key="figures_zip",
        icon=":material/folder_zip:",
        type="primary",
        help="One ZIP file: the figures, numbered in this order, and a README.txt that says where each one is from.",
        width="stretch",
    )
    bar[3].button("Clear", on_click=figures.clear, key="figures_clear", help="Empties the list.", width="stretch")


def show_one(figure: Kept, place: int, *, last: bool) -> None:
    """One collected figure: its picture, its words, its place in the list."""
    with st.container(border=True):
        left, middle, right = st.columns([1.1, 1.6, 0.3], gap="medium")
        left.image(caches.preview(("kept", figure.key), lambda: figure.sheet), width="stretch")
        with middle:
            for field, draw in (("name", st.text_input), ("caption", st.text_area)):
                key = f"figures_{field}_{figure.key}"
                draw(
                    field.capitalize(),
                    getattr(figure, field),
                    key=key,
                    on_change=rewrite,
                    args=(figure.key, field, key),
                )
            source = HASH.sub(r"\1…", figure.origin)
            words = [f"Routes from {source}", f"Made by: {figure.made_by}"]
            st.caption("  \n".join(map(plain, words if source else words[1:])))
        with right:
            for icon, by, words, off in (
                ("arrow_upward", -1, "Move up", place == 0),
                ("arrow_downward", 1, "Move down", last),
                ("delete", 0, "Remove", False),
            ):
                key = f"figures_{icon}_{figure.key}"
                icon = f":material/{icon}:"
                st.button("", icon=icon, help=words, disabled=off, key=key, on_click=move, args=(figure.key, by))


def rewrite(key: str, field: str, widget: str) -> None:
    """Take over the name or the caption that was typed."""
    figures = exports.kept()
    place = next(i for i, figure in enumerate(figures) if figure.key == key)
    figures[place] = replace(figures[place], **{field: st.session_state[widget]})


def move(key: str, by: int) -> None:
    """Move a figure up (-1) or down (1) the list, or out of it (0)."""
    figures = exports.kept()
    place = next(i for i, figure in enumerate(figures) if figure.key == key)
    figure = figures.pop(place)
    if by:
        figures.insert(place + by, figure)


def show_catalogue(collection: Collection, convention: str) -> None:
    """The figures of the catalogue, each drawn when it is asked for."""
    bar = st.columns([3.4, 1.6, 1.2], vertical_alignment="bottom")
    bar[0].subheader("Figures of this log", help=collection.explain("route log"))
    if collection.log is None:
        st.info(
            "These figures are drawn from a route log, and a checkpoint is chosen. Choose a route log at the left, or "
            "record one: `routeviz trace CHECKPOINT --dataset NAME --out LOG`.",
            icon=":material/info:",
        )
        return
    drawn = st.session_state.setdefault(state.DRAWN, set())
    names = {(collection.log.digest, name) for name in FIGURES}
    by = ""
    if labels := own_labels(collection):
        with bar[1]:
            by = asked.choose("Groups by", labels, lambda: labels[0], key=state.GROUPS)
        asked.say(state.GROUPS, "column")
    bar[2].button(
        "Draw all",
        key="figures_draw_all",
        icon=":material/brush:",
        on_click=drawn.update,
        args=(names,),
        width="stretch",
    )
    material = material_of(collection, convention, state.value(state.IMAGE) or "", by)
    figures = list(FIGURES.values())
    for start in range(0, len(figures), COLUMNS):
        for place, figure in zip(st.columns(COLUMNS), figures[start : start + COLUMNS], strict=False):
            with place.container(border=True, height="stretch"):
                show_card(figure, collection, material, drawn)


def show_card(figure: Figure, collection: Collection, material: Material, drawn: set[tuple[str, str]]) -> None:
    """One figure of the catalogue: what it shows, its picture once asked for, and the ways to take it away."""
    number = list(FIGURES).index(figure.name) + 1
    title, caption = figure.words(collection.log)
    st.markdown(f"**{number}. {title}**", help=caption)
    this = (collection.log.digest, figure.name)
    bar = st.columns(2)
    if this not in drawn:
        bar[0].button(
            "Draw",
            key=f"figures_draw_{figure.name}",
            icon=":material/brush:",
            on_click=drawn.add,
            args=(this,),
            width="stretch",
        )
        return

    def make() -> Sheet:
        return figure.describe(material)

    try:
        picture = caches.preview((*this, *material_key(collection, material)), make)
    except RoutevizError as error:
        st.caption(f":material/block: {plain(str(error)[0].upper() + str(error)[1:])}.")
        return
    with bar[0]:
        exports.offer(make, key=f"figures_{figure.name}", name=title, caption=caption, made_by=figure.call)
    st.image(picture, width="stretch")


def material_key(collection: Collection, material: Material) -> caches.Key:
    """All that a figure of the catalogue depends on, beside the log."""
    runs = tuple((name, len(lines)) for name, lines in material.runs.items())
    return (material.image, material.convention, material.by, collection.dataset_key, collection.network_settings, runs)


collection_shown, macs_convention = choose_collection()
show_collected()
if collection_shown is not None:
    show_catalogue(collection_shown, macs_convention)
