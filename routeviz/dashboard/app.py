"""The frame around the views: page settings and navigation."""

from __future__ import annotations

import gc
from functools import cache
from importlib import import_module
from threading import Thread
from types import CodeType

import streamlit as st
from PIL import Image, ImageDraw

from routeviz.dashboard import components, owner, state
from routeviz.dashboard.links import file_of
from routeviz.dashboard.words import plain
from routeviz.errors import RoutevizError

# A named icon would be fetched from another host.
_ICON = ((8, 8), (24, 8), (24, 24))

# Streamlit's wide layout leaves a sixth of a small screen empty, and marks lists that always have a choice. On a wide
# screen two lattices stand beside each other.
_STYLE = (
    "<style>.stMainBlockContainer { padding: 3.6rem 2rem 2rem; } "
    "[data-testid=stWidgetLabelRequired], .st-key-tab { display: none; } "
    "@media (min-width: 1600px) { .st-key-compare_sides { flex-direction: row; } "
    ".st-key-compare_sides > * { flex: 1 1 0; min-width: 0; } }</style>"
)

PAGES = (
    ("inspect", "Inspect", "search"),
    ("population", "Population", "scatter_plot"),
    ("compare", "Compare", "compare_arrows"),
    ("checkpoints", "Checkpoints", "show_chart"),
    ("architectures", "Architectures", "account_tree"),
    ("what-if", "What if", "alt_route"),
    ("figures", "Figures", "photo_library"),
)
"""Views in the order of the navigation: as in the address, title, icon; the first is shown without an address."""


SLOW = ("routeviz.dashboard.questions", "sklearn.cluster")
"""What views of statistics need, which takes a second or two to import."""


@st.cache_resource
def icon() -> Image.Image:
    """Three cells and the path through them."""
    picture = Image.new("RGBA", (32, 32))
    pen = ImageDraw.Draw(picture)
    pen.line(_ICON, fill="#3866a6", width=4)
    for x, y in _ICON:
        pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill="#3866a6")
    return picture


@cache
def code_of(view: str) -> CodeType:
    """What a view's file runs."""
    return compile(file_of(view).read_bytes(), str(file_of(view)), "exec")


def main() -> None:
    """Draw the page that the address asks for."""
    st.set_page_config(page_title="routeviz", page_icon=icon(), layout="wide", initial_sidebar_state=250)
    st.html(_STYLE)
    pages = [
        st.Page(file_of(view), title=title, icon=f":material/{icon}:", url_path=view, default=view == PAGES[0][0])
        for view, title, icon in PAGES
    ]
    page = st.navigation(pages, position="top")
    st.session_state[state.VIEW] = page.url_path
    components.tab(owner.word())
    try:
        # Not page.run(): widgets that several views have in common must be the same ones to streamlit, or their values
        # are lost on the way from one view to the next, and so are their parameters in the address.
        exec(code_of(page.url_path or PAGES[0][0]), {"__name__": "__main__"})
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
    _prepare()


@st.cache_resource(show_spinner=False)
def _prepare() -> Thread:
    """Do, once and while a first page is looked at, what would let later ones wait."""
    thread = Thread(target=_settle, daemon=True)
    thread.start()
    return thread


def _settle() -> None:
    for name in SLOW:
        import_module(name)
    # Streamlit collects garbage at the end of every run, before the browser is told of all of it. Going through the
    # objects of torch, SciPy and their like takes a fifth of a second, and they are never garbage.
    gc.collect()
    gc.freeze()
