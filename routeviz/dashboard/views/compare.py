"""Compare: two images, groups of images, checkpoints or architectures, side by side and by their difference."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import (
    asked,
    components,
    detail,
    exports,
    filtering,
    likeness,
    owner,
    pictures,
    sides,
    state,
)
from routeviz.dashboard.chooser import LISTED, choose_collection
from routeviz.dashboard.collection import Collection, of_log
from routeviz.dashboard.components import Figure
from routeviz.dashboard.order import window
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import Item, with_routes
from routeviz.dashboard.sides import Side
from routeviz.dashboard.words import WORDS, explain, percent, plain, short
from routeviz.errors import DatasetError, InputError, RoutevizError
from routeviz.plots import plot_route_differences
from routeviz.quantities import of_rows
from routeviz.space import architectures
from routeviz.space.kinds import is_lattice

IMAGE, GROUP, ALL, STATIC = KINDS = ("an image", "a group", "all images", "an architecture")
AS_IN_SIDEBAR = "as in the sidebar"
LONGEST = 14
MOST_FACTS = 2
METRICS = ("jaccard", "hamming")
LATTICES = {"left": "compare_left", "right": "compare_right", "difference": "compare_difference"}


@st.fragment
def comparison(collection: Collection, convention: str) -> None:
    """Both sides and what sets them apart; only this runs again when one of them changes."""
    places = st.columns(2, gap="large")
    chosen = []
    for side, place in zip(state.SIDES, places, strict=True):
        with place:
            chosen.append(choose_side(side, collection, convention))
    if None in chosen:
        return
    left, right = ((one, side) for one, side in chosen)
    if not sides.comparable(left[1].space, right[1].space):
        st.error(
            f"These lie in different routing spaces, {left[1].space} and {right[1].space}: choose two with the same "
            "cells and paths.",
            icon=":material/error:",
        )
        return
    names = sides.names_apart((left[1].name, right[1].name))
    numbers(left[1], right[1], convention)
    lattices(left[1], right[1], names)
    show_differing(left[1], right[1])
    show_pictures(left, right, names)
    st.divider()
    likeness.show(collection)


def choose_side(side: str, main: Collection, convention: str) -> tuple[Collection, Side] | None:
    """Offer what one side can be; None where it cannot be shown, after saying why."""
    key = partial(state.of_side, side)
    what, where = st.columns(2)
    try:
        with where:
            collection, source = choose_source(side, main)
        with what:
            kind = choose_kind(side, collection)
        if kind == STATIC:
            offered = list(architectures(collection.space))
            name = asked.choose("Architecture", offered, lambda: offered[0], key=key("architecture"))
            asked.say(key("architecture"), "architecture")
            return collection, sides.of_architecture(collection, name, convention)
        if kind == IMAGE:
            return collection, sides.of_image(collection, choose_row(side, collection), convention, source)
        conditions = choose_conditions(side, collection) if kind == GROUP else []
        if collection.log is None:
            if conditions:
                st.caption("A checkpoint without a log is compared by all images.")
            bar = st.progress(0.0, "Running the checkpoint")
            shown = sides.of_checkpoint(collection, collection.checkpoint.name, convention, progress=bar.progress)
            bar.empty()
        else:
            mask, unknown = filtering.passing(collection, conditions)
            if unknown:
                words = f"Says nothing about these {collection.rows_are}: {plain('; '.join(unknown))}"
                st.caption(f":material/info: {words}")
            name = sides.group_name(conditions, collection.rows_are) + source
            shown = sides.of_group(collection, mask, name, convention)
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
        return None
    st.caption(plain(shown.note).capitalize() if shown.note else "")
    return collection, shown


def choose_kind(side: str, collection: Collection) -> str:
    """Offer one row, some or all of them, and where the space holds static architectures, one of these."""
    key, kinds = state.of_side(side, "what"), KINDS if is_lattice(collection.space) else KINDS[:-1]
    # The address names them as they are called on the screen.
    offered = [collection.say(kind) for kind in kinds]
    if st.session_state.get(key, offered[0]) not in offered:
        del st.session_state[key]
    asked.check(key, offered, "kind of side")
    return kinds[offered.index(st.selectbox(f"{side.capitalize()} side", offered, key=key, bind=state.BOUND))]


def choose_source(side: str, main: Collection) -> tuple[Collection, str]:
    """Offer the logs and checkpoints, first what the sidebar names; what tells a name of its images from one there."""
    settings = Settings.from_environment()
    shelf = owner.items(settings)
    key = state.of_side(side, "from")
    offered: dict[str, Item | None] = {AS_IN_SIDEBAR: None, **with_routes(shelf, state.value(key))}
    asked.check(key, list(offered))
    name = st.selectbox(
        "Log or checkpoint",
        list(offered),
        key=key,
        bind=state.BOUND,
        help=WORDS["route log"] + " A checkpoint runs the images that the sidebar names, now." * (not main.recorded),
    )
    asked.say(key, "log or checkpoint")
    item = offered[name]
    if item is None:
        return main, ""
    if item.kind == "log":
        path = item.path if item.path.name != "log" else item.path.parent
        return of_log(item, shelf, settings), f", {path.name}"
    return sides.under(main, item), f", {item.path.stem}"


def choose_row(side: str, collection: Collection) -> int:
    """Offer the images of a collection."""
    ids, key = collection.facts["id"], state.of_side(side, "image")
    if not len(ids):
        raise InputError(collection.say("there are no images here; choose another log"))
    found = np.flatnonzero(ids.to_numpy() == state.value(key))
    current = int(found[0]) if len(found) else first_row(side, collection.facts)
    options = [ids.iat[row] for row in window(np.arange(len(ids)), current, LISTED)]
    id_ = asked.choose(collection.say("Image"), options, lambda: ids.iat[current], key=key, help="Type to search.")
    asked.say(key, collection.say("image"))
    return int(np.flatnonzero(ids.to_numpy() == id_)[0])


def first_row(side: str, facts: pd.DataFrame) -> int:
    """The image that a side shows at first: the same under another network as at the left, else two that differ.

    At the left that is the first image, at the right the one whose MACs are furthest from the first one's.
    """
    left, right = state.SIDES
    there = np.flatnonzero(facts["id"].to_numpy() == state.value(state.of_side(left, "image"))) if side == right else ()
    if len(there) and state.value(state.of_side(left, "from")) != state.value(state.of_side(right, "from")):
        return int(there[0])
    if side == left:
        return 0
    costs = facts.get("macs_conv", facts.index.to_series()).to_numpy()
    furthest = int(np.argmax(np.abs(costs - costs[0])))
    return furthest or min(1, len(facts) - 1)  # where all cost the same, the next


def choose_conditions(side: str, collection: Collection) -> list[str]:
    """Offer conditions that a group's images meet."""
    key = state.of_side(side, "where")
    suggested = filtering.suggestions(collection)
    if is_lattice(collection.space):
        example = "MACs (conv) 69 M to 70 M, mIoU 40% to 60%, L3 s1 up open"
    else:
        example = filtering.example(collection)
    return st.multiselect(
        collection.say("Images that meet all of"),
        [*dict.fromkeys([*state.values(key), *suggested])],
        key=key,
        bind=state.BOUND,
        accept_new_options=True,
        placeholder=collection.say(f"All images. Choose, or type: {example}"),
        help="The same conditions as in the filter of the other views.",
    )


