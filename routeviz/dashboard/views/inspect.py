"""Inspect: one image, its segmentation and the route it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import caches, components, detail, exports, pictures, state
from routeviz.dashboard.chooser import choose_collection, choose_image
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.components import Figure
from routeviz.dashboard.facts import own_facts
from routeviz.dashboard.words import UNKNOWN, WORDS, percent, plain, short
from routeviz.errors import DatasetError, RoutevizError
from routeviz.plots import Sheet, plot_route
from routeviz.space import Route

LATTICE = "inspect_lattice"
ANOTHER_MACHINE = 1e-3
OWN_FACTS = 6
SCORES = (("miou", "mIoU"), ("pixel_accuracy", "pixel accuracy"))


@st.fragment
def image_view(collection: Collection, convention: str) -> None:
    """Everything about one image; only this runs again when another image is chosen."""
    row = choose_image(collection, convention)
    if row is None:
        return
    try:
        gates = collection.gates(row)
        facts = collection.about(row, convention)
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
        return
    route = Route(collection.space, gates, name=facts["id"])
    route_view(collection, row, facts, route, convention)
    numbers(collection, facts, route, convention)
    if collection.recorded:
        own_numbers(collection, facts)
    left, right = st.columns([3, 1], gap="medium")
    with right:
        show_classes(collection, facts)
        exports.offer(lambda: describe(collection, row, route), key="inspect", name=f"Route of {facts['id']}")
    given, computed = left.columns([1, 2] if collection.recorded else [2, 1])
    with given:
        shape = show_given(collection, row, facts)
    if collection.recorded:
        computed.caption(plain(collection.no_network))
        return
    # Last, so that nothing waits for it.
    with computed:
        show_segmentation(collection, row, shape)


def describe(collection: Collection, row: int, route: Route) -> Sheet:
    """The route below the image, its label and its segmentation, as far as they are at hand."""
    sample, result = collection.sample(row), collection.run(row)
    names = list(collection.class_names)
    return plot_route.describe(
        route,
        image=None if sample is None else sample.image,
        label=None if sample is None else sample.label,
        prediction=None if result is None else result.prediction,
        class_names=names,
        class_colors=pictures.palette(len(names), collection.class_colors)[: len(names)].tolist(),
    )


@st.fragment
def route_view(collection: Collection, row: int, facts: Mapping[str, Any], route: Route, convention: str) -> None:
    """The lattice and what was chosen in it; only this runs again when a cell or path is chosen."""
    components.lattice(
        route.space,
        route.activations,
        key=LATTICE,
        selected=state.value(state.SELECTED) or "",
        on_select=take_selection,
        title=f"Route of {route.name}",
        path_notes=path_notes(collection),
        cell_notes=cell_notes(collection),
    )
    detail.show(collection, row, facts, route, convention, detail.choose(route.space))


def take_selection() -> None:
    """Bring what was clicked in the lattice to the list of cells and paths, whose value the address keeps."""
    st.session_state[state.SELECTED] = state.part(LATTICE, "selected") or None


def path_notes(collection: Collection) -> dict[str, list[str]]:
    """What hovering a path says about the images of the log."""
    if collection.log is None:
        return {}
    usage = caches.path_usage(collection.log.digest, collection.log)
    return {
        "mean in this log": [f"{value:.3f}" for value in usage["activation"]],
        "open in": [f"{percent(share)} of this log's {collection.rows_are}" for share in usage["open"]],
    }


def cell_notes(collection: Collection) -> dict[str, list[str]]:
    """What hovering a cell says about the images of the log."""
    if collection.log is None:
        return {}
    usage = caches.cell_usage(collection.log.digest, collection.log)
    notes = {"open in": [f"{percent(share)} of this log's {collection.rows_are}" for share in usage["open"]]}
    blind = {"image-blind in": [percent(share) for share in usage["image_blind"]]}
    return notes | (blind if collection.space.zeros else {})


def numbers(collection: Collection, facts: Mapping[str, Any], route: Route, convention: str) -> None:
    """MACs beside those of the log, and what is known of the image and its route."""
    table, states, explain = collection.facts, route.cell_states, collection.explain
    places = iter(st.columns([1.3, *[1] * (0 if collection.recorded else len(SCORES)), 1, 1.6]))
    column = f"macs_{convention}"
    with next(places).container(gap=None):
        st.metric(f"MACs ({convention})", short(facts.get(column)), help=collection.explain("MACs"))
        if column in table:
            values = table[column]
            st.caption(f"average {short(values.mean())}, {short(values.min())} to {short(values.max())}")
        elif collection.recorded:
            st.caption("not in this log")
    for column, words in () if collection.recorded else SCORES:
        with next(places).container(gap=None):
            st.metric(words, percent(facts.get(column)), help=WORDS[words])
            if column in table:
                st.caption(f"average {percent(table[column].mean())}")
    with next(places).container(gap=None):
        st.metric("open paths", f"{route.open.sum()}", help=collection.explain("path"))
        st.caption(f"of {route.space.n_paths}")
    count = states["state"].value_counts()
    blind = states["input"].isin(["zeros", "constant"]).sum()
    with next(places).container(gap=None):
        st.metric(
            "cells open, closed, unreached",
            " · ".join(str(count.get(name, 0)) for name in ("open", "closed", "unreached")),
            help=" ".join([explain("cell"), f"Closed: {explain('closed')}", f"Unreached: {explain('unreached')}"]),
        )
        if route.space.zeros:
            st.caption(f"{blind} of those reached are image-blind", help=WORDS["image-blind"])


def own_numbers(collection: Collection, facts: Mapping[str, Any]) -> None:
    """The first facts that whoever recorded the log gave its rows."""
    table, own = collection.facts, own_facts(collection.facts)[:OWN_FACTS]
    for column, place in zip(own, st.columns(len(own)) if own else (), strict=True):
        value = facts[column]
        with place.container(gap=None):
            if pd.api.types.is_numeric_dtype(table[column]):
                st.metric(column, short(value))
                st.caption(f"average {short(table[column].mean())}")
            else:
                st.metric(column, UNKNOWN if pd.isna(value) else plain(value))


def show_classes(collection: Collection, facts: Mapping[str, Any]) -> None:
    """The legend of the label and the segmentation, with the image's IoU of each class."""
    names = list(collection.class_names)
    ious = (facts.get(f"iou_{name}", math.nan) for name in names)
    components.legend(names, pictures.palette(len(names), collection.class_colors), ious, key="inspect_classes")


