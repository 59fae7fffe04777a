"""The catalogue's figures as parts of a page."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

from tqdm import tqdm

from routeviz.errors import DatasetError, InputError
from routeviz.plots import render_figure
from routeviz.plots.catalogue import FIGURES, Material
from routeviz.plots.style import WIDTHS, inches

MOST_SVG = 350_000
"""Bytes of a drawing beyond which it is shown as pixels."""

DPI = 160


class Drawn(NamedTuple):
    """A figure of the catalogue as HTML; one that is wide takes a row of its own."""

    name: str
    title: str
    caption: str
    html: str
    wide: bool


def drawn_figures(material: Material, *, progress: bool = False) -> tuple[list[Drawn], dict[str, str]]:
    """Draw every figure of the catalogue that there is material for.

    Returns
    -------
    figures : list of Drawn
    left_out : dict of str to str
        The others by name, and why they cannot be drawn.
    """
    figures, left_out = [], {}
    for name, figure in tqdm(FIGURES.items(), desc="drawing", unit="figure", disable=not progress, delay=2):
        try:
            sheet = figure.describe(material)
        except (InputError, DatasetError) as error:
            left_out[name] = str(error)
            continue
        svg = render_figure(sheet, formats=["svg"], dpi=DPI)["svg"].decode()
        if len(svg) > MOST_SVG:
            pixels = base64.b64encode(render_figure(sheet, formats=["png"], dpi=DPI)["png"]).decode()
            html = f'<img alt="" src="data:image/png;base64,{pixels}">'
        else:
            html = _inline(svg, name)
        figures.append(Drawn(name, *figure.words(material.log), html, inches(sheet.width) > WIDTHS["column"]))
    return figures, left_out


def _inline(svg: str, name: str) -> str:
    """One SVG among others in a page: without what only a file needs, and with ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Matplotlib names pictures after their pixels: equal ones would share an id, to which nothing refers.
    svg = re.sub(r'(<image\b[^>]*?) id="image\w+"', r"\1", svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    # Its rules are for all that a file holds, which here is one figure of the page.
    svg = re.sub(r"(<style[^>]*>)\s*\*", rf"\g<1>#{name} *", svg)
    return re.sub(r">\s+<", "><", svg).replace("<svg ", '<svg aria-hidden="true" ', 1)
