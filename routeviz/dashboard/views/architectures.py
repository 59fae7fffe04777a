"""Architectures: static ones in this log's space, what they cost, and which one each image comes nearest to."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

import routeviz as rv
from routeviz.dashboard import (
    architecture_charts,
    asked,
    caches,
    components,
    exports,
    filtering,
    filters,
    links,
    state,
)
from routeviz.dashboard.chooser import choose_collection
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.words import UNKNOWN, WORDS, percent, plain, short
from routeviz.errors import RoutevizError
from routeviz.plots import Sheet
from routeviz.plots.sheet import Axis, Bars, Panel
from routeviz.plots.style import RAMP
from routeviz.space import ARCHITECTURES, Route, architectures
from routeviz.stats import METRICS, architecture_counts

DRAWINGS, LATTICE, COUNTS, TABLE = (f"architectures_{name}" for name in ("drawings", "lattice", "counts", "table"))
DISTANCES = {"weighted Jaccard, of activations": "jaccard", "Hamming, of open paths": "hamming"}
LISTED = 500


@st.fragment
def architectures_view(collection: Collection, routes: Mapping[str, Route], convention: str) -> None:
    """Drawings to choose from, the chosen one, and the images."""
    size = collection.image_size
    costs, problem = cost_table(collection, size, convention)
    drawings(collection, routes, costs, convention)
    if problem:
        st.caption(plain(problem))
    elif size is not None:
        st.caption(f"MACs ({convention}) of the route alone, without gates, for an image of {size[0]} × {size[1]}.")
    chosen(routes, costs, size, convention)
    if collection.log is None:
        st.info(
            "Which architecture each image comes nearest to is told of a route log: choose one at the left.",
            icon=":material/info:",
        )
    elif len(collection.log):
        nearest(collection, routes, convention)


def drawings(collection: Collection, routes: Mapping[str, Route], costs: pd.DataFrame, convention: str) -> None:
    """All that fit the space, small; a click chooses one."""
    st.space("xsmall")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{len(routes)} static architectures in this space**",
            help="Each is modelled as a fixed route: where it downsamples, how many operations it spends at each "
            "stride, which features meet. All of its paths have activation 1.",
            width="stretch",
        )
        with st.container(width="content"):
            exports.offer(
                partial(rv.plot_architectures.describe, collection.space), key=DRAWINGS, name="Static architectures"
            )
    pictures = caches.architecture_drawings(collection.space.digest, theme(), collection.space)
    cards = [
        {
            "id": route.name,
            "src": pictures[name],
            "note": f"{short(costs.macs[name])} MACs, {short(costs.parameters[name])} parameters"
            if name in costs.index
            else f"{route.open.sum()} open paths",
        }
        for name, route in routes.items()
    ]
    now = state.value(state.ARCHITECTURE)
    architecture_charts.drawings(
        cards,
        key=DRAWINGS,
        chosen=now if now in [route.name for route in routes.values()] else cards[0]["id"],
        on_choose=take_drawing,
    )


def chosen(routes: Mapping[str, Route], costs: pd.DataFrame, size: tuple[int, int] | None, convention: str) -> None:
    """The chosen architecture, large, and what its model says of itself."""
    names = {route.name: name for name, route in routes.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        given = asked.choose("Architecture", list(names), lambda: next(iter(names)), key=state.ARCHITECTURE, width=260)
        name, route = names[given], routes[names[given]]
        known = name in costs.index
        for words, value, words_help in (
            (f"MACs ({convention})", short(costs.macs[name]) if known else UNKNOWN, WORDS["MACs"]),
            ("parameters", short(costs.parameters[name]) if known else UNKNOWN, "Those of the static network alone."),
            ("open paths", f"{route.open.sum()} of {route.space.n_paths}", WORDS["path"]),
            ("open cells", f"{(route.cell_states['state'] == 'open').sum()} of {route.space.n_cells}", WORDS["cell"]),
        ):
            st.metric(words, value, help=words_help, width="content")
        st.space("stretch")
        with st.container(width="content"):
            exports.offer(
                partial(rv.plot_architectures.describe, route.space, names=[name], columns=1),
                key=LATTICE,
                name=route.name,
            )
    asked.say(state.ARCHITECTURE, "architecture")
    components.lattice(route.space, route.activations, key=LATTICE, static=True, title=route.name)
    first, _, rest = inspect.getdoc(ARCHITECTURES[name]).partition("\n\n")
    st.markdown(f"**{plain(first)}** {plain(rest)}")
    st.caption(f"Source: {plain(route.source)}. {COMMON}")


COMMON = (
    "Not expressed here, of any architecture: kernel sizes and atrous rates, pyramid pooling and attention, "
    "concatenation (features that meet are summed), and operations at strides 1 and 2 (the stem is always the same)."
)


def nearest(collection: Collection, routes: Mapping[str, Route], convention: str) -> None:
    """Which architecture each image's route is nearest to, counted and listed."""
    log, mask = collection.log, filtering.filtered(collection)
    st.divider()
    asked.check(state.METRIC, list(DISTANCES), "distance")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Nearest architecture of each image**", help=WORDS["route"], width="stretch")
        words = st.segmented_control(
            "Distance",
            list(DISTANCES),
            default=next(iter(DISTANCES)),
            key=state.METRIC,
            bind=state.BOUND,
            required=True,
            label_visibility="collapsed",
        )
        metric = DISTANCES[words]
        table = caches.nearest(log.digest, metric, log)
        offer = st.container(width="content")
    filtering.filter_bar(collection, convention, mask)
    if not mask.any():
        words = collection.say("No image passes the filter: remove a condition above.")
        st.info(words, icon=":material/filter_list_off:")
        return
    counts = architecture_counts(table[mask])
    with offer:
        exports.offer(partial(_counts_sheet, counts, routes, metric), key=COUNTS, name="Nearest architectures")
    left, right = st.columns([1, 1.1], gap="medium")
    with left:
        rows = [
            {
                "name": f"nearest {row.architecture} ({metric})",
                "text": routes[row.architecture].name,
                "count": int(row.images),
                "value": f"{row.images:,} ({percent(row.share)})",
                "hint": f"mean distance {row.distance:.3f}",
            }
            for row in counts.itertuples()
        ]
        architecture_charts.counts(
            rows,
            chosen=filters.about(state.values(state.FILTER), "nearest"),
            key=COUNTS,
            on_choose=take_count,
        )
        st.caption(f"Distance: {METRICS[metric]}. A click on a bar keeps its images, here and on every view.")
    with right:
        listed(table[mask], routes)


