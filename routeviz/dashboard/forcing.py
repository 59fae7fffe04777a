"""What is forced on the screen: its text in the address, its past and future for undo and redo."""

from __future__ import annotations

import streamlit as st

from routeviz.counterfactual import ForcedRoute
from routeviz.dashboard import state
from routeviz.space import RoutingSpace

TURN, SET, ASK = "opens or shuts", "sets value", "releases"
CLICKS = (TURN, SET, ASK)

_PAST, _FUTURE, _NOW = "forced_past", "forced_future", "forced_now"
_MOST = 200


def text() -> str:
    """What is forced, as the address has it."""
    # Not state.value: what was emptied is not what the address still has.
    return (st.session_state if state.FORCED in st.session_state else st.query_params).get(state.FORCED) or ""


def put(new: str) -> None:
    """Force something else, and remember what was forced; to be called in a callback."""
    if new == (now := st.session_state.get(_NOW, text())):
        return
    past = st.session_state.setdefault(_PAST, [])
    past.append(now)
    del past[:-_MOST]
    st.session_state[_FUTURE] = []
    _show(new)


def typed() -> None:
    """Take over what was typed."""
    put(st.session_state[state.FORCED] or "")


def undo() -> None:
    """Go back to what was forced before."""
    _step(_PAST, _FUTURE)


def redo() -> None:
    """Go forward again to what was undone."""
    _step(_FUTURE, _PAST)


def can_undo() -> bool:
    """Whether anything was forced before."""
    return bool(st.session_state.get(_PAST))


def can_redo() -> bool:
    """Whether anything was undone."""
    return bool(st.session_state.get(_FUTURE))


def clicked(forced: ForcedRoute, name: str, *, is_open: bool) -> ForcedRoute:
    """What a click on a path or cell makes of what is forced, as the screen's choice of a click says."""
    how = st.session_state.get(state.CLICK) or TURN
    if how == ASK:
        return forced.release(name)
    if how == SET:
        return forced.change(name, st.session_state.get(state.FORCE_TO, 0.5))
    return forced.change(name, "shut" if is_open else "open")


def read(space: RoutingSpace) -> ForcedRoute:
    """What is forced, in a space; raises InputError where the text does not fit it."""
    now = text()
    st.session_state[_NOW] = now
    return ForcedRoute.from_text(space, now)


def _step(back: str, forth: str) -> None:
    if st.session_state.get(back):
        st.session_state.setdefault(forth, []).append(text())
        _show(st.session_state[back].pop())


def _show(new: str) -> None:
    st.session_state[state.FORCED] = st.session_state[_NOW] = new
