"""Details of the chosen cell or path: its activation, where that stands in the log, its MACs, its features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from routeviz.dashboard import asked, caches, components, pictures, state
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.components import Figure
from routeviz.dashboard.words import UNKNOWN, WORDS, percent, plain, short
from routeviz.errors import RoutevizError
from routeviz.routelog.log import SIZE
from routeviz.space import INPUTS, STATES, Route, RoutingSpace
from routeviz.space.layout import row_words

if TYPE_CHECKING:
    from routeviz.costs import CostTable
    from routeviz.routelog import PartCosts

MEASURED_S = 4.0
"""Seconds after which measuring ends, but not before each part was measured three times."""


def choose(space: RoutingSpace) -> str | None:
    """Offer all cells and paths; the short name of the chosen one."""
    names = [*space.cell_names, *space.path_names]
    if st.session_state.get(state.SELECTED) not in (None, *names):
        st.session_state[state.SELECTED] = None
    asked.check(state.SELECTED, names)
    chosen = st.selectbox(
        "Cell or path",
        names,
        index=None,
        placeholder=f"Click a cell or path in the drawing, or search here: {space.cell_names[-1]}, "
        f"{space.path_names[-1]}",
        key=state.SELECTED,
        bind=state.BOUND,
        label_visibility="collapsed",
    )
    asked.say(state.SELECTED, "cell or path")
    return chosen


def show(
    collection: Collection, row: int, facts: Mapping[str, Any], route: Route, convention: str, name: str | None
) -> None:
    """Describe a cell or path by its short name."""
    if name in route.space.cell_names:
        show_cell(collection, row, facts, route, route.space.cell_names.index(name), convention)
    elif name in route.space.path_names:
        show_path(collection, facts, route, route.space.path_names.index(name), convention)


def show_path(collection: Collection, facts: Mapping[str, Any], route: Route, path: int, convention: str) -> None:
    """Activation of one path, among those of the other images."""
    space, log = route.space, collection.log
    value = float(route.activations[path])
    left, middle, right = st.columns([1, 1, 2])
    state_of = STATES[route.states.state[0, space.source[path]]]
    verdict = "open" if route.open[path] else "cell unreached" if state_of == "unreached" else "shut"
    with left.container(gap=None):
        st.metric("Activation", f"{value:.4f}", help=collection.explain("activation"))
        st.caption(verdict)
    if log is not None:
        column = log.gates[:, path]
        reached = np.isfinite(column)
        with right:
            st.image(pictures.histogram_svg(column, value, theme=st.context.theme.type or "light"), width=300)
            words = f"Its activation in the {reached.sum():,} images that reach its cell (height: root of the count)"
            if state_of != "unreached":
                words += f"; this image is above {percent((column[reached] < value).mean())} of them"
            st.caption(collection.say(f"{words}."))
    with middle:
        with st.container(gap=None):
            cost_metric(collection, facts, convention, lambda table: table.path[path])
            st.caption(collection.say("runs for this image" if route.open[path] else "does not run for this image"))
        show_time(collection, facts, {"path": path})


def show_cell(
    collection: Collection, row: int, facts: Mapping[str, Any], route: Route, cell: int, convention: str
) -> None:
    """State and input of one cell, among those of the other images, and what it computes."""
    space, log = route.space, collection.log
    state_of, input_of = STATES[route.states.state[0, cell]], INPUTS[route.states.input[0, cell]]
    left, middle, right = st.columns([1, 1, 2])
    with left.container(gap=None):
        st.metric("State", state_of, help=collection.explain("cell"))
        st.caption(place_words(space, cell, input_of))
    with right:
        paths = space.paths_from(cell)
        values = ", ".join(
            f"{move} {value:.3f}" for move, value in zip(space.ways[paths], route.activations[paths], strict=True)
        )
        st.markdown(f"activations: {values}")
        if log is not None:
            usage = caches.cell_usage(log.digest, log).iloc[cell]
            shares = ", ".join(f"{name} {percent(usage[name])}" for name in reversed(STATES))
            blind = f"; image-blind {percent(usage['image_blind'])}" if space.zeros else ""
            st.caption(f"over this log: {shares}{blind}")
    known = recorded_costs(collection, facts)
    with middle.container(gap=None):
        cost_metric(collection, facts, convention, lambda table: table.operation[cell] + table.gate[cell])
        runs = {"open": "operation and gate run", "closed": "its gate alone runs", "unreached": "nothing of it runs"}
        if known is not None and not known.operation[cell] + known.gate[cell]:
            runs = dict.fromkeys(runs, "only its paths cost anything")
        st.caption(collection.say(f"{runs[state_of]} for this image"))
    with right:
        if log is not None:
            log_share(collection, facts, convention, cell)
        show_time(collection, facts, {"operation": cell, "gate": cell})
    if collection.checkpoint is not None and state_of == "open":
        show_features(collection, row, cell)


def place_words(space: RoutingSpace, cell: int, input_of: str) -> str:
    """What arrives at a cell, its stride and its channels, as far as its space tells them apart."""
    row = space.cells.iloc[cell]
    blind = ", image-blind" if input_of in ("zeros", "constant") else ""
    words = [f"input: {input_of}{blind}"] if space.zeros else []
    words += [f"stride {row.stride}"] if row_words(space)[row.scale] else []
    words += [f"{row.channels} channels"] if space.cells.channels.max() > 1 else []
    return "; ".join(words)


def recorded_costs(collection: Collection, facts: Mapping[str, Any]) -> PartCosts | None:
    """What the parts of a recorded network cost for the input of a row; None where the log does not say."""
    return None if collection.log is None else collection.log.costs_of(str(facts.get(SIZE, "")))


def cost_metric(
    collection: Collection, facts: Mapping[str, Any], convention: str, pick: Callable[[CostTable | PartCosts], float]
) -> None:
    """MACs of a part of the network for this image's size, where the configuration is known."""
    label = f"MACs ({convention})"
    known = recorded_costs(collection, facts)
    if known is not None and known.convention == convention:
        st.metric(
            label, short(float(pick(known))), help=f"What it costs where it is computed. {collection.explain('MACs')}"
        )
        return
    if not collection.network_config or "height" not in facts:
        st.metric(label, UNKNOWN, help="The log does not say how the network is built, or how large the image is.")
        return
    try:
        table = caches.costs(collection.network_config, (int(facts["height"]), int(facts["width"])), convention)
    except RoutevizError as error:
        st.caption(plain(error))
        return
    st.metric(
        label, short(float(pick(table))), help=f"What it costs where it is computed. {collection.explain('MACs')}"
    )


