"""The filter on the screen: its conditions as chips, its controls, and how charts add to it; the same on every view."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from routeviz.dashboard import caches, filters, state
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.facts import own_labels
from routeviz.dashboard.filters import Evidence
from routeviz.dashboard.words import plain
from routeviz.errors import RoutevizError
from routeviz.quantities import unit_of
from routeviz.routelog import RouteLog
from routeviz.space.kinds import is_lattice


def filtered(collection: Collection) -> np.ndarray:
    """Which images pass the filter, ``(image,)`` bool."""
    return passing(collection, state.values(state.FILTER))[0]


def passing_log(collection: Collection, mask: np.ndarray) -> tuple[caches.Key, RouteLog]:
    """The images of a log that pass as a log of their own, and what caches know it by."""
    log = collection.log
    part = () if mask.all() else (hashlib.sha256(mask.tobytes()).hexdigest(),)
    return (log.digest, *part), log.select(np.flatnonzero(mask)) if part else log


def require(condition: str) -> None:
    """Add a condition to the filter, in place of that of the same subject; to be called in a callback."""
    st.session_state[state.FILTER] = filters.replaced(state.values(state.FILTER), condition)


def turn(collection: Collection, name: str) -> None:
    """Change what the filter asks of a path or cell: open, not open, nothing; to be called in a callback.

    What would leave no image is passed over.
    """
    cell = name in collection.space.cell_names
    conditions = filters.turned(state.values(state.FILTER), name, cell=cell)
    while filters.about(conditions, name) and not passing(collection, conditions)[0].any():
        conditions = filters.turned(conditions, name, cell=cell)
    st.session_state[state.FILTER] = conditions


def clear() -> None:
    """Remove all conditions; to be called in a callback."""
    st.session_state[state.FILTER] = []


def drop(about: str) -> None:
    """Remove the condition of a subject; to be called in a callback."""
    st.session_state[state.FILTER] = filters.without(state.values(state.FILTER), about)


def filter_bar(collection: Collection, convention: str, mask: np.ndarray) -> None:
    """The filter in one line: conditions, how many images they leave, and the controls."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _chips(collection)
        _count(collection, mask)
        filter_controls(collection, convention)
    _say_unknown(collection)


