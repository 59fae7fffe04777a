"""Population: what all images of a log do, and any part of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st

import routeviz as rv
from routeviz.dashboard import (
    asked,
    caches,
    charts,
    colouring,
    components,
    experts,
    exports,
    filtering,
    filters,
    links,
    questions,
    state,
    tradeoff,
    unlogged,
)
from routeviz.dashboard.blocks import STEPS
from routeviz.dashboard.chooser import choose_collection, thumbnail_of
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.population import MOST_CLUSTERED, MOST_PLACED, Part, Population
from routeviz.dashboard.words import plain, short
from routeviz.plots import Sheet
from routeviz.quantities import count, unit_of
from routeviz.routelog import RouteLog, label_columns
from routeviz.space import STATES, Route, kind_of
from routeviz.space.layout import axes_words

LATTICE, HEAT, GATES, COST, PLANE, TYPICAL = (
    f"population_{name}" for name in ("lattice", "heat", "gates", "macs", "plane", "typical")
)
SHOWN = {"mean activation": "Mean activation", "share open": "Share of images that open a path"}
ALL_PATHS = "all paths, by {}"
CLUSTERS = 4


@st.fragment
def population_view(collection: Collection, convention: str) -> None:
    """All charts, over the images that pass the filter; they run again together, as each of them changes the filter."""
    mask = filtering.filtered(collection)
    st.space("xsmall")
    # The address names them as they are called on the screen.
    first, *_ = answers = questions.answers(collection)
    if st.session_state.get(state.QUESTION, first) not in answers:
        del st.session_state[state.QUESTION]
    asked.check(state.QUESTION, list(answers), "question")
    question = st.segmented_control(
        "Question",
        list(answers),
        default=first,
        key=state.QUESTION,
        bind=state.BOUND,
        required=True,
        label_visibility="collapsed",
    )
    filtering.filter_bar(collection, convention, mask)
    if not mask.any():
        words = collection.say("No image passes the filter: remove a condition above.")
        st.info(words, icon=":material/filter_list_off:")
        return
    if answer := answers[question]:
        answer(collection, mask, convention)
        return
    population = caches.population(collection.log.digest, collection.log)
    part = population.part(mask)
    usage(collection, part, mask)
    left, right = st.columns(2, gap="medium")
    with left:
        activations(collection, population, part, mask)
    with right:
        cost(collection, mask, convention)
    left, right = st.columns([2, 1], gap="medium")
    with left:
        plane(collection, population, mask, convention)
    with right:
        clusters(collection, population, mask)
    experts.show(collection, mask)
    tradeoff.show(collection, mask, convention)


def usage(collection: Collection, part: Part, mask: np.ndarray) -> None:
    """What the images do of the space, as the lattice and as a heat map by layer, scale and move."""
    log, space = collection.log, collection.space
    mean, share = part.mean, part.share_open
    asked.check(state.SHOWS, list(SHOWN), "number of the lattice")
    with title_line():
        words = st.empty()
        shown = st.segmented_control(
            "Shown",
            list(SHOWN),
            default="mean activation",
            key=state.SHOWS,
            bind=state.BOUND,
            required=True,
            label_visibility="collapsed",
        )
        label, by_share = collection.say(SHOWN[shown]), shown == "share open"
        title = f"{label}, {count(mask.sum(), log.rows_are)}"
        words.markdown(
            f"**{title}**",
            help=f"Activation: {collection.explain('activation')} Path: {collection.explain('path')}",
            width="stretch",
        )
        route = Route(space, np.clip(share if by_share else mean, 0, 1))
        offer(lambda: rv.plot_route.describe(route, title=title), key=LATTICE, name=title)
    subjects = {filters.subject(condition) for condition in state.values(state.FILTER)}
    charts.usage_lattice(
        space,
        mean,
        share,
        part.states,
        by_share=by_share,
        rows=log.rows_are,
        title=title,
        chosen=next((name for name in (*space.path_names, *space.cell_names) if name in subjects), ""),
        key=LATTICE,
        on_click=take(LATTICE, "clicked", partial(filtering.turn, collection)),
    )
    with title_line():
        st.markdown(
            f"**{label}, by {axes_words(space)}**",
            help=collection.say(
                "A click on a path, here or in the drawing above, or on a cell there, keeps the images that open it; a "
                "second click those that do not; a third all."
            ),
            width="stretch",
        )
        offer(lambda: rv.plot_usage.describe(log.select(mask)), key=HEAT, name="Use of paths")
    charts.usage_grid(
        space,
        mean,
        share,
        by_share=by_share,
        rows=log.rows_are,
        label=label,
        chosen=sorted(subjects),
        key=HEAT,
        on_choose=take(HEAT, "chosen", partial(filtering.turn, collection)),
    )


def activations(collection: Collection, population: Population, part: Part, mask: np.ndarray) -> None:
    """How activations are spread: by layer, or those of one path."""
    log, space = collection.log, collection.space
    with title_line():
        st.markdown(
            "**Activations**",
            help=f"{collection.explain('activation')} Gates of unreached cells do not count."
            + ("" if population.exact else f" Of so many {log.rows_are} they are kept to the nearest 1/{STEPS:,}."),
            width="stretch",
        )
        ways = [ALL_PATHS.format(kind_of(space).column), *space.path_names]
        asked.check(state.GATES_OF, ways)
        of = st.selectbox(
            "Activations of",
            ways,
            key=state.GATES_OF,
            bind=state.BOUND,
            label_visibility="collapsed",
            width=190,
        )
        offer(lambda: rv.plot_activations.describe(log.select(mask)), key=GATES, name="Activations")
    asked.say(state.GATES_OF, "path")
    if of == ways[0]:
        charts.activation_grid(
            part.layer_shares,
            across=kind_of(space).column,
            chosen=state.values(state.FILTER),
            key=GATES,
            on_choose=take(GATES, "chosen", filtering.require),
        )
        return
    path = space.path_names.index(of)
    reached = log.states.state[:, space.source[path]] != STATES.index("unreached")
    key = f"{GATES}_one"
    charts.bars(
        np.where(reached, population.activation(path), np.nan),
        mask,
        rows=log.rows_are,
        ends=(0.0, 1.0),
        ticks="{:.3g}".format,
        label=f"activation of {of} where its cell is reached",
        span=filters.span(filters.about(state.values(state.FILTER), of)),
        title=f"Activations of {of}",
        key=key,
        on_choose=take(key, "range", lambda ends: filtering.require(filters.activation_between(of, *ends))),
    )


def cost(collection: Collection, mask: np.ndarray, convention: str) -> None:
    """MACs of all images, and of those that pass."""
    log, column, name = collection.log, f"macs_{convention}", f"MACs ({convention})"
    title = collection.say(f"{name} of each image")
    with title_line():
        st.markdown(f"**{title}**", help=collection.explain("MACs"), width="stretch")
        if column in collection.facts:
            make = partial(_macs_sheet, log, mask, convention)
            offer(make, key=COST, name=title)
    if column not in collection.facts:
        st.caption(f"This log does not hold MACs in the convention {convention}: choose another one.")
        return
    values = collection.facts[column].to_numpy(float)
    some = values[mask]
    charts.bars(
        values,
        mask,
        rows=log.rows_are,
        ticks=written(values),
        label=collection.say(f"{name}; line: average of the images that pass"),
        span=filters.span(filters.about(state.values(state.FILTER), name)),
        marks=[(some.mean(), "")],
        title=name,
        key=COST,
        on_choose=take(COST, "range", lambda ends: filtering.require(filters.macs_between(convention, *ends))),
    )
    st.caption(
        f"{count(len(some), log.rows_are)}: average {short(some.mean())}, {short(some.min())} to {short(some.max())}. "
        "Drag across the bars to filter."
    )


def plane(collection: Collection, population: Population, mask: np.ndarray, convention: str) -> None:
    """Routes in two dimensions."""
    log, n = collection.log, len(mask)
    found = population.clusters(n_clusters())
    colours = colouring.choices(collection, convention)
    asked.check(state.COLOUR, colours, "colour")
    with title_line():
        st.markdown(
            "**Routes in two dimensions**",
            help=collection.say(
                "Each point is an image, placed by the first two principal components of its activations: images near "
                "each other take similar routes."
            ),
            width="stretch",
        )
        st.caption("colour by", width="content")
        by = st.selectbox(
            "Colour",
            colours,
            key=state.COLOUR,
            bind=state.BOUND,
            label_visibility="collapsed",
            width=180,
        )
        make = partial(_plane_sheet, log, mask, by, len(found.typical))
        offer(make, key=PLANE, name="Routes in two dimensions")
    groups, group = colouring.groups(collection, mask, by, found, convention)
    charts.places(
        population.places,
        mask,
        groups,
        group,
        collection.facts["id"],
        ends=population.ends,
        density=population.density if n > charts.MOST_POINTS else None,
        rows=log.rows_are,
        labels=tuple(f"component {at + 1} ({share:.0%} of variance)" for at, share in enumerate(population.explained)),
        outline=filters.outline(filters.about(state.values(state.FILTER), "place")),
        marks=[(row, str(number + 1)) for number, row in enumerate(found.typical.tolist())],
        title="Routes in two dimensions",
        key=PLANE,
        on_region=take(PLANE, "region", lambda at: filtering.require(filters.inside(**at))),
        on_open=take(PLANE, "opened", links.open_image),
        on_group=take(PLANE, "group", filtering.require),
    )
    notes = ["Rings: the typical image of each cluster."]
    if n > MOST_PLACED:
        notes.append(f"The components were fitted to a sample of {MOST_PLACED:,} images; all are placed by them.")
    if n > charts.MOST_POINTS:
        notes.append(f"Grey: how many of all images lie where. Points: {charts.MOST_POINTS:,} at most, a sample.")
    st.caption(collection.say(" ".join(notes)))


def clusters(collection: Collection, population: Population, mask: np.ndarray) -> None:
    """Clusters of routes, each with the image nearest to its centre."""
    asked.check(state.CLUSTERS, range(1, filters.MOST_CLUSTERS + 1), "number of clusters")
    with title_line():
        st.markdown(
            "**Clusters of routes**",
            help=collection.say(
                "k-means on all activations. Typical is the image whose route is nearest to its cluster's centre."
            ),
            width="stretch",
        )
        st.number_input(
            "How many clusters",
            1,
            filters.MOST_CLUSTERS,
            CLUSTERS,
            key=state.CLUSTERS,
            bind=state.BOUND,
            label_visibility="collapsed",
            width=120,
        )
    found = population.clusters(n_clusters())
    total = len(found.typical)
    left = np.bincount(found.cluster[mask], minlength=total)
    cards = [
        {
            "id": collection.facts["id"].iat[row],
            "src": thumbnail_of(collection, row),
            "note": f"cluster {number + 1}: {count(left[number], collection.log.rows_are)}",
        }
        for number, row in enumerate(found.typical)
    ]
    components.gallery(cards, key=TYPICAL, chosen="", on_choose=take(TYPICAL, "chosen", links.open_image))
    sampled = (
        f" Fitted to a sample of {MOST_CLUSTERED:,} images; all are assigned." if len(mask) > MOST_CLUSTERED else ""
    )
    missing = f" {plain(collection.no_pictures)}" if collection.dataset is None else ""
    st.caption(collection.say(f"A click on a typical image opens it.{sampled}") + missing)
    options = [f"cluster {number + 1} of {total}" for number in range(total)]
    now = filters.about(state.values(state.FILTER), "cluster")
    st.session_state[state.CLUSTER] = now if now in options else None
    st.pills(
        collection.say("Only the images of cluster"),
        options,
        format_func=lambda name: name.split()[1],
        key=state.CLUSTER,
        on_change=take_cluster,
    )


def take_cluster() -> None:
    """Keep the images of the chosen cluster, or of all."""
    if chosen := st.session_state[state.CLUSTER]:
        filtering.require(chosen)
    else:
        filtering.drop("cluster")


def take(key: str, name: str, use: Callable[[object], None]) -> Callable[[], None]:
    """A callback that hands on what a component says, if it says anything."""

    def callback() -> None:
        if said := state.part(key, name):
            use(said)

    return callback


def n_clusters() -> int:
    """How many clusters are wanted; fewer are found where there are fewer different routes."""
    asked = str(state.value(state.CLUSTERS) or "")
    return min(int(asked), filters.MOST_CLUSTERS) if asked.isdigit() and int(asked) else CLUSTERS


def title_line() -> st.delta_generator.DeltaGenerator:
    """A line for a chart's title and its controls."""
    return st.container(horizontal=True, vertical_alignment="center", gap="small")


