"""What the drawing of two routes' difference shows: paths open on the left only, on the right only, in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from routeviz.errors import InputError
from routeviz.space.drawing import RAMP_STEPS, LegendEntry, Stroke, annotated, cell_words, geometry, stroke
from routeviz.space.space import RoutingSpace
from routeviz.space.states import open_paths

HALF = 0.5
SIDES = ("neither", "left", "right", "both")
LEAST = 2.5
"""Least width in pixels of a path that only one side opens: what is looked for must not be the weakest line."""

STROKES = {
    "left": Stroke("9 4", colour="differs"),
    "right": Stroke("0.1 7", True, "differs"),
    "both": Stroke(colour="soft"),
}
_DISC = "M-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0Z"
# A disc of which one half is filled, and the ring that closes the other half.
MARKS = {
    "neither": ("M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z", "soft", False),
    "left": ("M0-7a7 7 0 0 0 0 14ZM0-7a7 7 0 0 1 0 14v-1a6 6 0 0 0 0-12Z", "differs", True),
    "right": ("M0-7a7 7 0 0 1 0 14ZM0-7a7 7 0 0 0 0 14v-1a6 6 0 0 1 0-12Z", "differs", True),
    "both": (_DISC, "ink", True),
}


def difference_data(
    space: RoutingSpace,
    left: np.ndarray,
    right: np.ndarray,
    *,
    opens: tuple[np.ndarray, np.ndarray] | None = None,
    names: tuple[str, str] = ("left", "right"),
    rows: str = "images",
    path_notes: Mapping[str, Sequence[object]] | None = None,
    cell_notes: Mapping[str, Sequence[object]] | None = None,
) -> dict[str, Any]:
    """Describe the drawing of how two routes, or two sets of routes, differ.

    What only one side opens is red, dashed where it is the left one and dotted where it is the right one; the width of
    a path is how far the two activations are apart, at least 2.5 pixels. What both open is grey, as wide as their mean
    activation.

    Parameters
    ----------
    space : RoutingSpace
    left, right : array-like, (path,)
        Activations in [0, 1], of a route or the mean of several; NaN counts as 0.
    opens : pair of array-like, (path,), optional
        Share of each side's images that open a path; a side opens the paths that at least half of its images open.
        The default is what the activations open as routes.
    names : pair of str
        What the sides are called; any text.
    rows : str
        What a side is made of, for the words: ``images``, ``tokens``, ``architectures``.
    path_notes, cell_notes : mapping of str to sequence, optional
        As for `lattice_data`.

    Returns
    -------
    dict
        As `lattice_data` gives it. ``path_kind`` is left, right, both or empty; ``cell_kind`` is left, right, both or
        neither: whether a side opens a path of the cell.

    Raises
    ------
    InputError
        If the activations, shares or notes do not fit the space.
    """
    values = np.nan_to_num(np.array([left, right], dtype=np.float32))
    if values.shape != (2, space.n_paths):
        raise InputError(f"activations of shape {values.shape[1:]}; this space has {space.n_paths} paths")
    shares = open_paths(space, values).astype(np.float32) if opens is None else np.array(opens, dtype=np.float32)
    if shares.shape != values.shape:
        raise InputError(f"shares of shape {shares.shape[1:]}; this space has {space.n_paths} paths")
    is_open = shares >= HALF
    live = np.zeros((2, space.n_cells), bool)
    for side in range(2):
        np.logical_or.at(live[side], space.source, is_open[side])
    gap, mean = np.abs(values[0] - values[1]).astype(float), values.mean(axis=0).astype(float)
    side_of = is_open[0] + 2 * is_open[1]
    widths = np.where(side_of == SIDES.index("both"), stroke(mean)[0], np.maximum(stroke(gap)[0], LEAST))
    # A browser builds a drawing anew, legend and all, where the mode is another.
    data = geometry(space, _legend(names), mode="\n".join(("difference", *names)), strokes=STROKES, marks=MARKS)
    path_text = [
        f"{path['name']}\n{_side(names[0], *one, rows)}\n{_side(names[1], *other, rows)}\n{_verdict(side, names)}"
        for path, one, other, side in zip(
            data["paths"],
            zip(values[0], shares[0], strict=True),
            zip(values[1], shares[1], strict=True),
            side_of,
            strict=True,
        )
    ]
    cell_side = live[0] + 2 * live[1]
    cell_text = [f"{cell}\n{_verdict(side, names)}" for cell, side in zip(cell_words(space), cell_side, strict=True)]
    return data | {
        "activation": np.round(values.max(axis=0).astype(float), 4).tolist(),
        "path_kind": np.array(["", *SIDES[1:]])[side_of].tolist(),
        "path_width": widths.tolist(),
        "path_level": [RAMP_STEPS // 2] * space.n_paths,
        "cell_kind": np.array(SIDES)[cell_side].tolist(),
        "path_text": annotated(path_text, path_notes),
        "cell_text": annotated(cell_text, cell_notes),
    }


def _legend(names: tuple[str, str]) -> tuple[LegendEntry, ...]:
    left, right = (_short(name) for name in names)
    return (
        ("path", "left", f"path: only {left}"),
        ("path", "right", f"path: only {right}"),
        ("path", "both", "path: both"),
        ("candidate", "", "path: neither"),
        ("mark", "left", f"cell: only {left}"),
        ("mark", "right", f"cell: only {right}"),
        ("mark", "both", "cell: both"),
        ("mark", "neither", "cell: neither"),
    )


def _short(name: str) -> str:
    words = " ".join(str(name).split())
    return words if len(words) <= 14 else f"{words[:13]}…"


def _side(name: str, activation: float, share: float, rows: str) -> str:
    words = ("shut", "open")[int(share)] if share in (0, 1) else f"open in {100 * share:.0f}% of its {rows}"
    return f"{name}: activation {activation:.4g}, {words}"


def _verdict(side: int, names: tuple[str, str]) -> str:
    return ("open in neither", f"open in {names[0]} only", f"open in {names[1]} only", "open in both")[side]