def numbers(left: Side, right: Side, convention: str) -> None:
    """Distance, MACs and mIoU of both sides, or in place of mIoU what a recorded log says of its rows."""
    cost, both = f"MACs ({convention})", [name for name in left.facts if name in right.facts]
    shown = [(cost, explain("MACs", left.space), left.macs, right.macs, "relative")]
    if both and math.isnan(left.miou) and math.isnan(right.miou):
        help_ = f"Of the log's own column; of several {right.rows}, the mean."
        shown += [(name, help_, left.facts[name], right.facts[name], "plain") for name in both[:MOST_FACTS]]
    else:
        shown.append(("mIoU", WORDS["mIoU"], left.miou, right.miou, "points"))
    places = iter(st.columns([1.1, 1.2, *[1.1] * len(shown), 1.3]))
    with next(places):
        asked.check(state.COMPARED_BY, METRICS, "distance")
        metric = st.selectbox("Distance", METRICS, key=state.COMPARED_BY, bind=state.BOUND, help=WORDS["distance"])
    next(places).metric(f"{metric} distance", f"{sides.distance(left, right, metric):.4f}", help=WORDS["distance"])
    for words, help_, one, other, how in shown:
        with next(places).container(gap=None):
            show = percent if how == "points" else short
            st.metric(f"{words}: right", show(other), gap_words(one, other, how), delta_color="off", help=help_)
            st.caption(f"left {show(one)}")
    one, other = left.is_open, right.is_open
    with next(places).container(gap=None):
        st.metric(
            "paths: left only, right only, both",
            f"{(one & ~other).sum()} · {(other & ~one).sum()} · {(one & other).sum()}",
            help=of_rows("A group opens a path where at least half of its images do.", left.rows),
        )
        st.caption(f"of {left.space.n_paths}")
    if missing := unknown_words(left, right, convention, [words for words, *_ in shown]):
        st.caption(f":material/info: {plain(missing)}")


