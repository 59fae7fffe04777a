"""The lattice as an SVG: one drawing for the notebook, the dashboard and the report.

`lattice_data` (in ``drawing.py``) decides everything that is drawn; `lattice_svg` writes it as a file of its own, and
``lattice.js`` draws and repaints the same data in a browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from routeviz.errors import InputError
from routeviz.space.difference import difference_data
from routeviz.space.drawing import PASSED, PIN, RAMP_STEPS, SECOND, THICK, THIN, lattice_data
from routeviz.space.space import RoutingSpace

__all__ = ["THEMES", "Theme", "difference_data", "difference_svg", "lattice_data", "lattice_svg"]


@dataclass(frozen=True)
class Theme:
    """Colours as ``#rrggbb``: background, text, quiet text, candidates, image-blind, selection, differences, ramp."""

    paper: str
    ink: str
    soft: str
    faint: str
    blind: str
    accent: str
    differs: str
    ramp: tuple[str, ...]


THEMES = {
    "light": Theme(
        "#ffffff", "#1f2933", "#5f6b7a", "#c3cad4", "#b45309", "#d6125b", "#d0021b",
        ("#37a08e", "#2f95a0", "#2e87a9", "#3177ab", "#3866a6", "#3f549b", "#413f89", "#3b2a70", "#2c1552"),
    ),
    "dark": Theme(
        "#0e1117", "#e6e9ef", "#98a2b3", "#414a58", "#ff9f43", "#ff5d8f", "#ff5a52",
        ("#5a78c8", "#5488cf", "#4f98d0", "#4fa9cb", "#5bbabf", "#78cab0", "#9fd8a0", "#c9e494", "#f4ee8e"),
    ),
}  # fmt: skip
"""The two themes; every colour of ``ramp`` stands out from ``paper`` by at least 3:1, from activation 0 to 1."""


def lattice_svg(
    space: RoutingSpace,
    activations: np.ndarray | None = None,
    *,
    title: str = "",
    static: bool = False,
    theme: str = "light",
    width: int | None = None,
) -> str:
    """Draw a space, or one route through it, as an SVG that needs nothing beside it.

    Parameters
    ----------
    space : RoutingSpace
    activations : array-like, (path,), optional
        As for :func:`lattice_data`.
    title : str
        Written above the lattice; any text.
    static : bool
        As for :func:`lattice_data`.
    theme : str
        ``"light"`` or ``"dark"``.
    width : int, optional
        Width in pixels; the height follows. The default is the drawing's own.

    Returns
    -------
    str
        One ``<svg>`` element. Hovering a cell or a path shows its values where the viewer knows ``<title>``.

    Raises
    ------
    InputError
        If the theme is unknown or the activations do not fit the space.
    """
    return _svg(lattice_data(space, activations, static=static), title or "routing space", bool(title), theme, width)


def difference_svg(
    space: RoutingSpace,
    left: np.ndarray,
    right: np.ndarray,
    *,
    names: tuple[str, str] = ("left", "right"),
    title: str = "",
    theme: str = "light",
    width: int | None = None,
) -> str:
    """Draw how two routes differ, as an SVG that needs nothing beside it.

    Red and dashed is what only the left one opens, red and dotted what only the right one opens, grey what both open.

    Parameters
    ----------
    space : RoutingSpace
    left, right : array-like, (path,)
        As for `difference_data`, which says what is drawn.
    names : pair of str
        What the two are called; any text.
    title, theme, width
        As for :func:`lattice_svg`.
    """
    data = difference_data(space, left, right, names=names)
    return _svg(data, title or f"{names[0]} and {names[1]}", bool(title), theme, width)


def _svg(data: dict[str, Any], title: str, shown: bool, theme: str, width: int | None) -> str:
    if theme not in THEMES:
        raise InputError(f"unknown theme {theme!r}; valid: {', '.join(THEMES)}")
    colours = THEMES[theme]
    head = 24 if shown else 0
    size = data["width"], data["height"] + head
    scale = 1 if width is None else width / size[0]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0] * scale:g}" '
        f'height="{size[1] * scale:g}" role="img" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{_text(title)}</title>",
        f'<rect width="100%" height="100%" fill="{colours.paper}"/>',
    ]
    if shown:
        parts.append(f'<text x="12" y="20" font-size="14" font-weight="600" fill="{colours.ink}">{_text(title)}</text>')
    parts += [f'<g transform="translate(0 {head})">', *_elements(data, colours), "</g>", "</svg>"]
    return "".join(parts)


