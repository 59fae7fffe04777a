"""What the address asks for: it names every choice among what is here, and what is not here is told, not replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import streamlit as st
from streamlit.errors import StreamlitAPIException

from routeviz.dashboard import state
from routeviz.dashboard.words import plain

_MISSED = "missed"
_UNLISTED = "is not in the list here"


class Missed(NamedTuple):
    """What an address asked for that is not here, what is said of it, and the value that it is said beside."""

    asked: str
    why: str
    instead: str
    beside: str | None = None


def choose(
    label: str,
    options: Sequence[str],
    first: Callable[[], str],
    *,
    key: str,
    why: Mapping[str, str] | None = None,
    **look: Any,
) -> str:
    """Offer what is here, as a list whose choice the address names whatever it is; `say` is to be called after it.

    Parameters
    ----------
    label : str
    options : sequence of str
        Not empty.
    first : callable
        What is shown where neither the address nor the user has chosen.
    key : str
        Name of the widget, one of those in `state`.
    why : mapping of str to str, optional
        Why something that an address may ask for is not among the options, where more is known of it.
    **look
        As `streamlit.selectbox` takes it.
    """
    begin(key, options, first, why)
    # Without a default of its own: a widget leaves that out of the address, and on another server it may be another.
    chosen = st.selectbox(label, options, index=None, required=True, key=key, bind=state.BOUND, **look)
    if chosen is None:
        st.rerun()  # on the way back, to an address from before anything was chosen
    return chosen


def begin(key: str, options: Sequence[Any], first: Callable[[], Any], why: Mapping[str, str] | None = None) -> None:
    """Give a bound widget a value before it is drawn, where what it has, or what the address asks for, is not here."""
    if key in st.session_state:
        if st.session_state[key] not in options:
            st.session_state[key] = first()
        else:
            keep(key)
        return
    asked = st.query_params.get(key)
    if asked in map(str, options):
        return
    shown = first()
    st.query_params[key] = str(shown)
    if asked is not None:
        _miss(key, asked, (why or {}).get(asked, _UNLISTED), f"shown is {shown}")
    st.session_state[key] = shown


def keep(key: str) -> None:
    """Bring what another view chose into the address: a widget that was never drawn does not write its value there."""
    if key in st.session_state and key not in st.query_params:
        st.session_state[key] = shown = st.session_state[key]
        with suppress(StreamlitAPIException):
            st.query_params[key] = str(shown).lower() if isinstance(shown, bool) else str(shown)


def begin_several(key: str, options: Sequence[str], first: Callable[[], list[str]]) -> None:
    """`begin` for a widget that takes several of the options; one of them is always chosen."""
    if key in st.session_state:
        if not set(st.session_state[key]) & set(options):
            st.session_state[key] = first()
        return
    asked = st.query_params.get_all(key)
    shown = [name for name in asked if name in options]
    if asked and shown == asked:
        return
    shown = shown or first()
    st.query_params[key] = shown
    if asked:
        _miss(key, _words([name for name in asked if name not in options]), _UNLISTED, f"shown is {_words(shown)}")
    st.session_state[key] = shown


def check(key: str, options: Sequence[Any], what: str = "") -> None:
    """Leave out what the address asks of a widget that has a default, before it is drawn, where it is not here.

    It is told here where `what` says what was asked for; else `say` is to be called after the widget is drawn.
    """
    _leave_out(key, lambda asked: asked in map(str, options), _UNLISTED)
    if what:
        say(key, what)


def check_number(key: str, low: float, high: float, what: str) -> None:
    """`check` of a widget that takes a number from one to another, both among them."""
    _leave_out(key, lambda asked: _between(asked, low, high), f"is no number from {low:,g} to {high:,g}")
    say(key, what)


def check_switch(key: str, what: str) -> None:
    """`check` of a widget that is on or off."""
    _leave_out(key, lambda asked: asked.lower() in ("true", "false"), "is neither true nor false")
    say(key, what)


def say(key: str, what: str) -> None:
    """Tell that an address asked for what is not here, until something else is chosen."""
    missed = st.session_state.get(_MISSED, {}).get(key)
    if missed is None:
        return
    now = _words(st.session_state[key]) if key in st.session_state else None
    if missed.beside not in (None, now):
        del st.session_state[_MISSED][key]
        return
    st.session_state[_MISSED][key] = missed._replace(beside=now)
    words = f"The address asks for the {what} {missed.asked}, which {missed.why}; {missed.instead}."
    st.warning(plain(words), icon=":material/link_off:")


def _words(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _leave_out(key: str, here: Callable[[str], bool], why: str) -> None:
    asked = st.query_params.get(key)
    if key not in st.session_state and asked is not None and not here(asked):
        del st.query_params[key]
        _miss(key, asked, why, "it is left out")


def _between(asked: str, low: float, high: float) -> bool:
    try:
        return low <= float(asked) <= high
    except ValueError:
        return False


def _miss(key: str, asked: str, why: str, instead: str) -> None:
    st.session_state.setdefault(_MISSED, {})[key] = Missed(asked, why, instead)
    # In this run the widget would still take what the address asked for, and drop it.
    st.rerun()
