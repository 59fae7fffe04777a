"""Writing figures to files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from routeviz.errors import InputError

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
    if isinstance(formats, str):
        formats = (formats,)
    if unknown := [name for name in formats if name not in FORMATS]:
        raise InputError(f"unknown format {unknown[0]!r}; valid: {', '.join(FORMATS)}")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if type(figure).__module__.startswith("plotly."):
        return import_module("routeviz.plots.screen").save(figure, path)
    return import_module("routeviz.plots.paper").save(figure, path, formats=formats, dpi=dpi)