def gap_words(left: float, right: float, how: str) -> str | None:
    """By how much the right side is apart from the left one: in percent, in points, or in its own unit."""
    gap = right - left
    if math.isnan(gap) or gap == 0:
        return None
    if how == "points":
        return f"{100 * gap:+.1f} points"
    return f"{100 * gap / left:+.2f}%" if how == "relative" and left else f"{gap:+.3g}"


def unknown_words(left: Side, right: Side, convention: str, shown: list[str]) -> str:
    """Why a number is not known of a side; empty where all are."""
    said = []
    for where, side in zip(state.SIDES, (left, right), strict=True):
        fixed = not side.n_images
        if math.isnan(side.macs) and not fixed:  # of an architecture its note says why
            said.append(f"no MACs {where}: its log does not hold them in the convention {convention}")
        if math.isnan(side.miou) and "mIoU" in shown:
            why = "a static architecture was not evaluated" if fixed else f"these {side.rows} have no labels of pixels"
            said.append(f"no mIoU {where}: {why}")
        lacking = [name for name in shown if math.isnan(side.facts.get(name, 0.0))]
        said += [
            f"no {name} {where}: the log has none of {'this' if side.row is not None else 'these'}" for name in lacking
        ]
    return "; ".join(said)


def lattices(left: Side, right: Side, names: tuple[str, str]) -> None:
    """Both routes, and their difference."""
    selected = state.value(state.SELECTED) or ""
    both = st.container(key="compare_sides")
    for side, where, name in zip((left, right), state.SIDES, names, strict=True):
        place = both.container()
        place.markdown(f"**{where.capitalize()}: {plain(name)}**")
        notes = {
            "mean activation": [f"{value:.4g}" for value in side.mean.activations],
            "open in": [f"{percent(share)} of its {side.rows}" for share in side.mean.opens],
        }
        with place:
            components.lattice(
                left.space,
                side.route.activations,
                key=LATTICES[where],
                selected=selected,
                on_select=partial(take_selection, where),
                title=f"{where}: {name}",
                path_notes=notes if side.n_images > 1 else None,
                static=not side.n_images,
                bare=True,
            )
    st.markdown("**Difference**", help="Red and dashed: only left. Red and dotted: only right. Grey: both.")
    components.difference(
        left.space,
        left.mean.activations,
        right.mean.activations,
        opens=(left.mean.opens, right.mean.opens),
        rows=left.rows,
        names=names if max(map(len, names)) <= LONGEST else state.SIDES,
        key=LATTICES["difference"],
        selected=selected,
        on_select=partial(take_selection, "difference"),
        title=f"Difference of {names[0]} and {names[1]}",
    )
    about_selected(left, right, names)
    routes = {name: side.route for name, side in zip(names, (left, right), strict=True)}
    if left.space != right.space:
        routes = {name: type(route)(left.space, route.activations, name=name) for name, route in routes.items()}
    exports.offer(lambda: plot_route_differences.describe(routes), key="compare", name=f"{names[0]} and {names[1]}")


