"""Where the cells and paths of a space are drawn: a layout for each kind of space, in pixels.

Places depend on the space alone, so nothing moves from one route to the next. What `places` gives is the part of
`routeviz.space.drawing.lattice_data` that knows no activations.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from routeviz.space.kinds import is_lattice, kind_of
from routeviz.space.space import RoutingSpace

ROW, LEFT, TOP, RIGHT, BOTTOM = 64, 118, 34, 64, 30
CELL_RADIUS = 7
PITCH_RANGE = (34, 56)
LEAST_WIDTH = 420
"""Of a drawing of few cells: what its title and legend need."""

LANE_PITCH, LANE_ROW = (76, 150), (14, 40)
ARC_PITCH, ARC_GAP = 190, 7

Point = tuple[float, float]


class Tick(NamedTuple):
    """A word at the edge of the drawing: where along that edge, and what it says."""

    at: float
    text: str


class Drawn(NamedTuple):
    """A path: its line as SVG, the place and angle of its arrowhead, and the place of a pin."""

    d: str
    tip: list[float]
    pin: list[float]


class Layout(NamedTuple):
    """Places of a space's parts; the box is what the paths that leave the space lead to, (x, y, width, height)."""

    size: tuple[int, int]
    pitch: int
    cells: list[Point]
    paths: list[Drawn]
    columns: list[Tick]
    rows: list[Tick]
    box: tuple[float, float, float, float]


def places(space: RoutingSpace) -> dict[str, Any]:
    """Geometry of a space's drawing; see `routeviz.space.drawing.lattice_data`."""
    return dict(_places(space))


@lru_cache(maxsize=32)
def _places(space: RoutingSpace) -> dict[str, Any]:
    kind = kind_of(space)
    layout = {"grid": _grid, "lanes": _lanes, "arcs": _arcs}[kind.layout](space)
    (width, body), (x, y, across, down) = layout.size, layout.box
    stem_x, stem_y = layout.cells[0]
    texts = [{"x": 12, "y": tick.at + 4, "text": tick.text, "anchor": "start"} for tick in layout.rows]
    texts += [{"x": tick.at, "y": 14, "text": tick.text, "anchor": "middle"} for tick in layout.columns]
    texts.append({"x": 12, "y": 14, "text": kind.column, "anchor": "start"})
    texts.append({"x": stem_x - 29, "y": stem_y - 8, "text": kind.source, "anchor": "middle"})
    upright = down > max(60, across)
    if not upright and not is_lattice(space):
        # A box too low for a word from bottom to top has it inside, or beside it where it is narrow too.
        inside = across > 60
        at, anchor = (x + across / 2, "middle") if inside else (x + across + 6, "start")
        texts.append({"x": at, "y": y + down / 2 + 4, "text": kind.sink, "anchor": anchor})
    return {
        "width": width,
        "body": body,
        "pitch": layout.pitch,
        "font": 12 if layout.pitch >= 40 else 14,  # a wide drawing is shown smaller
        "texts": texts,
        "columns": [list(tick) for tick in layout.columns],
        "rows": [list(tick) for tick in layout.rows],
        "words": asdict(kind),
        "stem": [stem_x - 44, stem_y, stem_x - CELL_RADIUS - 8],
        "decoder": {"x": x, "y": y, "height": down, "width": across, "text": kind.sink if upright else ""},
        "cells": [
            {"name": name, "x": x, "y": y, "layer": int(layer), "scale": int(scale)}
            for name, (x, y), layer, scale in zip(
                space.cell_names, layout.cells, space.cells.layer, space.cells.scale, strict=True
            )
        ],
        "paths": [
            {"name": name, "short": short, "move": move, **path._asdict()}
            for name, short, move, path in zip(
                path_words(space), space.path_names, space.moves, layout.paths, strict=True
            )
        ],
        "moves": move_order(space),
        "source": space.source.tolist(),
        "target": space.target.tolist(),
    }


def path_words(space: RoutingSpace) -> list[str]:
    """Name of every path, and where it leads."""
    sink = kind_of(space).sink
    return [
        name if "name" in space.paths else f"{name} → {sink if target < 0 else space.cell_names[target]}"
        for name, target in zip(space.path_names, space.target, strict=True)
    ]


