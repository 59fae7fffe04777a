"""Own parts of the screen, drawn in the browser: the lattice, the gallery, the list of classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from routeviz.dashboard import state
from routeviz.dashboard.words import hint
from routeviz.space import RoutingSpace
from routeviz.space.drawing import PASSED, stroke
from routeviz.space.svg import THEMES, difference_data, lattice_data


class Figure(NamedTuple):
    """A picture (``src``: a data URI) or a note in its place, with its caption and shape (``width / height``)."""

    caption: str
    src: str = ""
    note: str = ""
    shape: str = "4 / 3"
    sharp: bool = False


def text_of(package: str, name: str) -> str:
    """A file of a package, as text."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def theme_css() -> str:
    """Both themes as CSS variables of the attribute that the scripts set."""
    rules = []
    for name, theme in THEMES.items():
        colours = {
            "ink": theme.ink,
            "soft": theme.soft,
            "faint": theme.faint,
            "blind": theme.blind,
            "accent": theme.accent,
            "differs": theme.differs,
        }
        colours |= {f"ramp-{step}": colour for step, colour in enumerate(theme.ramp)}
        body = "".join(f"--rv-{token}:{colour};" for token, colour in colours.items())
        rules.append(f'[data-theme="{name}"]{{{body}}}')
    return "".join(rules)


FEW_ROWS, SCROLLED = 7, 300

_lattice = st.components.v2.component(
    "routeviz_lattice",
    js=text_of("routeviz.space", "lattice.js"),
    css=theme_css() + text_of("routeviz.space", "lattice.css"),
)
_tab = st.components.v2.component("routeviz_tab", js=text_of("routeviz.dashboard", "tab.js"))
_gallery = st.components.v2.component(
    "routeviz_gallery",
    js=text_of("routeviz.dashboard", "gallery.js"),
    css=text_of("routeviz.dashboard", "panels.css"),
)
_classes = st.components.v2.component(
    "routeviz_classes",
    js=text_of("routeviz.dashboard", "classes.js"),
    css=text_of("routeviz.dashboard", "panels.css"),
)
_figures = st.components.v2.component(
    "routeviz_figures",
    js=text_of("routeviz.dashboard", "figures.js"),
    css=text_of("routeviz.dashboard", "panels.css"),
)


def lattice(
    space: RoutingSpace,
    activations: np.ndarray | None = None,
    *,
    key: str,
    selected: str = "",
    on_select: Callable[[], None] | None = None,
    on_click: Callable[[], None] | None = None,
    forced: np.ndarray | None = None,
    static: bool = False,
    title: str = "",
    path_notes: Mapping[str, Sequence[object]] | None = None,
    cell_notes: Mapping[str, Sequence[object]] | None = None,
    bare: bool = False,
    weights: tuple[str, np.ndarray] | None = None,
) -> None:
    """Draw a route; a click or Enter on a cell or path sets ``selected`` (its short name) in the state of `key`.

    With `on_click` every click counts, also a second one on the same, and sets ``clicked`` while that is called. Paths
    that are ``forced``, (path,) bool, are marked; of a ``static`` network only its own cells are drawn. Threshold and
    moves are switched in the browser, without a word to the server, and stand behind the # of the address. A ``bare``
    drawing has neither these controls nor a legend. With ``weights``, what they are called and (path,) from 0 to 1,
    these and not activations are width and colour.
    """
    data = lattice_data(space, activations, forced=forced, static=static, path_notes=path_notes, cell_notes=cell_notes)
    data |= {"selected": selected, "title": title, "clicks": on_click is not None}
    data["remembered"] = "" if weights is None else "weights_"
    if weights is not None:
        words, values = weights
        widths, levels = stroke(values)
        data["digest"] += words
        data["path_level"] = levels.tolist()
        data["path_width"] = np.where(np.array(data["path_kind"]) == "passed", PASSED, widths).tolist()
        data["legend"] = [item | ({"text": words} if item["sort"] == "ramp" else {}) for item in data["legend"]]
    data["legend"] = hinted(data["legend"], space)
    if bare:
        data |= {"controls": False, "legend": []}
        del data["remembered"]
    _lattice(key=key, data=data, on_selected_change=on_select or _nothing, on_clicked_change=on_click or _nothing)


def difference(
    space: RoutingSpace,
    left: np.ndarray,
    right: np.ndarray,
    *,
    key: str,
    names: tuple[str, str],
    opens: tuple[np.ndarray, np.ndarray] | None = None,
    rows: str = "images",
    selected: str = "",
    on_select: Callable[[], None] | None = None,
    on_click: Callable[[], None] | None = None,
    title: str = "",
) -> None:
    """Draw how two routes, or the means of two sets, differ: see `routeviz.space.svg.difference_data` and `lattice`."""
    data = difference_data(space, left, right, opens=opens, names=names, rows=rows)
    data |= {"selected": selected, "title": title, "clicks": on_click is not None, "remembered": ""}
    data["legend"] = hinted(data["legend"], space)
    _lattice(key=key, data=data, on_selected_change=on_select or _nothing, on_clicked_change=on_click or _nothing)


def hinted(legend: Iterable[Mapping[str, Any]], space: RoutingSpace) -> list[dict[str, Any]]:
    """A lattice's legend with what hovering an entry says."""
    return [{**item, "hint": hint(item["text"], space)} for item in legend]


def gallery(pictures: Sequence[Mapping[str, str]], *, key: str, chosen: str, on_choose: Callable[[], None]) -> None:
    """Show thumbnails (``id``, ``src``: a data URI, ``note``); a click sets ``chosen`` in the state of `key`."""
    _gallery(key=key, data={"pictures": list(pictures), "chosen": chosen}, on_chosen_change=on_choose)


def legend(names: Iterable[str], colours: np.ndarray, ious: Iterable[float], *, key: str) -> None:
    """Show classes with their colours, ``(class, 3)`` uint8, and bars of their IoU, 0 to 1 or NaN."""
    rows = [
        {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colour), "iou": None if np.isnan(iou) else float(iou)}
        for name, colour, iou in zip(names, colours, ious, strict=False)
    ]
    if rows:
        _classes(key=key, data={"rows": rows})


def figures(pictures: Sequence[Figure], *, key: str, columns: int | None = None) -> None:
    """Show pictures side by side; one that is not at hand is a box with a note."""
    _figures(
        key=key, data={"figures": [picture._asdict() for picture in pictures], "columns": columns or len(pictures)}
    )


def table_height(rows: int) -> int | str:
    """Height of a table: as high as it is, without empty rows, or so high that it is scrolled."""
    return SCROLLED if rows > FEW_ROWS else "content"


def tab(word: str) -> None:
    """Have the browser's Back lead to what was on the screen before, and a cookie keep a secret word; draws nothing.

    Where the cookie holds another word already, the page says that one.
    """
    _tab(key=state.TAB, data={state.OWNER: word}, on_owner_change=_nothing)


def _nothing() -> None:
    """Streamlit reports a component's state only where there is a callback."""
