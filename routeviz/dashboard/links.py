"""From view to view: what was chosen goes along, and comes back from the address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from routeviz.dashboard import state

VIEWS = Path(__file__).parent / "views"


def file_of(view: str) -> Path:
    """Page file of a view, which is named as in its address."""
    return VIEWS / f"{view.replace('-', '_')}.py"


def open_view(view: str, **values: object) -> None:
    """Show another view, with some values of its bound widgets set; to be called in a callback.

    Parameters
    ----------
    view : str
        As in its address: ``"inspect"``, ``"population"``, ``"what-if"``, ...
    **values
        By name of the widget (those in `state`), as the widget gives them. All others stay as they are.
    """
    for key, value in values.items():
        st.session_state[key] = value
    # Parameters handed over here must not be bound on this page. The widgets of the other page write theirs anew.
    st.switch_page(file_of(view), query_params={})


def open_image(id_: str) -> None:
    """Open an image in Inspect; to be called in a callback."""
    open_view("inspect", **{state.IMAGE: id_})


def link(
    view: str, label: str, *, key: str, icon: str | None = None, help: str | None = None, **values: object
) -> None:
    """Draw what leads to another view; parameters are those of `open_view`."""
    st.button(label, key=key, icon=icon, help=help, type="tertiary", on_click=open_view, args=(view,), kwargs=values)


def address(view: str, **values: object) -> str:
    """Address of a view, from this server's root, that shows these values: to be copied or sent."""
    given = {key: value for key, value in values.items() if value not in (None, "", [], ())}
    # The first view is found at the root.
    return ("/" if view == "inspect" else f"/{view}") + (f"?{urlencode(given, doseq=True)}" if given else "")