def row_words(space: RoutingSpace) -> dict[int, str]:
    """What each scale of a space is called: ``stride 8``; nothing where rows are not told apart by strides."""
    kind = kind_of(space)
    strides = space.cells.drop_duplicates("scale").sort_values("scale")
    told = kind.row == "stride" and (is_lattice(space) or len(strides) > 1)
    return {
        int(scale): f"stride {stride}" if told else ""
        for scale, stride in zip(strides.scale, strides.stride, strict=True)
    }


def axes_words(space: RoutingSpace) -> str:
    """By what the paths of a space are told apart: ``layer, scale and move`` in a lattice, or ``layer and expert``."""
    kind = kind_of(space)
    if is_lattice(space):
        return "layer, scale and move"
    words = [kind.column] + ["stride"] * any(row_words(space).values())
    words += [kind.row if kind.layout != "grid" else "move"] * (len(set(space.moves)) > 1)
    return " and ".join(words)


def move_order(space: RoutingSpace) -> list[str]:
    """The moves of a space in the order of the cells that offer the most of them."""
    offers = [space.moves[space.paths_from(cell)] for cell in range(space.n_cells)]
    return list(dict.fromkeys(move for offer in sorted(offers, key=len, reverse=True) for move in offer))


def _grid(space: RoutingSpace) -> Layout:
    """Layers across, scales down; paths straight, but for those that would lie on others or run through cells."""
    pitch = int(np.clip(round(820 / (space.layers + 1)), *PITCH_RANGE))
    word = 0 if is_lattice(space) else 40  # what a low box leads to stands beside it
    width = LEFT + space.layers * pitch + RIGHT + 24 + word
    bottom = TOP + (space.scales - 1) * ROW

    def place(layer: int, scale: int) -> tuple[int, int]:
        return LEFT + int(layer) * pitch, TOP + int(scale) * ROW

    spots = [place(*spot) for spot in zip(space.cells.layer, space.cells.scale, strict=True)]
    ends = [place(*spot) for spot in zip(space.paths.target_layer, space.paths.target_scale, strict=True)]
    exits = [end for end, leaves in zip(ends, space.exits, strict=True) if leaves]
    edge = width - word - RIGHT
    left, right = min((x for x, _ in exits), default=edge), max((x for x, _ in exits), default=edge)
    high, low = min((y for _, y in exits), default=TOP), max((y for _, y in exits), default=bottom)
    bends, paths = _bends(space), []
    for index, end in enumerate(ends):
        start = spots[space.source[index]]
        d, tip = _line(start, end, bends[index], CELL_RADIUS + 5 - 2 * bool(space.exits[index]))
        paths.append(Drawn(d, tip, _between(start, end, 1 / 3)))
    below = high > bottom  # exits in a row of their own
    box = (left - 10, high - 16, right - left + 26, low - high + 32)
    return Layout(
        (width, (bottom if not below else low) + BOTTOM),
        pitch,
        spots,
        paths,
        [Tick(LEFT + layer * pitch, str(layer)) for layer in range(space.layers + 1)],
        [Tick(TOP + scale * ROW, text) for scale, text in row_words(space).items() if text],
        (left - 24, high - 10, right - left + 48, 32) if below else box,
    )


def _lanes(space: RoutingSpace) -> Layout:
    """Cells in one row; between two of them each path in a lane of its own, in the order of the cell's paths."""
    lane = np.arange(space.n_paths) - np.array([space.paths_from(cell).start for cell in space.source])
    n_lanes = int(lane.max()) + 1
    row = int(np.clip(round(220 / n_lanes), *LANE_ROW))
    pitch = int(np.clip(round(820 / (space.layers + 1)), *LANE_PITCH))
    middle = TOP + 14 + (n_lanes - 1) * row / 2
    spots = [(LEFT + int(layer) * pitch, middle) for layer in space.cells.layer]
    paths = []
    for path, target in enumerate(space.paths.target_layer):
        x0, x1, y = spots[space.source[path]][0], LEFT + int(target) * pitch, TOP + 14 + lane[path] * row
        y = float(y)
        a, b = x0 + 0.3 * (x1 - x0), x1 - 0.3 * (x1 - x0)
        out, into = _toward((x0, middle), (a, y), CELL_RADIUS + 3), _toward((x1, middle), (b, y), CELL_RADIUS + 4)
        corners = " ".join(f"L{x:.1f} {y:.1f}" for x, y in ((a, y), (b, y), into))
        head = round(b - 2, 1) if n_lanes > 1 else round(into[0], 1)
        paths.append(Drawn(f"M{out[0]:.1f} {out[1]:.1f}{corners}", [head, y, 0.0], _between((a, y), (b, y), 0.4)))
    last = LEFT + (space.layers + 1) * pitch
    low = TOP + 14 + (n_lanes - 1) * row
    moves = move_order(space)
    offers = [space.moves[space.paths_from(cell)] for cell in range(space.n_cells)]
    shared = all(offer == tuple(moves[: len(offer)]) for offer in offers)
    kind = kind_of(space)
    return Layout(
        (max(last + 64, LEAST_WIDTH), int(low) + BOTTOM),
        pitch,
        spots,
        paths,
        [Tick(x, _short(name)) for (x, _), name in zip(spots, space.cell_names, strict=True)],
        [Tick(TOP + 14 + at * row, moves[at] if shared else f"{kind.row} {at}") for at in range(n_lanes)],
        (last - 6, middle - 16, 22, 32),
    )