def filter_line(collection: Collection, mask: np.ndarray) -> None:
    """The filter in one line, without the controls."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _chips(collection)
        _count(collection, mask)
    _say_unknown(collection)


def _chips(collection: Collection) -> None:
    st.multiselect(
        "Filter",
        [*dict.fromkeys([*state.values(state.FILTER), *suggestions(collection)])],
        key=state.FILTER,
        bind=state.BOUND,
        accept_new_options=True,
        placeholder=f"No filter. Select in any chart, click a path, or type here: {example(collection)}",
        label_visibility="collapsed",
        wrap=True,
    )


def _count(collection: Collection, mask: np.ndarray) -> None:
    st.markdown(f"**{mask.sum():,}** of {len(mask):,} {collection.rows_are}", width="content")
    st.button(
        "Clear",
        icon=":material/filter_list_off:",
        on_click=clear,
        disabled=not state.values(state.FILTER),
        help="Removes all conditions of the filter.",
    )


def _say_unknown(collection: Collection) -> None:
    if unknown := passing(collection, state.values(state.FILTER))[1]:
        st.caption(f":material/info: Says nothing about these {collection.rows_are}: {plain('; '.join(unknown))}")


def filter_controls(collection: Collection, convention: str, *, width: str = "content") -> None:
    """A button that opens controls of the usual conditions."""
    facts, conditions = collection.facts, state.values(state.FILTER)
    with st.popover("Filter", icon=":material/filter_list:", width=width):
        # Each control shows what the filter says: chips, charts and links change it too.
        st.session_state[state.SEARCH] = filters.about(conditions, "id").removeprefix("id has ")
        st.text_input("Id contains", key=state.SEARCH, on_change=_take_search)
        for key, column, subject, words in (
            (state.COST, f"macs_{convention}", f"MACs ({convention})", f"MACs ({convention})"),
            (state.MIOU, "miou", "mIoU", "mIoU"),
        ):
            if column in facts:
                _slider(key, subject, words, facts[column].dropna().to_numpy(float), filters.about(conditions, subject))
        if "scale_class" in facts:
            classes = sorted(facts["scale_class"].dropna().unique())
            given = filters.about(conditions, "scale class").removeprefix("scale class ").split(" or ")
            st.session_state[state.SCALE] = [name for name in classes if name in given]
            st.pills("Scale of the objects", classes, selection_mode="multi", key=state.SCALE, on_change=_take_classes)


def _slider(key: str, subject: str, words: str, values: np.ndarray, condition: str) -> None:
    if not len(values) or not values.min() < values.max():
        return
    factor, unit = (0.01, "%") if subject == "mIoU" else unit_of(values.max())
    step = 10.0 ** math.floor(math.log10((values.max() - values.min()) / factor / 20))
    low, high = math.floor(values.min() / factor / step) * step, math.ceil(values.max() / factor / step) * step
    now = filters.span(condition) or (low * factor, high * factor)
    ends = tuple(float(np.clip(end / factor, low, high)) for end in now)
    st.session_state[key] = ends if ends[0] <= ends[1] else (low, high)
    st.slider(
        f"{words}, {unit}" if unit else words,
        low,
        high,
        step=step,
        key=key,
        on_change=_take_span,
        args=(key, subject, (low, high), factor),
    )


def _take_search() -> None:
    text = " ".join(st.session_state[state.SEARCH].split())
    conditions = filters.without(state.values(state.FILTER), "id")
    st.session_state[state.FILTER] = [*conditions, f"id has {text}"] if text else conditions


def _take_span(key: str, subject: str, full: tuple[float, float], factor: float) -> None:
    low, high = st.session_state[key]
    conditions = filters.without(state.values(state.FILTER), subject)
    if (low, high) != full:
        low, high = low * factor, high * factor
        words = filters.share_between(low, high) if subject == "mIoU" else None
        conditions.append(words or f"{subject} {filters.amount(low)} to {filters.amount(high)}")
    st.session_state[state.FILTER] = conditions


def _take_classes() -> None:
    conditions = filters.without(state.values(state.FILTER), "scale class")
    if chosen := st.session_state[state.SCALE]:
        conditions.append(filters.classes_among("scale_class", chosen))
    st.session_state[state.FILTER] = conditions


def example(collection: Collection) -> str:
    """A condition that can be typed."""
    return "L3 s1 up open" if is_lattice(collection.space) else f"{collection.space.path_names[-1]} open"


def suggestions(collection: Collection) -> list[str]:
    """Conditions that say something of these images: what kinds of them there are, and which paths are open."""
    facts, space = collection.facts, collection.space
    classes = sorted(facts["scale_class"].dropna().unique()) if "scale_class" in facts else []
    names = [] if collection.log is None else [*space.path_names, *space.cell_names]
    found = [filters.classes_among("scale_class", [name]) for name in classes]
    for column in own_labels(collection):
        found += [filters.one_of(column, [name]) for name in sorted(facts[column].dropna().unique())]
    return found + [f"{name} open" for name in names]


def passing(collection: Collection, conditions: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    return caches.passing((*collection.key, len(collection.facts)), tuple(conditions), _evidence(collection))


def _evidence(collection: Collection) -> Evidence:
    log = collection.log
    if log is None:
        return Evidence(collection.facts)
    return Evidence(collection.facts, log, lambda: caches.population(log.digest, log), lambda m: _nearest(log, m))


def _nearest(log: object, metric: str) -> np.ndarray | None:
    try:
        return caches.nearest(log.digest, metric, log)["architecture"].to_numpy()
    except RoutevizError:
        return None
