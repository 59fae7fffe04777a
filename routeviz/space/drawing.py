"""What the drawing of a lattice shows, as plain numbers and words: geometry, marks, legend; no colours yet.

Coordinates depend on the space alone, so nothing moves from one image to the next.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from routeviz.errors import InputError
from routeviz.space.space import RoutingSpace
from routeviz.space.states import INPUTS, STATES, cell_states, open_paths, sent

ROW, LEFT, TOP, RIGHT, BOTTOM = 64, 118, 34, 64, 30
LEGEND_LINE, LEGEND_COLUMN = 24, 182
CELL_RADIUS = 7
RAMP_STEPS = 9
PITCH_RANGE = (34, 56)
THIN, THICK, PASSED = 1.5, 6.0, 1.8

SENT_WORDS = ("sends nothing", "carries zeros", "carries a constant, nothing of the image", "carries the image")
INPUT_WORDS = (
    "nothing arrives",
    "starved: only zeros arrive",
    "image-blind: only a constant arrives",
    "the image arrives",
)

_SHAPES = {
    "image": "M-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0Z",
    "zeros": "M0-9L9 0L0 9L-9 0Z",
    "constant": "M-6.5-6.5H6.5V6.5H-6.5Z",
}
# Shape says what arrives at a cell, filling says what the cell does; each mark is (outline, colour, filled).
MARKS: dict[str, tuple[str, str, bool]] = {
    "plain": ("M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z", "soft", False),
    "unreached none": ("M-3.5-3.5L3.5 3.5M-3.5 3.5L3.5-3.5", "soft", False),
    **{
        f"{state} {kind}": (outline + bar, "ink" if kind == "image" else "blind", state == "open")
        for kind, outline in _SHAPES.items()
        for state, bar in (("open", ""), ("closed", "M-13 0H13"))
    },
}


class Stroke(NamedTuple):
    """How a kind of path is drawn: dashes, round or not; a colour of the theme, or empty for the ramp of activations.

    Only paths that are ``open`` have an arrowhead, and are counted.
    """

    dash: str = ""
    round: bool = False
    colour: str = ""
    open: bool = True


STROKES = {"open": Stroke(), "blind": Stroke("7 4"), "passed": Stroke("0.1 5", True, "soft", False)}

PIN = "M0-4.5L4.5 0L0 4.5L-4.5 0Z"
"""Outline of the mark of a forced path."""

LegendEntry = tuple[str, str, str]

LEGEND: tuple[LegendEntry, ...] = (
    ("mark", "open image", "open cell"),
    ("mark", "closed image", "closed: input passes on"),
    ("mark", "unreached none", "unreached"),
    ("mark", "open zeros", "starved: zeros arrive"),
    ("mark", "open constant", "only a constant arrives"),
    ("ramp", "", "activation 0 to 1"),
    ("path", "blind", "open, image-blind"),
    ("path", "passed", "input passed on"),
    ("candidate", "", "candidate path"),
)
FORCED: LegendEntry = ("pin", "", "forced")


def lattice_data(
    space: RoutingSpace,
    activations: np.ndarray | None = None,
    *,
    forced: np.ndarray | None = None,
    path_notes: Mapping[str, Sequence[object]] | None = None,
    cell_notes: Mapping[str, Sequence[object]] | None = None,
) -> dict[str, Any]:
    """Describe the drawing of a space, or of one route through it, in values that JSON can hold.

    Parameters
    ----------
    space : RoutingSpace
        Any number of layers, scales and moves.
    activations : array-like, (path,), optional
        Activations in [0, 1]; NaN (the paths of unreached cells) counts as 0. Without them the bare space is drawn.
    forced : ndarray, (path,) bool, optional
        Paths that are marked as forced.
    path_notes, cell_notes : mapping of str to sequence, optional
        Further lines of what is shown on hover: a label, and one value for every path or cell.

    Returns
    -------
    dict
        Geometry, the same for every route of a space: ``digest``, ``width``, ``height``, ``body`` (height without the
        legend), ``pitch`` (pixels a layer), ``font``, ``texts``, ``stem``, ``decoder``, ``cells`` (``name``, ``x``,
        ``y``, ...), ``paths`` (``name``, ``short``, ``move``, ``d``, ``tip``: x, y and degrees of the arrowhead),
        ``source``, ``target``, ``moves``, ``legend``, ``marks``, ``strokes``. Paint: ``activation``, ``path_kind`` (a
        key of ``strokes``: open, blind, passed; or empty), ``path_width`` in pixels, ``path_level`` (step of the colour
        ramp), ``path_forced``, ``cell_kind`` (a key of ``marks``), and ``path_text``, ``cell_text`` for hover.

    Raises
    ------
    InputError
        If the activations or the notes do not fit the space.
    """
    data = geometry(space) if forced is None else geometry(space, (*LEGEND, FORCED), mode="forced")
    forced = np.zeros(space.n_paths, bool) if forced is None else np.asarray(forced, bool)
    data["path_forced"] = forced.tolist()
    names = [path["name"] for path in data["paths"]]
    places = [f"{name}, stride {stride}" for name, stride in zip(space.cell_names, space.cells.stride, strict=True)]
    if activations is None:
        data |= {
            "activation": [0.0] * space.n_paths,
            "path_kind": [""] * space.n_paths,
            "path_width": [0.0] * space.n_paths,
            "path_level": [0] * space.n_paths,
            "cell_kind": ["plain"] * space.n_cells,
        }
        path_text, cell_text = names, places
    else:
        gates = np.nan_to_num(np.asarray(activations, dtype=np.float32))[None]
        (state,), (kind,) = cell_states(space, gates)
        (carried,), (is_open,) = sent(space, gates), open_paths(space, gates)
        values = gates[0].astype(float)
        passed = (state[space.source] == STATES.index("closed")) & space.passes
        blind = is_open & (carried != INPUTS.index("image"))
        data |= {
            "activation": np.round(values, 4).tolist(),
            "path_kind": np.select([blind, is_open, passed], ["blind", "open", "passed"], "").tolist(),
            "path_width": np.where(is_open, np.round(THIN + (THICK - THIN) * values, 2), PASSED).tolist(),
            "path_level": np.rint(values * (RAMP_STEPS - 1)).astype(int).tolist(),
            "cell_kind": [f"{STATES[s]} {INPUTS[k]}" for s, k in zip(state, kind, strict=True)],
        }
        verdicts = np.select(
            [state[space.source] == STATES.index("unreached"), is_open, passed],
            ["cell unreached", "open", "cell closed, passes its input on"],
            "shut",
        )
        path_text = [
            f"{name}\nactivation {value:.4g}{', forced' * here}: {verdict}, {SENT_WORDS[code]}"
            for name, value, here, verdict, code in zip(names, values, forced.tolist(), verdicts, carried, strict=True)
        ]
        cell_text = [f"{place}\n{STATES[s]}; {INPUT_WORDS[k]}" for place, s, k in zip(places, state, kind, strict=True)]
    return data | {"path_text": annotated(path_text, path_notes), "cell_text": annotated(cell_text, cell_notes)}


def annotated(texts: list[str], notes: Mapping[str, Sequence[object]] | None) -> list[str]:
    """Add a line to each text for each note; raises InputError where a note has too few or too many values."""
    texts = list(texts)
    for label, values in (notes or {}).items():
        if len(values) != len(texts):
            raise InputError(f"note {label!r} has {len(values)} values; the space needs {len(texts)}")
        texts = [f"{text}\n{label}: {value}" for text, value in zip(texts, values, strict=True)]
    return texts


def geometry(
    space: RoutingSpace,
    legend: Sequence[LegendEntry] = LEGEND,
    *,
    mode: str = "",
    strokes: Mapping[str, Stroke] | None = None,
    marks: Mapping[str, tuple[str, str, bool]] | None = None,
) -> dict[str, Any]:
    """All of a drawing but its paint, for one kind (``mode``) of drawing: see `lattice_data`."""
    data = dict(_places(space))
    items, lines = _legend(data["width"], legend)
    top = data["body"] + 12
    return data | {
        "digest": f"{space.digest}{mode}",
        "legend": [{**item, "y": item["line"] * LEGEND_LINE + top} for item in items],
        "height": data["body"] + lines * LEGEND_LINE + 4,
        "strokes": {kind: stroke._asdict() for kind, stroke in (strokes or STROKES).items()},
        "marks": {
            kind: {"d": d, "colour": colour, "filled": filled} for kind, (d, colour, filled) in (marks or MARKS).items()
        },
        "pin": PIN,
        "path_forced": [False] * space.n_paths,
    }


@lru_cache(maxsize=32)
def _places(space: RoutingSpace) -> dict[str, Any]:
    pitch = int(np.clip(round(820 / (space.layers + 1)), *PITCH_RANGE))
    width = LEFT + space.layers * pitch + RIGHT + 24
    bottom = TOP + (space.scales - 1) * ROW

    def place(layer: int, scale: int) -> tuple[int, int]:
        return LEFT + int(layer) * pitch, TOP + int(scale) * ROW

    spots = [place(*spot) for spot in zip(space.cells.layer, space.cells.scale, strict=True)]
    ends = [place(*spot) for spot in zip(space.paths.target_layer, space.paths.target_scale, strict=True)]
    strides = space.cells.drop_duplicates("scale").sort_values("scale")
    texts = [
        {"x": 12, "y": TOP + int(scale) * ROW + 4, "text": f"stride {stride}", "anchor": "start"}
        for scale, stride in zip(strides.scale, strides.stride, strict=True)
    ]
    texts += [
        {"x": LEFT + layer * pitch, "y": 14, "text": str(layer), "anchor": "middle"}
        for layer in range(space.layers + 1)
    ]
    texts.append({"x": 12, "y": 14, "text": "layer", "anchor": "start"})
    texts.append({"x": spots[0][0] - 29, "y": spots[0][1] - 8, "text": "stem", "anchor": "middle"})
    exits = [end for end, leaves in zip(ends, space.exits, strict=True) if leaves]
    decoder = {
        "x": max((x for x, _ in exits), default=width - RIGHT) - 10,
        "y": min((y for _, y in exits), default=TOP) - 16,
        "height": max((y for _, y in exits), default=bottom) - min((y for _, y in exits), default=TOP) + 32,
        "width": 26,
    }
    names = [
        f"{name} → {'decoder' if target < 0 else space.cell_names[target]}"
        for name, target in zip(space.path_names, space.target, strict=True)
    ]
    lanes = _lanes(space)
    paths = []
    for index, (name, move, end) in enumerate(zip(names, space.moves, ends, strict=True)):
        d, tip = _line(spots[space.source[index]], end, lanes[index], CELL_RADIUS + 5 - 2 * bool(space.exits[index]))
        (x0, y0), (x1, y1) = spots[space.source[index]], end
        # At a third of the way paths that cross stand apart; what bends is a little off its line there.
        pin = [round(x0 + (x1 - x0) / 3, 1), round(y0 + (y1 - y0) / 3, 1)]
        paths.append({"name": name, "short": space.path_names[index], "move": move, "d": d, "tip": tip, "pin": pin})
    return {
        "width": width,
        "body": bottom + BOTTOM,
        "pitch": pitch,
        "font": 12 if pitch >= 40 else 14,  # a wide drawing is shown smaller
        "texts": texts,
        "stem": [spots[0][0] - 44, spots[0][1], spots[0][0] - CELL_RADIUS - 8],
        "decoder": decoder,
        "cells": [
            {"name": name, "x": x, "y": y, "layer": int(layer), "scale": int(scale)}
            for name, (x, y), layer, scale in zip(
                space.cell_names, spots, space.cells.layer, space.cells.scale, strict=True
            )
        ],
        "paths": paths,
        "moves": sorted(set(space.moves), key=_move_order(space)),
        "source": space.source.tolist(),
        "target": space.target.tolist(),
        "steps": RAMP_STEPS,
        "widths": [THIN, THICK],
    }


def _lanes(space: RoutingSpace) -> list[float]:
    """Bend of each path, in pixels: paths between the same two cells stand apart, long ones clear the cells between."""
    ends = list(zip(space.source, space.paths.target_layer, space.paths.target_scale, strict=True))
    rivals, seen = Counter(ends), Counter()
    lanes = []
    for end, span in zip(ends, space.paths.target_layer - space.paths.layer, strict=True):
        lane = (seen[end] - (rivals[end] - 1) / 2) * 22
        seen[end] += 1
        lanes.append(lane - 26 * (span > 1))
    return lanes


def _line(start: tuple[int, int], end: tuple[int, int], bend: float, gap: float) -> tuple[str, list[float]]:
    """SVG path from cell to cell, cut short at both marks, and the place and angle of its arrowhead."""
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    cx, cy = (x0 + x1) / 2 + uy * bend, (y0 + y1) / 2 + ux * bend
    out, into = math.hypot(cx - x0, cy - y0), math.hypot(x1 - cx, y1 - cy)
    sx, sy = x0 + (cx - x0) / out * (CELL_RADIUS + 3), y0 + (cy - y0) / out * (CELL_RADIUS + 3)
    tx, ty = x1 - (x1 - cx) / into * gap, y1 - (y1 - cy) / into * gap
    curve = f"Q{cx:.1f} {cy:.1f} " if bend else "L"
    return (
        f"M{sx:.1f} {sy:.1f}{curve}{tx:.1f} {ty:.1f}",
        [round(tx, 1), round(ty, 1), round(math.degrees(math.atan2(y1 - cy, x1 - cx)), 1)],
    )


def _move_order(space: RoutingSpace) -> Callable[[str], int]:
    """Moves in the order of the cells that offer the most of them."""
    offers = [space.moves[space.paths_from(cell)] for cell in range(space.n_cells)]
    order = list(dict.fromkeys(move for offer in sorted(offers, key=len, reverse=True) for move in offer))
    return order.index


def _legend(width: int, entries: Sequence[LegendEntry]) -> tuple[list[dict[str, Any]], int]:
    # Columns of one width hold whatever font the viewer has.
    columns = max(1, min(len(entries), (width - 12) // LEGEND_COLUMN))
    items = []
    for index, (sort, kind, text) in enumerate(entries):
        line, column = divmod(index, columns)
        x = 20 + column * ((width - 12) // columns)
        room = {"mark": 18, "pin": 18, "path": 34, "candidate": 34, "ramp": 76}[sort]
        items.append({"sort": sort, "kind": kind, "text": text, "x": x, "line": line, "text_x": x + room})
    return items, line + 1