def _elements(data: dict[str, Any], theme: Theme) -> Iterator[str]:
    """The drawing, back to front: frame, candidate paths, what flows, cells, legend."""
    for text in data["texts"]:
        yield (
            f'<text x="{text["x"]}" y="{text["y"]}" text-anchor="{text["anchor"]}" fill="{theme.soft}">'
            f"{_text(text['text'])}</text>"
        )
    x0, y, x1 = data["stem"]
    yield f'<path d="M{x0} {y}H{x1}" stroke="{theme.soft}" stroke-width="1.5"/>{_head(x1, y, 0, 1.5, theme.soft)}'
    box = data["decoder"]
    x, y = box["x"] + 17, box["y"] + box["height"] / 2
    yield (
        f'<rect x="{box["x"]}" y="{box["y"]}" width="{box["width"]}" height="{box["height"]}" rx="5" fill="none" '
        f'stroke="{theme.soft}"/><text x="{x}" y="{y}" text-anchor="middle" fill="{theme.soft}" '
        f'transform="rotate(-90 {x} {y})">{box["text"]}</text>'
    )
    yield f'<g fill="none" stroke="{theme.faint}">'
    yield from (f'<path d="{path["d"]}"/>' for path in data["paths"])
    yield "</g>"
    for index, path in enumerate(data["paths"]):
        kind, line = data["path_kind"][index], data["path_width"][index]
        label = f"<title>{_text(data['path_text'][index])}</title>"
        if kind:
            colour = _stroke_colour(data, kind, data["path_level"][index], theme)
            head = _head(*path["tip"], line, colour) if data["strokes"][kind]["open"] else ""
            pin = _pin(*path["pin"], theme) if data["path_forced"][index] else ""
            yield f"<g>{label}{_stroke(data, path['d'], kind, line, colour)}{head}{pin}</g>"
        else:
            hit = f'fill="none" stroke="{theme.paper}" stroke-opacity="0" stroke-width="7"'
            yield f'<path d="{path["d"]}" {hit}>{label}</path>'
            if data["path_forced"][index]:
                yield _pin(*path["pin"], theme)
    for index, cell in enumerate(data["cells"]):
        yield (
            f'<g transform="translate({cell["x"]} {cell["y"]})"><title>{_text(data["cell_text"][index])}</title>'
            f"{_mark(data['marks'][data['cell_kind'][index]], theme)}</g>"
        )
    for item in data["legend"]:
        yield _legend_sample(data, item, theme)
        yield f'<text x="{item["text_x"]}" y="{item["y"] + 4}" fill="{theme.ink}">{_text(item["text"])}</text>'


def _stroke_colour(data: dict[str, Any], kind: str, level: int, theme: Theme) -> str:
    token = data["strokes"][kind]["colour"]
    return getattr(theme, token) if token else theme.ramp[level]


def _stroke(data: dict[str, Any], d: str, kind: str, width: float, colour: str) -> str:
    how = data["strokes"][kind]
    dash = f' stroke-dasharray="{how["dash"]}"' if how["dash"] else ""
    cap = ' stroke-linecap="round"' if how["round"] else ""
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dash}{cap}/>'


def _head(x: float, y: float, angle: float, width: float, colour: str) -> str:
    return (
        f'<path d="M-3-3.5L4 0L-3 3.5Z" fill="{colour}" '
        f'transform="translate({x:g} {y:g}) rotate({angle:g}) scale({0.8 + width / 8:.2f})"/>'
    )


def _pin(x: float, y: float, theme: Theme) -> str:
    shape = f'd="{PIN}" transform="translate({x:g} {y:g})"'
    return f'<path {shape} fill="{theme.paper}" stroke="{theme.accent}" stroke-width="2"/>'


def _mark(mark: dict[str, Any], theme: Theme) -> str:
    colour = getattr(theme, mark["colour"])
    fill = colour if mark["filled"] else theme.paper
    return f'<path d="{mark["d"]}" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>'


def _legend_sample(data: dict[str, Any], item: dict[str, Any], theme: Theme) -> str:
    x, y, kind = item["x"], item["y"], item["kind"]
    if item["sort"] in ("mark", "marks"):
        kinds = [kind] if item["sort"] == "mark" else [f"open {kind}", f"closed {kind}"]
        return "".join(
            f'<g transform="translate({x + SECOND * place} {y}) scale(0.85)">{_mark(data["marks"][kind], theme)}</g>'
            for place, kind in enumerate(kinds)
        )
    if item["sort"] == "pin":
        return _pin(x, y, theme)
    if item["sort"] == "ramp":
        widths = np.linspace(THIN, THICK, RAMP_STEPS)
        return "".join(
            f'<path d="M{x - 6 + 8 * step} {y}h8" stroke="{colour}" stroke-width="{width:.2f}"/>'
            for step, (colour, width) in enumerate(zip(theme.ramp, widths, strict=True))
        )
    d = f"M{x - 6} {y}h34"
    if item["sort"] == "candidate":
        return f'<path d="{d}" stroke="{theme.faint}"/>'
    width = 3.5 if data["strokes"][kind]["open"] else PASSED
    return _stroke(data, d, kind, width, _stroke_colour(data, kind, RAMP_STEPS // 2, theme))


def _text(text: str) -> str:
    """Escape any text for XML; characters that XML does not allow become a question mark."""
    return escape(re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text))
