"""Names of all that a browser tab keeps; those of widgets are also the names in its address."""

from __future__ import annotations

import streamlit as st

TAB = "tab"
OWNER = "owner"
SOURCE = "source"
DATASET = "dataset"
SPLIT = "split"
GATE = "gate"
IMAGE = "image"
SELECTED = "selected"
TIMED = "time"
CONVENTION = "macs"
SORT = "sort"
FILTER = "filter"
SEARCH = "search"
MIOU = "miou"
COST = "cost"
SCALE = "scale"
SHOWS = "shows"
GATES_OF = "gates"
COLOUR = "colour"
CLUSTERS = "clusters"
CLUSTER = "only_cluster"
METRIC = "distance"
QUESTION = "question"
FACT = "fact"
FILM = "film"
SHUFFLES = "shuffles"
FACTOR = "factor"
WITHOUT = "without"
RESCALED = "sizes"
ARCHITECTURE = "architecture"
GALLERY = "gallery"
GALLERY_PAGE = "page"
FIGURES = "figures"
GROUPS = "groups"
DRAWN = "drawn"
VIEW = "view"
PART = "part"
RUN = "run"
STEP = "step"
DRIFT = "drift"
PLAYED = "images"
CHECKPOINT = "checkpoint"
FRONT = "front"
POINT = "point"
FORCED = "forced"
CLICK = "click"
FORCE_TO = "force_to"
SHOWN = "lattice"
SIDES = ("left", "right")
COMPARED_BY = "compared_by"
ALIKE = "alike"
PREDICTED = "predicted"
ALIKE_BY = "alike_by"
IMPORTANCE = "importance"
RANKED = "ranked"
OVER = "over"

_WANTED = "wanted"

BOUND = "query-params"
"""``bind=BOUND`` on a widget keeps it in the address, so that a link shows what was on the screen."""


def value(key: str) -> str | None:
    """Value of a bound widget, also in the run before it is drawn for the first time: then the address has it."""
    return st.session_state.get(key) or st.query_params.get(key)


def values(key: str) -> list[str]:
    """Values of a bound widget that has several, also in the run before it is drawn for the first time."""
    return list(st.session_state[key]) if key in st.session_state else st.query_params.get_all(key)


def of_side(side: str, name: str) -> str:
    """Name of a widget of one of the two ``SIDES`` of a comparison."""
    return f"{side}_{name}"


def part(key: str, name: str) -> object:
    """What the component of a key last said under a name; None before it said anything."""
    return (st.session_state.get(key) or {}).get(name)


def want(values: dict[str, object]) -> None:
    """Have widgets of this page take these values, by name, in the next run of all of it; to be called in a callback.

    A callback that set them itself could lose them: a part of the page that is drawn anew every second sends along what
    the browser still believes of every widget.
    """
    st.session_state[_WANTED] = values


def take_wanted() -> None:
    """Set what was wanted; before the widgets are drawn. It stays wanted until `settled`: a run can be cut short."""
    for key, wanted in st.session_state.get(_WANTED, {}).items():
        st.session_state[key] = wanted


def settled() -> None:
    """Forget what was wanted; after the widgets were drawn."""
    st.session_state.pop(_WANTED, None)


def unsettled() -> bool:
    """Whether something is wanted that the page has not been drawn with."""
    return _WANTED in st.session_state