def listed(table: pd.DataFrame, routes: Mapping[str, Route]) -> None:
    """Images with their nearest architecture, nearest first; a chosen row opens its image."""
    shown = table.sort_values("distance", kind="stable").head(LISTED)
    names = shown["architecture"].map({name: route.name for name, route in routes.items()})
    st.dataframe(
        pd.DataFrame({"image": shown["id"], "nearest": names, "distance": shown["distance"].round(3)}),
        hide_index=True,
        height=components.table_height(len(shown)),
        key=TABLE,
        on_select=partial(take_row, shown["id"].tolist()),
        selection_mode="single-row",
    )
    most = f"The {LISTED} nearest of {len(table):,} images. " if len(table) > LISTED else ""
    st.caption(f"{most}Select a row to open its image in Inspect.")


def take_drawing() -> None:
    """Choose the architecture whose drawing was clicked."""
    st.session_state[state.ARCHITECTURE] = state.part(DRAWINGS, "chosen")


def take_count() -> None:
    """Keep the images of a bar; a second click on it keeps all."""
    if said := state.part(COUNTS, "chosen"):
        if said in state.values(state.FILTER):
            filtering.drop("nearest")
        else:
            filtering.require(said)


def take_row(ids: list[str]) -> None:
    """Open the image of the selected row."""
    if rows := st.session_state[TABLE].selection.rows:
        links.open_image(ids[rows[0]])


def cost_table(collection: Collection, size: tuple[int, int] | None, convention: str) -> tuple[pd.DataFrame, str]:
    """MACs and parameters by architecture; empty, with the reason, where they cannot be counted."""
    empty = pd.DataFrame({"macs": np.zeros(0), "parameters": np.zeros(0)})
    if not collection.network_config or size is None:
        return empty, "No MACs: the log does not say how its network is built, or how large its images are."
    try:
        return caches.architecture_costs(collection.network_config, size, convention), ""
    except RoutevizError as error:
        return empty, str(error)


def theme() -> str:
    """The theme on the screen."""
    return st.context.theme.type or "light"


def _counts_sheet(counts: pd.DataFrame, routes: Mapping[str, Route], metric: str) -> Sheet:
    ticks = tuple((at, routes[name].name) for at, name in enumerate(counts["architecture"]))
    bars = Bars(np.arange(len(counts) + 1) - 0.5, counts["images"].to_numpy(), RAMP[2])
    top = 1.08 * counts["images"].max()
    return Sheet(((Panel((bars,), "", Axis(f"nearest by {metric} distance", ticks), Axis("images", ends=(0, top))),),))


shown_collection, macs_convention = choose_collection()
if shown_collection is not None:
    try:
        found = architectures(shown_collection.space)
    except RoutevizError as error:
        st.info(plain(error), icon=":material/info:")
    else:
        architectures_view(shown_collection, found, macs_convention)