def show_time(collection: Collection, facts: Mapping[str, Any], parts: Mapping[str, int]) -> None:
    """Measured time of parts of the network, by kind and place among their kind, once it is asked for."""
    if not collection.network_config or "height" not in facts:
        return
    asked.check_switch(state.TIMED, "measurement of time")
    if not st.toggle("Measure the time", key=state.TIMED, bind=state.BOUND, help=WORDS["time"]):
        return
    try:
        times, r2 = caches.times(collection.network_config, (int(facts["height"]), int(facts["width"])), MEASURED_S)
    except RoutevizError as error:
        st.caption(plain(error))
        return
    table = times.parts
    rows = [table.index[table.part == kind][place] for kind, place in parts.items()]
    found = table.loc[rows, ["seconds", "low", "high"]].sum(min_count=1)
    if np.isnan(found.seconds):
        st.caption("This static network has not built it.")
        return
    all_parts = f"{percent(found.seconds / table.seconds.sum())} of all parts together"
    st.caption(
        f"**{1e6 * found.seconds:,.0f} µs** here, median of {times.rounds} rounds, quartiles {1e6 * found.low:,.0f} to "
        f"{1e6 * found.high:,.0f}: {all_parts}. "
        f"MACs (conv) explain {percent(r2)} of how the time of parts differs (R²)."
    )


def log_share(collection: Collection, facts: Mapping[str, Any], convention: str, cell: int) -> None:
    """What a log spends, at this size, on a cell and its paths, and how much of it while it is image-blind."""
    if not collection.network_config or "height" not in facts:
        return
    size = int(facts["height"]), int(facts["width"])
    try:
        key = (collection.log.digest,)
        config, how = collection.network_config, collection.how
        table = caches.spending(key, config, how, size, convention, collection.log).parts
    except RoutevizError as error:
        st.caption(plain(error))
        return
    space = collection.space
    of_cell = np.zeros(len(table), bool)
    for kind in ("operation", "gate"):
        of_cell[table.index[table.part == kind][cell]] = True
    of_cell[table.index[table.part == "path"][space.paths_from(cell)]] = True
    own, blind = table.macs[of_cell].sum(), table.blind[of_cell].sum()
    words = f"with its paths {percent(own / table.macs.sum())} of this log's MACs at this image's size"
    st.caption(f"{words}, {percent(blind / own)} of them image-blind" if blind else words)


def show_features(collection: Collection, row: int, cell: int) -> None:
    """Mean and strongest channels of what the cell computes."""
    try:
        features = collection.features(row, cell)
    except RoutevizError as error:
        st.caption(plain(error))
        return
    if features is None:
        return
    strongest = np.argsort(-np.abs(features).mean(axis=(1, 2)))[:3]
    maps = [("mean of all channels", features.mean(axis=0))]
    maps += [(f"channel {channel}", features[channel]) for channel in strongest]
    height, width = features.shape[1:]
    components.figures(
        [
            Figure(words, pictures.chart(pictures.heat(values)), shape=f"{width} / {height}", sharp=True)
            for words, values in maps
        ],
        key="inspect_features",
        columns=6,
    )
    st.caption(
        f"What the cell computes ({height} × {width} features, before its paths): blue is the least value of each map, "
        "yellow the largest. The channels are the three of the largest mean magnitude."
    )