def offer(make: Callable[[], Sheet], *, key: str, name: str) -> None:
    """The button of `exports.offer`, no wider than it needs to be."""
    with st.container(width="content"):
        exports.offer(make, key=key, name=name, lazy=True)


def written(values: np.ndarray) -> Callable[[float], str]:
    """How values are written so that neighbouring ticks differ."""
    size, unit = unit_of(values.max())
    apart = np.ptp(values) / max(values.max(), 1e-9)
    digits = 3 if not apart else int(np.clip(2 - np.floor(np.log10(apart)), 3, 6))
    return lambda value: f"{value / size:.{digits}g} {unit}".strip()


def _macs_sheet(log: RouteLog, mask: np.ndarray, convention: str) -> Sheet:
    return rv.plot_macs.describe(log.select(mask), convention=convention)


def _plane_sheet(log: RouteLog, mask: np.ndarray, by: str, n: int) -> Sheet:
    column = "scale_class" if by == "scale class" else by if by in label_columns(log) else None
    return rv.plot_embedding.describe(log.select(mask), by=column, clusters=n)


shown_collection, macs_convention = choose_collection()
if shown_collection is not None:
    if shown_collection.log is None:
        unlogged.show(shown_collection)
    elif not len(shown_collection.log):
        st.info(f"This log holds no {shown_collection.rows_are}: trace at least one.", icon=":material/info:")
    else:
        population_view(shown_collection, macs_convention)
