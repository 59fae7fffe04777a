"""Writing figures to files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from routeviz.errors import InputError
from routeviz.plots.sheet import Sheet
from routeviz.plots.style import inches

FORMATS = ("pdf", "svg", "png")


def save_figure(figure: Any, path: str | Path, *, formats: Sequence[str] = FORMATS, dpi: int = 300) -> list[Path]:
    """Write what a ``plot_*`` returned.

    Parameters
    ----------
    figure : Axes, ndarray of Axes, or plotly Figure
        The figure of the axes is written whole.
    path : path
        Without suffix; each format adds its own.
    formats : sequence of str
        Of a matplotlib figure: ``"pdf"`` (fonts embedded as TrueType), ``"svg"`` (text as outlines), ``"png"``. A
        plotly figure becomes one ``.html`` that needs no network.
    dpi : int
        Of PNG, and of pictures inside PDF and SVG.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    InputError
        If a format is unknown.
    """
    formats = _known(formats)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if type(figure).__module__.startswith("plotly."):
        return import_module("routeviz.plots.screen").save(figure, path)
    return import_module("routeviz.plots.paper").save(figure, path, formats=formats, dpi=dpi)


def render_figure(
    sheet: Sheet,
    *,
    formats: Sequence[str] = FORMATS,
    width: str | float | None = None,
    dpi: int = 300,
    about: str = "",
) -> dict[str, bytes]:
    """Draw a description for paper and give its files; it needs no display, and works on any thread.

    Parameters
    ----------
    sheet : Sheet
        What ``plot_*.describe(...)`` gives.
    formats : sequence of str
        As of `save_figure`.
    width : str or float, optional
        ``"column"`` (3.25 in), ``"text"`` (6.875 in) or inches; by default the sheet's own.
    dpi : int
        Of PNG, and of pictures inside PDF and SVG.
    about : str
        Where the figure is from; kept in each file's own description.

    Returns
    -------
    dict of str to bytes
        The file of each format.
    """
    draw = import_module("routeviz.plots.paper").render
    width = inches(sheet.width if width is None else width)
    return draw(sheet, formats=_known(formats), width=width, dpi=dpi, about=about)


def _known(formats: Sequence[str]) -> tuple[str, ...]:
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    if unknown := [name for name in formats if name not in FORMATS]:
        raise InputError(f"unknown format {unknown[0]!r}; valid: {', '.join(FORMATS)}")
    return formats