def take_selection(where: str) -> None:
    """Bring what was clicked in a lattice to the list of cells and paths."""
    st.session_state[state.SELECTED] = state.part(LATTICES[where], "selected") or None


def about_selected(left: Side, right: Side, names: tuple[str, str]) -> None:
    """What both sides do at the chosen cell or path."""
    name = detail.choose(left.space)
    if name is None:
        return
    space = left.space
    for side, called in ((left, names[0]), (right, names[1])):
        words = "; ".join(
            f"{space.ways[path]} {side.mean.activations[path]:.4f}, {opened(side, path)}"
            for path in space.paths_named(name)
        )
        st.caption(f"**{plain(called)}** at {name}: {words}")


def opened(side: Side, path: int) -> str:
    """Whether a side opens a path, in words."""
    if side.n_images > 1:
        return f"open in {percent(side.mean.opens[path])} of its {side.rows}"
    return "open" if side.is_open[path] else "shut"


def show_differing(left: Side, right: Side) -> None:
    """The ten paths whose activations are furthest apart."""
    table = sides.differing(left, right)
    st.markdown(f"**The {sides.MOST_DIFFERING} paths that differ most**", help=WORDS["activation"])
    if not len(table):
        st.caption("All activations are equal.")
        return
    number = partial(st.column_config.NumberColumn, format="%.4f")
    config = {
        "left": number("activation, left"),
        "right": number("activation, right"),
        "difference": number("right − left", format="%+.4f"),
    }
    for where, side in zip(state.SIDES, (left, right), strict=True):
        column = f"open_{where}"
        if side.n_images > 1:
            table[column] *= 100
            config[column] = number(f"{side.rows} open, {where}", format="%.0f%%")
        else:
            table[column] = np.where(table[column] >= sides.HALF, "open", "shut")
            config[column] = f"path, {where}"
    st.dataframe(table, hide_index=True, column_config=config, height="content")


def show_pictures(left: tuple[Collection, Side], right: tuple[Collection, Side], names: tuple[str, str]) -> None:
    """Image and segmentation of the sides that are images."""
    shown, lacking = [], {}
    for (collection, side), name in zip((left, right), names, strict=True):
        if side.row is None:
            continue
        try:
            sample, result = collection.sample(side.row), collection.run(side.row)
        except DatasetError as error:
            st.caption(plain(error))
            continue
        except RoutevizError as error:
            sample, result = collection.sample(side.row), None
            st.caption(plain(error))
        if sample is None:
            lacking[collection.no_pictures] = None  # once where both sides lack it
            continue
        shape = f"{sample.image.shape[1]} / {sample.image.shape[0]}"
        table = pictures.palette(len(collection.class_names) or 256, collection.class_colors)
        shown.append(Figure(f"{name}: image", pictures.photo(sample.image), shape=shape))
        if collection.recorded:
            continue  # it answers with a class, or with something else
        segmented = "" if result is None else pictures.chart(pictures.coloured(result.prediction, table))
        shown.append(Figure(f"{name}: segmentation", segmented, note=collection.no_network, shape=shape, sharp=True))
    for words in lacking:
        st.caption(plain(words))
    if shown:
        components.figures(shown, key="compare_pictures", columns=4)


collection_shown, macs_convention = choose_collection()
if collection_shown is not None:
    comparison(collection_shown, macs_convention)
