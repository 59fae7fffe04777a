"""Compare: two images, groups of images, checkpoints or architectures, side by side and by their difference."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import asked, caches, components, detail, exports, owner, pictures, sides, state
from routeviz.dashboard.chooser import LISTED, choose_collection
from routeviz.dashboard.collection import Collection, of_log
from routeviz.dashboard.components import Figure
from routeviz.dashboard.filters import Evidence
from routeviz.dashboard.order import window
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import Item, with_routes
from routeviz.dashboard.sides import Side
from routeviz.dashboard.words import WORDS, percent, plain, short
from routeviz.errors import DatasetError, InputError, RoutevizError
from routeviz.plots import plot_route_differences
from routeviz.space import architectures

IMAGE, GROUP, ALL, STATIC = KINDS = ("an image", "a group", "all images", "an architecture")
SAME = "as in the sidebar"
LONGEST = 14
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
            "layers and scales.",
            icon=":material/error:",
        )
        return
    names = sides.names_apart((left[1].name, right[1].name))
    numbers(left[1], right[1], convention)
    lattices(left[1], right[1], names)
    show_differing(left[1], right[1])
    show_pictures(left, right, names)


def choose_side(side: str, main: Collection, convention: str) -> tuple[Collection, Side] | None:
    """Offer what one side can be; None where it cannot be shown, after saying why."""
    default = KINDS.index(IMAGE)
    key = partial(state.of_side, side)
    what, where = st.columns(2)
    with what:
        asked.check(key("what"), KINDS, "kind of side")
        kind = st.selectbox(f"{side.capitalize()} side", KINDS, default, key=key("what"), bind=state.BOUND)
    try:
        with where:
            collection, source = choose_source(side, main)
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
            mask, unknown = passing(collection, conditions)
            if unknown:
                st.caption(f":material/info: Says nothing about these images: {plain('; '.join(unknown))}")
            shown = sides.of_group(collection, mask, sides.group_name(conditions) + source, convention)
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
        return None
    st.caption(plain(shown.note).capitalize() if shown.note else "")
    return collection, shown


def choose_source(side: str, main: Collection) -> tuple[Collection, str]:
    """Offer the logs and checkpoints, first what the sidebar names; what tells a name of its images from one there."""
    settings = Settings.from_environment()
    shelf = owner.items(settings)
    offered: dict[str, Item | None] = {SAME: None, **with_routes(shelf)}
    key = state.of_side(side, "from")
    asked.check(key, list(offered))
    name = st.selectbox(
        "Log or checkpoint",
        list(offered),
        key=key,
        bind=state.BOUND,
        help=f"{WORDS['route log']} A checkpoint runs the images that the sidebar names, now.",
    )
    asked.say(key, "log or checkpoint")
    item = offered[name]
    if item is None:
        return main, ""
    if item.kind == "log":
        return of_log(item, shelf, settings), f", {item.path.name}"
    return sides.under(main, item), f", {item.path.stem}"


def choose_row(side: str, collection: Collection) -> int:
    """Offer the images of a collection."""
    ids, key = collection.facts["id"], state.of_side(side, "image")
    if not len(ids):
        raise InputError("there are no images here; choose another log")
    found = np.flatnonzero(ids.to_numpy() == state.value(key))
    current = int(found[0]) if len(found) else first_row(side, collection.facts)
    options = [ids.iat[row] for row in window(np.arange(len(ids)), current, LISTED)]
    id_ = asked.choose("Image", options, lambda: ids.iat[current], key=key, help="Type to search.")
    asked.say(key, "image")
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
    return int(np.argmax(np.abs(costs - costs[0])))


def choose_conditions(side: str, collection: Collection) -> list[str]:
    """Offer conditions that a group's images meet."""
    key = state.of_side(side, "where")
    facts = collection.facts
    classes = sorted(facts["scale_class"].dropna().unique()) if "scale_class" in facts else []
    suggested = [f"scale class {name}" for name in classes] + [f"{name} open" for name in collection.space.path_names]
    return st.multiselect(
        "Images that meet all of",
        [*dict.fromkeys([*state.values(key), *suggested])],
        key=key,
        bind=state.BOUND,
        accept_new_options=True,
        placeholder="All images. Choose, or type: MACs (conv) 69 M to 70 M, mIoU 40% to 60%, L3 s1 up open",
        help="The same conditions as in the filter of the other views.",
    )