def show_given(collection: Collection, row: int, facts: Mapping[str, Any]) -> str:
    """Show the picture and its label, or what to do for them; gives the picture's shape as CSS writes it."""
    if collection.recorded and collection.dataset is None:
        st.caption(plain(collection.no_pictures))
        return ""
    shape = f"{facts.get('width', 4)} / {facts.get('height', 3)}"
    image, label = Figure(f"image{scale_words(facts)}", note=collection.no_pictures), Figure("label")
    try:
        sample = collection.sample(row)
    except DatasetError as error:
        sample, image = None, image._replace(note=str(error))
    if sample is not None:
        height, width = sample.image.shape[:2]
        shape = f"{width} / {height}"
        image = image._replace(src=pictures.photo(sample.image))
        if sample.label is None:
            label = label._replace(note="This dataset has no labels.")
        else:
            table = pictures.palette(len(collection.class_names), collection.class_colors)
            label = label._replace(src=pictures.chart(pictures.coloured(sample.label, table)), sharp=True)
    shown = [image._replace(shape=shape)] + ([] if collection.recorded else [label._replace(shape=shape)])
    components.figures(shown, key="inspect_given")
    return shape


def show_segmentation(collection: Collection, row: int, shape: str) -> None:
    """What the network makes of the image, or what to do for it."""
    shown, result = Figure("segmentation", note=collection.no_network, shape=shape), None
    try:
        result = collection.run(row)
    except RoutevizError as error:
        shown = shown._replace(note=str(error))
    if result is not None:
        table = pictures.palette(len(collection.class_names) or 256, collection.class_colors)
        shown = shown._replace(src=pictures.chart(pictures.coloured(result.prediction, table)), sharp=True)
    components.figures([shown], key="inspect_segmentation")
    if result is not None and not agrees(result.gates, collection.gates(row)):
        st.warning("Computed now, this image takes another route than the log holds.", icon=":material/warning:")


def agrees(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two sets of activations are the same route, but for rounding on another machine."""
    return np.allclose(one, other, atol=ANOTHER_MACHINE, equal_nan=True)


def scale_words(facts: Mapping[str, Any]) -> str:
    """How large the objects of an image are, as far as it is known."""
    if "scale_class" in facts:
        return f", objects: {facts['scale_class']}"
    share = percent(facts.get("objects_share_small", math.nan))
    return "" if share == UNKNOWN else f": {share} of it in small objects"


collection_shown, macs_convention = choose_collection()
if collection_shown is not None:
    image_view(collection_shown, macs_convention)
