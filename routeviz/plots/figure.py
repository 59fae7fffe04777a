"""From a description to a picture: the one place where a figure meets a backend."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from routeviz.errors import InputError
from routeviz.plots.sheet import Sheet
from routeviz.plots.style import inches

BACKENDS = ("paper", "screen")
"""``paper`` is matplotlib, ``screen`` plotly."""

_DRAWING = """\
ax : Axes, or plotly Figure or (Figure, row, column), optional
    Where to draw: one for each panel of the figure, in reading order. Without it a new figure is made.
backend : str
    ``"paper"`` (matplotlib) or ``"screen"`` (plotly).
width : str or float, optional
    ``"column"`` (3.25 in), ``"text"`` (6.875 in) or inches, of a new figure.

Returns
-------
Axes, ndarray of Axes, or plotly Figure
    Nothing is shown or saved."""

_OPTIONS = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
    for name, default in (("ax", None), ("backend", "paper"), ("width", None))
]


def figure(describe: Callable[..., Sheet]) -> Callable[..., Any]:
    """Make a function that describes a figure into one that draws it.

    Parameters
    ----------
    describe : function
        Data and options to a `Sheet`. It stays at hand as ``.describe``; its docstring ends with its parameters.

    Returns
    -------
    function
        Takes ``ax``, ``backend`` and ``width`` besides.
    """

    @wraps(describe)
    def plot(*args: Any, ax: Any = None, backend: str = "paper", width: str | float | None = None, **options: Any):
        if backend not in BACKENDS:
            raise InputError(f"unknown backend {backend!r}; valid: {', '.join(BACKENDS)}")
        sheet = describe(*args, **options)
        draw = import_module(f"routeviz.plots.{backend}").draw
        return draw(sheet, ax=ax, width=inches(sheet.width if width is None else width))

    signature = inspect.signature(describe)
    plot.__signature__ = signature.replace(
        parameters=[*signature.parameters.values(), *_OPTIONS], return_annotation=inspect.Signature.empty
    )
    plot.__doc__ = f"{inspect.cleandoc(describe.__doc__)}\n{_DRAWING}"
    plot.describe = describe
    return plot