def passing(collection: Collection, conditions: list[str]) -> tuple[np.ndarray, list[str]]:
    """Which images of a log meet conditions, and which conditions say nothing about them."""
    log = collection.log
    evidence = Evidence(
        collection.facts,
        log,
        lambda: caches.population(log.digest, log),
        lambda metric: caches.nearest(log.digest, metric, log)["architecture"].to_numpy(),
    )
    return caches.passing((*collection.key, len(collection.facts)), tuple(conditions), evidence)


def numbers(left: Side, right: Side, convention: str) -> None:
    """Distance, MACs and mIoU of both sides."""
    places = st.columns([1.1, 1.2, 1.2, 1, 1.3])
    with places[0]:
        asked.check(state.COMPARED_BY, METRICS, "distance")
        metric = st.selectbox("Distance", METRICS, key=state.COMPARED_BY, bind=state.BOUND, help=WORDS["distance"])
    places[1].metric(f"{metric} distance", f"{sides.distance(left, right, metric):.4f}", help=WORDS["distance"])
    for place, words, help_, pair, how in (
        (places[2], f"MACs ({convention})", WORDS["MACs"], (left.macs, right.macs), "relative"),
        (places[3], "mIoU", WORDS["mIoU"], (left.miou, right.miou), "points"),
    ):
        with place.container(gap=None):
            show = short if how == "relative" else percent
            gap = pair[1] - pair[0]
            if math.isnan(gap) or gap == 0:
                delta = None
            else:
                delta = f"{100 * gap / pair[0]:+.2f}%" if how == "relative" else f"{100 * gap:+.1f} points"
            st.metric(f"{words}: right", show(pair[1]), delta, delta_color="off", help=help_)
            st.caption(f"left {show(pair[0])}")
    one, other = left.is_open, right.is_open
    with places[4].container(gap=None):
        st.metric(
            "paths: left only, right only, both",
            f"{(one & ~other).sum()} · {(other & ~one).sum()} · {(one & other).sum()}",
            help=f"{WORDS['path']} A group opens a path where at least half of its images do.",
        )
        st.caption(f"of {left.space.n_paths}")


def lattices(left: Side, right: Side, names: tuple[str, str]) -> None:
    """Both routes, and their difference."""
    selected = state.value(state.SELECTED) or ""
    both = st.container(key="compare_sides")
    for side, where, name in zip((left, right), state.SIDES, names, strict=True):
        place = both.container()
        place.markdown(f"**{where.capitalize()}: {plain(name)}**")
        notes = {
            "mean activation": [f"{value:.4g}" for value in side.mean.activations],
            "open in": [f"{percent(share)} of its images" for share in side.mean.opens],
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
            f"{space.moves[path]} {side.mean.activations[path]:.4f}, {opened(side, path)}"
            for path in space.paths_named(name)
        )
        st.caption(f"**{plain(called)}** at {name}: {words}")


def opened(side: Side, path: int) -> str:
    """Whether a side opens a path, in words."""
    if side.n_images > 1:
        return f"open in {percent(side.mean.opens[path])} of its images"
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
            config[column] = number(f"images open, {where}", format="%.0f%%")
        else:
            table[column] = np.where(table[column] >= sides.HALF, "open", "shut")
            config[column] = f"path, {where}"
    st.dataframe(table, hide_index=True, column_config=config, height="content")


def show_pictures(left: tuple[Collection, Side], right: tuple[Collection, Side], names: tuple[str, str]) -> None:
    """Image and segmentation of the sides that are images."""
    shown = []
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
            st.caption(plain(collection.no_pictures))
            continue
        shape = f"{sample.image.shape[1]} / {sample.image.shape[0]}"
        table = pictures.palette(len(collection.class_names) or 256, collection.class_colors)
        shown.append(Figure(f"{name}: image", pictures.photo(sample.image), shape=shape))
        segmented = "" if result is None else pictures.chart(pictures.coloured(result.prediction, table))
        shown.append(Figure(f"{name}: segmentation", segmented, note=collection.no_network, shape=shape, sharp=True))
    if shown:
        components.figures(shown, key="compare_pictures", columns=4)


collection_shown, macs_convention = choose_collection()
if collection_shown is not None:
    comparison(collection_shown, macs_convention)
