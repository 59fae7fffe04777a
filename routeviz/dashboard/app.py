"""The frame around the views: page settings and navigation."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from PIL import Image, ImageDraw

from routeviz.dashboard import state
from routeviz.dashboard.words import plain
from routeviz.errors import RoutevizError

# A named icon would be fetched from another host.
_ICON = ((8, 8), (24, 8), (24, 24))

# Streamlit's wide layout leaves a sixth of a small screen empty.
_STYLE = "<style>.stMainBlockContainer { padding: 3.6rem 2rem 2rem; }</style>"

VIEWS = Path(__file__).parent / "views"


@st.cache_resource
def icon() -> Image.Image:
    """Three cells and the path through them."""
    picture = Image.new("RGBA", (32, 32))
    pen = ImageDraw.Draw(picture)
    pen.line(_ICON, fill="#3866a6", width=4)
    for x, y in _ICON:
        pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill="#3866a6")
    return picture


def main() -> None:
    """Draw the page that the address asks for."""
    st.set_page_config(page_title="routeviz", page_icon=icon(), layout="wide", initial_sidebar_state=250)
    st.html(_STYLE)
    pages = [st.Page(VIEWS / "inspect.py", title="Inspect", icon=":material/search:", url_path="inspect", default=True)]
    page = st.navigation(pages, position="top")
    st.session_state[state.VIEW] = page.url_path
    try:
        page.run()
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
