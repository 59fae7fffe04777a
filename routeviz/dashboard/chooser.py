"""Choosing what to look at: a log or checkpoint, then an image; the same on every view."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import streamlit as st

from routeviz.dashboard import asked, caches, components, owner, state
from routeviz.dashboard.collection import Collection, dataset_names, of_checkpoint, of_log
from routeviz.dashboard.filtering import filter_controls, filter_line, filtered
from routeviz.dashboard.order import DOWN, UP, listed, sort_choices, step, window
from routeviz.dashboard.runs import trained_on
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import OWN_SUFFIX, Item, with_routes
from routeviz.dashboard.words import WORDS, plain, short
from routeviz.errors import DatasetError, LogError, RoutevizError
from routeviz.quantities import count
from routeviz.space import extent

CONVENTIONS = ("conv", "fvcore", "released")
SPLITS = ("val", "train", "test")
GATES = ("full gate", "small gate")
LISTED = 1000
THUMBNAILS = 96
MOST_OPENED = 3
"""Logs that are opened to find one whose pictures are at hand."""


def choose_collection() -> tuple[Collection | None, str]:
    """Offer all logs and checkpoints in the sidebar; None where there is nothing, after saying what to do."""
    settings = Settings.from_environment()
    shelf = owner.items(settings)
    offered = with_routes(shelf, state.value(state.SOURCE))
    if not offered:
        nothing_found(settings)
        return None, CONVENTIONS[0]
    with st.sidebar:
        name = asked.choose(
            "Route log or checkpoint",
            list(offered),
            lambda: list(offered)[first_choice(list(offered.values()), settings)],
            key=state.SOURCE,
            help=f"Route log: {WORDS['route log']} Checkpoint: {WORDS['checkpoint']}",
        )
    asked.say(state.SOURCE, "log or checkpoint")
    try:
        with st.sidebar:
            collection = _open(offered[name], shelf, settings)
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
        return None, CONVENTIONS[0]
    with st.sidebar:
        convention = choose_convention()
        about(collection)
    asked.say(state.DATASET, "dataset")
    return collection, convention


def choose_convention() -> str:
    """Offer how MACs are counted."""
    asked.check(state.CONVENTION, CONVENTIONS, "convention for MACs")
    return st.selectbox("Convention for MACs", CONVENTIONS, key=state.CONVENTION, bind=state.BOUND, help=WORDS["MACs"])


def first_choice(offered: Sequence[Item], settings: Settings) -> int:
    """Position of what is shown before anything is chosen: the first log whose pictures are at hand, else the first."""
    shown = dataset_names(settings)
    logs = [place for place, item in enumerate(offered) if item.kind == "log"]
    for place in logs[:MOST_OPENED]:
        with suppress(LogError):
            if (caches.log(offered[place]).source.get("dataset") or {}).get("name") in shown:
                return place
    return 0


def current_run(settings: Settings, shelf: Sequence[Item]) -> Item | None:
    """The training run that was chosen, or else is to be shown first; None where there is none.

    That one holds the checkpoint that is looked at elsewhere, itself or by its log; else its dataset is at hand.
    """
    found = [item for item in shelf if item.kind == "run"]
    if chosen := [run for run in found if run.name == state.value(state.RUN)]:
        return chosen[0]
    looked_at = _checkpoint_looked_at(settings, shelf)
    if looked_at is not None and (holding := [run for run in found if looked_at.path.is_relative_to(run.path)]):
        return holding[-1]
    at_hand = dataset_names(settings)
    return next((run for run in found if trained_on(run.path) in at_hand), found[0] if found else None)


def choose_run(settings: Settings, shelf: Sequence[Item]) -> Item | None:
    """Choose a training run in the sidebar; None, with what to do, where there is none."""
    found = {item.name: item for item in shelf if item.kind == "run"}
    if not found:
        st.info("There is no training run in the folders given. Start one under Train.", icon=":material/show_chart:")
        return None
    with st.sidebar:
        name = asked.choose(
            "Training run",
            list(found),
            lambda: current_run(settings, shelf).name,
            key=state.RUN,
            help=WORDS["training run"],
        )
    asked.say(state.RUN, "training run")
    return found[name]


def _checkpoint_looked_at(settings: Settings, shelf: Sequence[Item]) -> Item | None:
    offered = with_routes(shelf)
    if not offered:
        return None
    items = list(offered.values())
    item = offered.get(state.value(state.SOURCE)) or items[first_choice(items, settings)]
    if item.kind == "checkpoint":
        return item
    try:
        made_by = caches.log(item).source.get("checkpoint") or {}
    except LogError:
        return None
    named_so = [other for other in items if other.kind == "checkpoint" and other.path.name == made_by.get("file")]
    return caches.checkpoint_like(made_by.get("sha256"), made_by.get("file"), named_so)


def _open(item: Item, shelf: list[Item], settings: Settings) -> Collection:
    if item.kind == "log":
        return of_log(item, shelf, settings)
    names = dataset_names(settings)
    name = asked.choose("Dataset", names, lambda: names[0], key=state.DATASET)
    asked.check(state.SPLIT, SPLITS, "split")
    split = st.selectbox("Split", SPLITS, key=state.SPLIT, bind=state.BOUND)
    small_gate = None
    if item.path.suffix != OWN_SUFFIX:
        asked.check(state.GATE, GATES, "kind of gates")
        gate = st.selectbox("Gates", GATES, key=state.GATE, bind=state.BOUND, help=WORDS["small gate"])
        small_gate = gate == GATES[1]
    return of_checkpoint(item, name, split, settings, small_gate=small_gate)


def nothing_found(settings: Settings) -> None:
    """Say where was searched, and what makes something appear."""
    st.header("Nothing to look at yet")
    places = ", ".join(plain(folder) for folder in settings.folders) or "no folder"
    st.markdown(
        f"There is no route log and no checkpoint in {places}. Record one, then start the dashboard with its folder:"
    )
    st.code(
        "routeviz trace CHECKPOINT --dataset camvid --root CamVid --out logs/camvid\n"
        "routeviz dashboard logs --root camvid=CamVid",
        language="bash",
    )


def about(collection: Collection) -> None:
    """Where the routes come from."""
    log, space = collection.log, collection.space
    lines = [count(len(collection.facts), collection.rows_are), extent(space)]
    if log is None:
        lines.append(f"checkpoint {plain(collection.checkpoint.path.name)}")
    else:
        made_by, data = log.source.get("checkpoint") or {}, log.source.get("dataset") or {}
        if collection.recorded:
            lines.append(f"recorded from a {plain(collection.recorded)}")
        if made_by.get("file"):
            step_of = f", step {made_by['step']:,}" if made_by.get("step") is not None else ""
            lines.append(f"checkpoint {plain(made_by['file'])}{step_of}")
        if data.get("name"):
            lines.append(f"dataset {plain(data['name'])}, {plain(data.get('split') or '')}")
        if log.skipped:
            lines.append(f"{len(log.skipped)} images could not be read, first {plain(log.skipped[0].file)}")
    st.caption("  \n".join(lines))


def choose_image(collection: Collection, convention: str) -> int | None:
    """Offer the images in a chosen order, with a step back and forth; the row of `collection.facts` that was chosen."""
    facts = collection.facts
    asked.check_switch(state.GALLERY, "gallery")
    bar = st.columns([0.7, 3.6, 0.7, 2, 1.2, 1.3], vertical_alignment="bottom")
    choices = sort_choices(facts, convention)
    with bar[3]:
        asked.check(state.SORT, list(choices))
        sort = st.selectbox(
            "Sort by", list(choices), key=state.SORT, bind=state.BOUND, help=f"{UP} least first, {DOWN} largest first"
        )
    with bar[5]:
        filter_controls(collection, convention, width="stretch")
    mask = filtered(collection)
    if state.values(state.FILTER):
        filter_line(collection, mask)
    rows = listed(facts, mask, sort=choices[sort][0], descending=choices[sort][1])
    if not len(rows):
        words = collection.say("No image passes the filter: widen it, or search for another id.")
        st.info(words, icon=":material/filter_list_off:")
        return None
    ids = facts["id"]
    current = _row_of(ids, state.value(state.IMAGE))
    options = [ids.iat[row] for row in window(rows, current, LISTED)]
    with bar[1]:
        id_ = asked.choose(
            collection.say(f"Image ({len(rows):,} of {len(facts):,} listed)"),
            options,
            lambda: options[0],
            key=state.IMAGE,
            help=collection.say(
                "Type to search. The arrow keys of the keyboard lead to the previous and the next image."
            ),
        )
    asked.say(state.IMAGE, collection.say("image"))
    asked.say(state.SORT, "order")
    row = _row_of(ids, id_)
    for place, icon, by, key, word in (
        (bar[0], "chevron_left", -1, "Left", "Previous"),
        (bar[2], "chevron_right", 1, "Right", "Next"),
    ):
        place.button(
            "",
            icon=f":material/{icon}:",
            help=collection.say(f"{word} image"),
            shortcut=key,
            on_click=_go,
            args=(ids.iat[step(rows, row, by)],),
            key=f"step_{word}",
            width="stretch",
        )
    with bar[4]:
        show_gallery = st.toggle("Gallery", key=state.GALLERY, bind=state.BOUND)
    if show_gallery:
        thumbnails(collection, rows, row, convention)
    return row


def thumbnails(collection: Collection, rows: np.ndarray, current: int, convention: str) -> None:
    """The listed images, 96 a page, as pictures that can be clicked."""
    if collection.dataset is None:
        st.info(plain(collection.no_pictures), icon=":material/image_not_supported:")
        return
    pages = -(-len(rows) // THUMBNAILS)
    page = 1
    if pages > 1:
        asked.check(state.GALLERY_PAGE, range(1, pages + 1), "page of the gallery")
        st.session_state[state.GALLERY_PAGE] = min(int(state.value(state.GALLERY_PAGE) or 1), pages)
        page = st.number_input(f"Page (1 to {pages})", 1, pages, key=state.GALLERY_PAGE, bind=state.BOUND, width=160)
    shown = rows[(page - 1) * THUMBNAILS : page * THUMBNAILS]
    column = f"macs_{convention}"
    cards = []
    for row in shown:
        note = f"{short(collection.facts[column].iat[row])} MACs ({convention})" if column in collection.facts else ""
        cards.append({"id": collection.facts["id"].iat[row], "src": thumbnail_of(collection, row), "note": note})
    with st.container(height=250):
        components.gallery(
            cards, key="gallery_cards", chosen=collection.facts["id"].iat[current], on_choose=_take_chosen
        )


def thumbnail_of(collection: Collection, row: int) -> str:
    """A small picture as a data URI; empty where it is not at hand or cannot be read."""
    index = collection.index(row)
    try:
        return "" if index is None else caches.thumbnail(collection.dataset_key, index, collection.dataset)
    except DatasetError:
        return ""


def _take_chosen() -> None:
    _go(state.part("gallery_cards", "chosen"))


def _go(id_: str) -> None:
    st.session_state[state.IMAGE] = id_


def _row_of(ids: object, id_: str | None) -> int | None:
    found = np.flatnonzero(ids.to_numpy() == id_) if id_ else ()
    return int(found[0]) if len(found) else None