def _arcs(space: RoutingSpace) -> Layout:
    """Nodes in one row; the operations between two of them side by side, far spans in arcs above and below."""
    ends = list(zip(space.source.tolist(), space.target.tolist(), strict=True))
    rivals = Counter(ends)
    most = max((count for (_, target), count in rivals.items() if target >= 0), default=1)
    bundle = (most - 1) * ARC_GAP + 26
    spans = [target - source for source, target in ends if target >= 0]
    above = max((span // 2 for span in spans if span % 2 == 0), default=0)
    below = max((span // 2 for span in spans if span % 2), default=0)
    reach = (most - 1) * ARC_GAP / 2
    middle = TOP + 10 + reach + above * bundle
    spots = [(LEFT + node * ARC_PITCH, middle) for node in range(space.n_cells)]
    foot = middle + reach + below * bundle + 34
    seen: Counter[tuple[int, int]] = Counter()
    paths = []
    for source, target in ends:
        x0, y0 = spots[source]
        at = seen[source, target] - (rivals[source, target] - 1) / 2
        seen[source, target] += 1
        if target < 0:
            d, tip = _line((x0, y0), (x0, foot), 0, CELL_RADIUS + 3)
            paths.append(Drawn(d, tip, _between((x0, y0), (x0, foot), 1 / 3)))
            continue
        span = target - source
        side = 0 if span == 1 else (-1 if span % 2 == 0 else 1) * (span // 2)
        # The middle of a quadratic curve is half as far out as its control point.
        bend = 2 * (side * bundle + at * ARC_GAP)
        d, tip = _line((x0, y0), spots[target], bend, CELL_RADIUS + 5)
        paths.append(Drawn(d, tip, _between((x0, y0 + bend / 3), (spots[target][0], y0 + bend / 3), 1 / 3)))
    out = [spots[source][0] for source, target in ends if target < 0]
    left, right = min(out, default=LEFT), max(out, default=LEFT)
    return Layout(
        (int(spots[-1][0]) + RIGHT, int(foot) + BOTTOM),
        56,
        spots,
        paths,
        [Tick(x, _short(name)) for (x, _), name in zip(spots, space.cell_names, strict=True)],
        [],
        (left - 34, foot - 10, right - left + 68, 32),
    )


def _short(name: str) -> str:
    """The number of a cell where its name ends in one."""
    return name.rsplit(" ", 1)[-1]


def _between(start: Point, end: Point, share: float) -> list[float]:
    """A place on the way: at a third, paths that cross stand apart; what bends is a little off its line there."""
    (x0, y0), (x1, y1) = start, end
    return [round(x0 + (x1 - x0) * share, 1), round(y0 + (y1 - y0) * share, 1)]


def _toward(start: Point, end: Point, length: float) -> Point:
    """The place a length away from the start on the way to the end."""
    (x0, y0), (x1, y1) = start, end
    share = length / (math.hypot(x1 - x0, y1 - y0) or 1)
    return x0 + (x1 - x0) * share, y0 + (y1 - y0) * share


def _bends(space: RoutingSpace) -> list[float]:
    """Bend of each path, in pixels: paths between the same two cells stand apart, long ones clear the cells between."""
    ends = list(zip(space.source, space.paths.target_layer, space.paths.target_scale, strict=True))
    rivals, seen = Counter(ends), Counter()
    bends = []
    for end, span in zip(ends, space.paths.target_layer - space.paths.layer, strict=True):
        lane = (seen[end] - (rivals[end] - 1) / 2) * 22
        seen[end] += 1
        bends.append(lane - 26 * (span > 1))
    return bends


def _line(start: Point, end: Point, bend: float, gap: float) -> tuple[str, list[float]]:
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
