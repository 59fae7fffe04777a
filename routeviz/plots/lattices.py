"""Figures that are lattices: the space, a route beside its image, routes that differ, static architectures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.plots.figure import figure
from routeviz.plots.grouping import labels_by
from routeviz.plots.sheet import BARE, NOTHING, Axis, Box, Dots, Hover, Line, Mark, Note, Panel, Picture, Sheet
from routeviz.plots.style import DIFFERENCE, FAINT, INK, RAMP, SOFT, THEME, plain, series
from routeviz.quantities import count
from routeviz.routelog import RouteLog
from routeviz.space import Route, RoutingSpace, architectures, open_paths
from routeviz.space.drawing import MARKS, PASSED, RAMP_STEPS, THICK, THIN, lattice_data

_MOVES = {"keep": "dash", "up": "dot", "down": "dashdot"}
MOST_MOVES = 4
"""So many moves are told apart by colour and dash."""
_SYMBOLS = {"image": ("circle", 14), "zeros": ("diamond", 13), "constant": ("square", 12)}
_CELL_NAMES = {
    "open zeros": "starved: zeros arrive",
    "closed zeros": "starved and closed",
    "open constant": "only a constant arrives",
    "closed constant": "closed, a constant arrives",
}
_IGNORED = (255, 255, 255)


@figure
def plot_space(space: RoutingSpace, *, title: str = "") -> Sheet:
    """Draw the routing space: its cells, and its candidate paths dashed by move.

    Parameters
    ----------
    space : RoutingSpace
    title : str
    """
    data = lattice_data(space)
    marks = []
    if len(data["moves"]) > MOST_MOVES:  # each has a row of its own, which names it
        marks.append(strokes(data, range(space.n_paths), colour=series(0)[0], width=2, name="path"))
    else:
        for index, move in enumerate(data["moves"]):
            chosen = [i for i, name in enumerate(space.moves) if name == move]
            dash = _MOVES.get(move, ("solid", "dot", "dash")[index % 3])
            marks.append(strokes(data, chosen, colour=series(index)[0], width=3, dash=dash, name=f"{move} path"))
    cells = [(cell["x"], cell["y"]) for cell in data["cells"]]
    x, y = np.array(cells, float).T
    marks.append(Dots(x, y, INK, size=13, filled=False, name="cell", texts=tuple(data["cell_text"])))
    return Sheet(((lattice_panel(data, marks, title),),), data=_data(space, {}))


@figure
def plot_route(
    route: Route,
    *,
    image: np.ndarray | None = None,
    label: np.ndarray | None = None,
    prediction: np.ndarray | None = None,
    class_names: Sequence[str] = (),
    class_colors: Sequence[Sequence[int]] = (),
    title: str | None = None,
) -> Sheet:
    """Draw one image's route, below the image, its labels and its segmentation.

    Parameters
    ----------
    route : Route
        Such as ``log.route(0)``.
    image : ndarray, (H, W, 3) uint8 RGB, optional
    label, prediction : ndarray, (H, W) int, optional
        Class of each pixel; what is no class is left white.
    class_names : sequence of str
        For the legend.
    class_colors : sequence of (int, int, int)
        RGB, 0 to 255; needed for labels and prediction.
    title : str, optional
        The default is the route's name.
    """
    shown = {"image": image}
    present: set[int] = set()
    for name, classes in (("labels", label), ("segmentation", prediction)):
        if classes is not None:
            shown[name] = _painted(classes, class_colors, name)
            present |= set(np.unique(classes).tolist()) & set(range(len(class_colors)))
    pictures = [picture(pixels, name) for name, pixels in shown.items() if pixels is not None]
    key = tuple(
        Dots(
            NOTHING,
            NOTHING,
            "#{:02x}{:02x}{:02x}".format(*class_colors[index]),
            "square",
            name=plain(class_names[index]),
        )
        for index in sorted(present)
        if index < len(class_names)
    )
    lattice = _route_panel(route, route.name if title is None else title)
    lattice = replace(lattice, marks=lattice.marks + key)
    rows = ((tuple(pictures),) if pictures else ()) + ((lattice,),)
    return Sheet(rows, "text", _data(route.space, {"activation": route}).assign(open=route.open))


@figure
def plot_route_differences(
    routes: RouteLog | Mapping[str, Route], *, by: str | Sequence[object] = "scale_class", share: float = 0.5
) -> Sheet:
    """Draw the routes of several groups of images, one lattice each, with their differences in red.

    Parameters
    ----------
    routes : RouteLog, or mapping of name to Route
        Of a log, the routes of its groups: see `group_routes`.
    by : str or sequence
        For a log: the column that groups its images, or a label for each image.
    share : float
        For a log: the share of a group's images that opens its paths.
    """
    routes = group_routes(routes, by=by, share=share) if isinstance(routes, RouteLog) else dict(routes)
    if not routes:
        raise InputError("no routes to compare; give at least one")
    spaces = {route.space for route in routes.values()}
    if len(spaces) > 1:
        raise InputError("these routes are of different spaces; compare routes of one")
    is_open = np.array([route.open for route in routes.values()])
    everywhere, somewhere = is_open.all(axis=0), is_open.any(axis=0)
    panels = []
    for (name, route), here in zip(routes.items(), is_open, strict=True):
        data = lattice_data(route.space, route.activations)
        marks = [
            strokes(data, range(route.space.n_paths), colour=FAINT, width=1),
            strokes(data, np.flatnonzero(everywhere), colour=SOFT, width=4, name="open in all"),
            strokes(data, np.flatnonzero(here & ~everywhere), colour=DIFFERENCE, width=5, name="open here, not in all"),
            strokes(
                data, np.flatnonzero(somewhere & ~here), colour=DIFFERENCE, width=4, dash="dot", name="open elsewhere"
            ),
        ]
        panels.append(lattice_panel(data, [*marks, *_cells(data)], f"{plain(name, 28)}: {int(here.sum())} paths open"))
    return Sheet(tuple((panel,) for panel in _stacked(panels)), data=_data(spaces.pop(), routes))


@figure
def plot_architectures(space: RoutingSpace, *, names: Sequence[str] | None = None, columns: int = 2) -> Sheet:
    """Draw static architectures as the fixed routes that they are in a space.

    Parameters
    ----------
    space : RoutingSpace
    names : sequence of str, optional
        Keys of `routeviz.architectures`; by default all that this space is deep enough for.
    columns : int
        Panels side by side.
    """
    known = architectures(space)
    names = list(known) if names is None else list(names)
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"no architecture {unknown[0]!r} in this space; valid: {', '.join(known)}")
    if not names or columns < 1:
        raise InputError("nothing to draw: name at least one architecture, in at least one column")
    panels = [_route_panel(known[name], known[name].name, height=1.2, fixed=True) for name in names]
    empty = Panel((), x=BARE, y=BARE, height=1.2, frame=False)
    panels += [empty] * (-len(panels) % columns)
    rows = [tuple(panels[start : start + columns]) for start in range(0, len(panels), columns)]
    rows = [
        tuple(replace(p, y=replace(p.y, label=p.y.label if i == 0 else "")) for i, p in enumerate(row)) for row in rows
    ]
    rows = [tuple(replace(p, x=replace(p.x, label="")) for p in row) for row in rows[:-1]] + rows[-1:]
    shown = {known[name].name: known[name] for name in names}
    return Sheet(tuple(rows), "text" if columns > 1 else "column", _data(space, shown))


def group_routes(log: RouteLog, *, by: str | Sequence[object] = "scale_class", share: float = 0.5) -> dict[str, Route]:
    """Return for each group of a log's images the route of the paths that enough of them open.

    Parameters
    ----------
    log : RouteLog
    by : str or sequence
        Column that groups the images, or a label for each image.
    share : float
        A path is open where at least this share of the group's images opens it; its activation is their mean.

    Returns
    -------
    dict of str to Route
        Sorted by name, which tells the number of images.
    """
    column = labels_by(log, by)
    routes = {}
    for value in sorted(column.dropna().unique()):
        rows = np.flatnonzero(column == value)
        gates = np.nan_to_num(log.gates[rows])
        opened = open_paths(log.space, gates)
        mean = np.where(
            opened.mean(axis=0) >= share, (gates * opened).sum(axis=0) / np.maximum(opened.sum(axis=0), 1), 0
        )
        routes[f"{value} ({count(len(rows), log.rows_are)})"] = Route(log.space, np.minimum(mean, 1), name=value)
    return routes


def picture(pixels: np.ndarray, title: str, *, height: float = 1.3) -> Panel:
    """A panel that shows an image."""
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InputError(f"an image of shape {pixels.shape} and {pixels.dtype}; give (H, W, 3) uint8 RGB")
    return Panel((Picture(pixels),), title, BARE, BARE, height, frame=False)


def _data(space: RoutingSpace, routes: Mapping[str, Route]) -> pd.DataFrame:
    """One row a path, with its activation on each route."""
    return space.paths.assign(**{name: route.activations for name, route in routes.items()})


def _painted(classes: np.ndarray, colours: Sequence[Sequence[int]], what: str) -> np.ndarray:
    classes = np.asarray(classes)
    if classes.ndim != 2 or not len(colours):
        raise InputError(
            f"{what} of shape {classes.shape} with {len(colours)} class_colors; give (H, W) and the colours"
        )
    palette = np.array([*colours, _IGNORED], np.uint8)
    return palette[np.where((classes >= 0) & (classes < len(colours)), classes, len(colours))]


def _route_panel(route: Route, title: str, *, height: float = 1.75, fixed: bool = False) -> Panel:
    data = lattice_data(route.space, route.activations, static=fixed)
    kinds, levels = np.array(data["path_kind"]), np.array(data["path_level"])
    key = (RAMP_STEPS - 1,) if fixed else (1, (RAMP_STEPS - 1) // 2, RAMP_STEPS - 1)
    marks = [strokes(data, np.flatnonzero(kinds == ""), colour=FAINT, width=1)]
    for level in key:
        name = "open path" if fixed else f"open at {level / (RAMP_STEPS - 1):.1f}"
        marks.append(Line(NOTHING, NOTHING, RAMP[level], level_width(level), name=name))
    for kind, dash in (("open", "solid"), ("blind", "dash")):
        for level in np.unique(levels[kinds == kind]):
            chosen = np.flatnonzero((kinds == kind) & (levels == level))
            name = "open, image-blind" if kind == "blind" else ""
            marks.append(strokes(data, chosen, colour=RAMP[level], width=level_width(level), dash=dash, name=name))
    passed = np.flatnonzero(kinds == "passed")
    marks.append(strokes(data, passed, colour=SOFT, width=PASSED + 1, dash="dot", name="input passed on"))
    return lattice_panel(data, [*marks, *_cells(data)], title, height=height)


def level_width(level: int) -> float:
    """Width of a line of a step of the colour ramp."""
    return THIN + (THICK - THIN) * level / (RAMP_STEPS - 1)


def lattice_panel(data: dict, marks: Sequence[Mark], title: str, *, height: float = 1.35) -> Panel:
    """A space in its frame: where it is fed from, what it leads to, columns and rows as ticks."""
    words, columns, rows = data["words"], data["columns"], data["rows"]
    step = max(1, -(-(len(columns) - 1) // 16))
    box, (start, level, end) = data["decoder"], data["stem"]
    across, down = box["x"] + box["width"], box["y"] + box["height"]
    points = [_points(path["d"]) for path in data["paths"]]
    x, y = np.array([line.mean(axis=0) for line in points]).reshape(-1, 2).T
    cells_end = max(cell["x"] for cell in data["cells"])
    # Words keep their size while the drawing shrinks: what they need is a share of its width.
    room, margin = 0.075 * data["width"], 0.02 * data["width"]
    frame = [
        Box(box["x"], box["y"], box["width"], box["height"]),
        Line(np.array([start, end], float), np.array([level, level], float), SOFT, 1.5),
        Note(start - 4, level, words["source"], "right"),
    ]
    if box["text"] and len(rows) > 2:
        frame.insert(1, Note(across + margin, box["y"] + box["height"] / 2, words["sink"], angle=90))
    elif box["width"] > 60:
        frame.append(Note(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, words["sink"]))
    heights = [cell["y"] for cell in data["cells"]]
    ends = max(heights) + 26, min(heights) - 26
    if words["layout"] != "grid" or down > ends[0]:
        # Paths and box reach further than the cells.
        reach = [*np.concatenate(points)[:, 1], box["y"], down]
        ends = max(*reach, max(heights)) + 12, min(*reach, min(heights)) - 12
        height = float(np.clip(6.3 * (ends[0] - ends[1]) / data["width"], 0.9, 4))
    return Panel(
        (*marks, *frame, Hover(x, y, tuple(data["path_text"]))),
        title,
        Axis(
            words["column"],
            tuple((at, text) for at, text in columns[::step]),
            (start - room, max(across, cells_end) + 2 * margin),
        ),
        Axis(
            words["row"] if rows else "",
            tuple((float(at), text.removeprefix(f"{words['row']} ")) for at, text in rows[:: 1 + len(rows) // 12]),
            ends,
        ),
        height if len(rows) > 2 or words["layout"] != "grid" else height * 0.8,
        scaled=True,
        frame=False,
    )


def _stacked(panels: list[Panel]) -> list[Panel]:
    return [replace(panel, x=replace(panel.x, label="")) for panel in panels[:-1]] + panels[-1:]


def _cells(data: dict) -> list[Dots]:
    """Shape says what arrives, filling what the cell does; a bar through it passes its input on."""
    names = _CELL_NAMES | {item["kind"]: item["text"] for item in data["legend"] if item["sort"] == "mark"}
    kinds = np.array(data["cell_kind"])
    x, y = np.array([(cell["x"], cell["y"]) for cell in data["cells"]], float).T
    marks = []
    for kind in (kind for kind in MARKS if (kinds == kind).any()):
        state, arrives = kind.split()
        chosen = kinds == kind
        colour = INK if arrives == "image" else SOFT if arrives == "none" else THEME.blind
        symbol, size = _SYMBOLS.get(arrives, ("cross", 8))
        texts = tuple(text for text, one in zip(data["cell_text"], chosen, strict=True) if one)
        if state == "closed":
            marks.append(Dots(x[chosen], y[chosen], colour, "bar", size=26))
        marks.append(Dots(x[chosen], y[chosen], colour, symbol, state == "open", size, names[kind], texts))
    return marks


def strokes(
    data: dict, chosen: Sequence[int], *, colour: str, width: float, dash: str = "solid", name: str = ""
) -> Line:
    """Some paths of a lattice as one line with gaps; one with a name is in the legend even if there are none."""
    gap = np.full((1, 2), np.nan)
    points = [part for index in chosen for part in (_points(data["paths"][index]["d"]), gap)]
    x, y = np.concatenate(points).T if points else (NOTHING, NOTHING)
    return Line(x, y, colour, width, dash, name=name if points else "")


def _points(d: str) -> np.ndarray:
    """Points along a path of the drawing: the corners of a straight one, nine of a bent one."""
    numbers = np.array(re.findall(r"-?[\d.]+", d), float).reshape(-1, 2)
    if "Q" not in d:
        return numbers
    t = np.linspace(0, 1, 9)[:, None]
    start, bend, end = numbers
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
