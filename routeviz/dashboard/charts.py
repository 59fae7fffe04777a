"""Charts of many images that answer a drag or a click, drawn in the browser; numbers in, nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard.components import hinted, text_of, theme_css
from routeviz.dashboard.filters import activation_between
from routeviz.dashboard.words import percent
from routeviz.quantities import of_rows
from routeviz.space import OPEN_THRESHOLD, STATES, RoutingSpace, kind_of
from routeviz.space.drawing import geometry, stroke
from routeviz.space.layout import axes_words, row_words
from routeviz.space.svg import THEMES

SERIES = {
    "light": ("#0b3c6f", "#e0701a", "#1f9e89", "#a3357f", "#5f6b7a", "#c7a100", "#56b4e9", "#7a5230"),
    "dark": ("#6ea8ff", "#ff9f43", "#3fd0b6", "#f48ad0", "#aab4c4", "#ffe066", "#b7e1ff", "#c99b6d"),
}
SHAPES = 4
MOST_POINTS = 5_000
BARS = 40

_LEGEND = (
    ("mark", "open image", "open in most images"),
    ("mark", "closed image", "closed in most"),
    ("mark", "unreached none", "unreached in most"),
)
_CANDIDATE = ("candidate", "", "open in none")


@dataclass(frozen=True)
class Group:
    """Points of one kind: its name, its colour (of ``SERIES``, or a step of the ramp) and what a click on it asks."""

    name: str
    colour: str
    shape: int = 0
    condition: str = ""


def _css() -> str:
    rules = []
    for name, theme in THEMES.items():
        colours = {f"series-{index}": colour for index, colour in enumerate(SERIES[name])}
        colours |= {"none": "#e9edf2" if name == "light" else "#1d2430", "paper": theme.paper}
        rules.append(f'[data-theme="{name}"]{{{"".join(f"--rv-{key}:{value};" for key, value in colours.items())}}}')
    return theme_css() + "".join(rules) + text_of("routeviz.dashboard", "charts.css")


def component(name: str) -> Callable[..., Any]:
    """A component of charts.js and the script of a name."""
    script = text_of("routeviz.dashboard", "charts.js") + text_of("routeviz.dashboard", f"{name}.js")
    return st.components.v2.component(f"routeviz_{name}", js=script, css=_css())


_grid, _bars, _places = (component(name) for name in ("grid", "bars", "places"))
_lattice = st.components.v2.component(
    "routeviz_usage",
    js=text_of("routeviz.space", "lattice.js"),
    css=theme_css() + text_of("routeviz.space", "lattice.css"),
)


def series(index: int) -> tuple[str, int]:
    """Colour and shape of a group: they do not repeat together before the thirty-second."""
    return f"--rv-series-{index % 8}", (index + index // 8) % SHAPES


def usage_lattice(
    space: RoutingSpace,
    mean: np.ndarray,
    share: np.ndarray,
    states: np.ndarray,
    *,
    by_share: bool,
    rows: str,
    title: str,
    chosen: str,
    key: str,
    on_click: Callable[[], None],
) -> None:
    """Draw what images do of a space; a click on a cell or path sets ``clicked`` while `on_click` is called.

    Parameters
    ----------
    space : RoutingSpace
    mean, share : ndarray, (path,)
        Mean activation, and the share of images that open the path.
    states : ndarray, (cell, state)
        Share of images in which a cell is unreached, closed, open: it is drawn as most images have it.
    by_share : bool
        Whether width and colour are of the share, not the mean.
    rows : str
        What the log's rows are, as `RouteLog.rows_are` says it.
    title : str
        What is drawn, in words.
    chosen : str
        The cell or path that the filter asks for.
    """
    ramp = f"share of {rows} 0 to 1" if by_share else "mean activation 0 to 1"
    legend = [(sort, kind, of_rows(text, rows)) for sort, kind, text in _LEGEND]
    data = geometry(space, (*legend, ("ramp", "", ramp), _CANDIDATE), mode=f" {rows} {ramp}")
    values, most = share if by_share else mean, states.argmax(axis=1)
    data["path_width"], data["path_level"] = (drawn.tolist() for drawn in stroke(values))
    data |= {
        "activation": np.round(values, 4).tolist(),
        "path_kind": np.where(share > 0, "open", "").tolist(),
        "cell_kind": [f"{STATES[state]} {'none' if STATES[state] == 'unreached' else 'image'}" for state in most],
        "path_text": _path_texts([path["name"] for path in data["paths"]], mean, share, rows),
        "cell_text": [
            f"{name}\n" + ", ".join(f"{STATES[code]} {percent(part[code])}" for code in (2, 1, 0)) + f" of these {rows}"
            for name, part in zip(space.cell_names, states, strict=True)
        ],
    }
    told = {
        "title": title,
        "selected": chosen,
        "clicks": True,
        "remembered": "",
        "legend": hinted(data["legend"], space),
    }
    _lattice(key=key, data=data | told, on_clicked_change=on_click, on_selected_change=_nothing)


def usage_grid(
    space: RoutingSpace,
    mean: np.ndarray,
    share: np.ndarray,
    *,
    by_share: bool,
    rows: str,
    label: str,
    chosen: Sequence[str],
    key: str,
    on_choose: Callable[[], None],
) -> None:
    """Draw the use of paths as a heat map: layers across, what they choose from down; a cell's name is its path's."""
    scale, move, layer = (space.paths[column].to_numpy() for column in ("scale", "move", "layer"))
    moves = {name: at for at, name in enumerate(geometry(space)["moves"])}
    order = {way: moves[name] for way, name in zip(space.ways, move, strict=True)}
    places = list(zip(scale.tolist(), space.ways, strict=True))
    lines = sorted(dict.fromkeys(places), key=lambda row: (row[0], order[row[1]]))
    at = [lines.index(place) for place in places], layer
    values, texts, names = (np.full((len(lines), space.layers + 1), fill, object) for fill in (np.nan, "", ""))
    values[at], names[at] = share if by_share else mean, space.path_names
    texts[at] = _path_texts(space.path_names, mean, share, rows)
    words, kind = row_words(space), kind_of(space)
    grid(
        values.astype(float),
        rows=[(words[scale] or kind.row, way.removeprefix(f"{kind.row} ")) for scale, way in lines],
        columns=[str(layer) for layer in range(space.layers + 1)],
        across=kind.column,
        texts=texts,
        names=names,
        label=label,
        chosen=chosen,
        title=f"{label} by {axes_words(space)}",
        key=key,
        on_choose=on_choose,
    )


def activation_grid(
    shares: np.ndarray, *, across: str = "layer", chosen: Sequence[str], key: str, on_choose: Callable[[], None]
) -> None:
    """Draw how the activations of each layer are spread; a cell's name is its condition.

    Parameters
    ----------
    shares : ndarray, (1 + bin, layer)
        As `Population.layer_shares` gives them.
    across : str
        What the space calls a layer.
    """
    n_bins, layers = len(shares) - 1, [str(layer) for layer in range(shares.shape[1])]
    ends = [(0.0, OPEN_THRESHOLD), *((number / n_bins, (number + 1) / n_bins) for number in range(n_bins))]
    bins = ["not open", *(f"{low:.1f} to {high:.1f}" for low, high in ends[1:])]
    high = float(np.nanmax(shares))
    texts = [
        [f"{across} {layer}, {words}\n{percent(share)} of its gates" for layer, share in zip(layers, row, strict=True)]
        for words, row in zip(bins, shares, strict=True)
    ]
    names = [[activation_between(f"{across} {layer}", *pair) for layer in layers] for pair in ends]
    grid(
        shares[::-1],
        rows=[("", words) for words in bins[::-1]],
        columns=layers,
        texts=np.array(texts)[::-1],
        names=np.array(names)[::-1],
        label=f"share of the {across}'s gates",
        across=across,
        high=high,
        high_text=percent(high),
        chosen=chosen,
        title=f"Activations by {across}",
        key=key,
        on_choose=on_choose,
    )


def grid(
    values: np.ndarray,
    *,
    rows: Sequence[tuple[str, str]],
    columns: Sequence[str],
    texts: np.ndarray,
    names: np.ndarray,
    label: str,
    high: float = 1.0,
    high_text: str = "1",
    across: str = "layer",
    chosen: Sequence[str] = (),
    title: str,
    key: str,
    on_choose: Callable[[], None],
) -> None:
    """Draw a heat map; a click on a cell sets ``chosen``, its name, while `on_choose` is called.

    Parameters
    ----------
    values : ndarray, (row, column)
        From 0 to `high`; NaN where there is no cell.
    rows : sequence of (group, text)
        What stands before a row; rows of a group stand together.
    columns : sequence of str
    texts, names : ndarray, (row, column) str
        What hovering says, and what a click sends.
    label, high_text, across, title : str
        Of the shades, of the darkest one, of the columns, of all.
    chosen : sequence of str
        Names of the cells that are marked.
    """
    data = {
        "values": [[None if np.isnan(value) else float(f"{value:.4g}") for value in row] for row in values],
        "rows": [{"group": group, "text": text} for group, text in rows],
        "columns": list(columns),
        "every": max(1, -(-len(columns) // 18)),
        "texts": texts.tolist(),
        "names": names.tolist(),
        "label": label,
        "high": float(high) or 1.0,
        "high_text": high_text,
        "across": across,
        "chosen": list(chosen),
        "title": title,
    }
    _grid(key=key, data=data, on_chosen_change=on_choose)


def bars(
    values: np.ndarray,
    mask: np.ndarray,
    *,
    rows: str,
    ends: tuple[float, float] | None = None,
    ticks: Callable[[float], str],
    label: str,
    span: tuple[float, float] | None = None,
    marks: Sequence[tuple[float, str]] = (),
    title: str,
    key: str,
    on_choose: Callable[[], None],
) -> None:
    """Draw a histogram of all images and of those that pass the filter; a drag sets ``range`` for `on_choose`.

    Parameters
    ----------
    values : ndarray, (image,)
        NaN is left out.
    mask : ndarray, (image,) bool
    rows : str
        As for `usage_lattice`.
    ends : (float, float), optional
        Of the axis; as the values ask by default.
    ticks : function of float to str
        How a value is written.
    label, title : str
    span : (float, float), optional
        The range that the filter asks for.
    marks : sequence of (float, dash)
        Vertical lines.
    """
    known = np.isfinite(values)
    low, high = ends or (float(values[known].min()), float(values[known].max()))
    if not low < high:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    edges = np.linspace(low, high, BARS + 1)
    everyone, some = (np.histogram(values[known & part], edges)[0] for part in (np.ones_like(mask), mask))
    at = np.linspace(low, high, 5)
    data = {
        "edges": edges.tolist(),
        "all": everyone.tolist(),
        "some": some.tolist(),
        "texts": [
            f"{ticks(edges[i])} to {ticks(edges[i + 1])}\n{some[i]:,} of {everyone[i]:,} {rows}" for i in range(BARS)
        ],
        "ticks": [{"at": float(value), "text": ticks(value)} for value in at],
        "label": label,
        "span": list(span) if span else None,
        "marks": [{"at": float(place), "dash": dash} for place, dash in marks if low <= place <= high],
        "title": title,
    }
    _bars(key=key, data=data, on_range_change=on_choose)


def places(
    xy: np.ndarray,
    mask: np.ndarray,
    groups: Sequence[Group],
    group: np.ndarray,
    ids: pd.Series,
    *,
    ends: Sequence[tuple[float, float]],
    density: np.ndarray | None = None,
    rows: str,
    labels: tuple[str, str],
    outline: np.ndarray | None = None,
    marks: Sequence[tuple[int, str]] = (),
    title: str,
    key: str,
    on_region: Callable[[], None],
    on_open: Callable[[], None],
    on_group: Callable[[], None],
) -> None:
    """Draw images in a plane: those that pass the filter in colour, the rest faint or, if many, as a density.

    A drag sets ``region`` (``box``, ``x``, ``y``), a click on a point ``opened``, its id, a click in the legend
    ``group``, its condition.

    Parameters
    ----------
    xy : ndarray, (image, 2)
    mask : ndarray, (image,) bool
    groups : sequence of Group
    group : ndarray, (image,) int
        Position in `groups`.
    ids : Series, (image,) str
    ends : sequence of (float, float)
        Of the axes.
    density : ndarray, (row, column), optional
        How many of all images lie where between the ends; without one, those that do not pass are drawn as points.
    rows : str
        As for `usage_lattice`.
    labels : (str, str)
        Of the axes.
    outline : ndarray, (corner, 2), optional
        The region that the filter asks for.
    marks : sequence of (image, name)
        Images with a ring and a name.
    """
    passing, rest, shades = np.flatnonzero(mask), np.flatnonzero(~mask), None
    if density is not None:
        counts, rest = np.log1p(density), rest[:0]
        shades = {"counts": np.round(counts / counts.max(), 2).ravel().tolist()}
        shades |= {"rows": len(density), "columns": density.shape[1]}
    if len(passing) > MOST_POINTS:
        passing = np.sort(np.random.default_rng(0).choice(passing, MOST_POINTS, replace=False))
    shown = np.concatenate([rest, passing])
    data = {
        "x": np.round(xy[shown, 0].astype(float), 4).tolist(),
        "y": np.round(xy[shown, 1].astype(float), 4).tolist(),
        "group": np.where(mask[shown], group[shown], -1).tolist(),
        "ids": ids.iloc[shown].tolist(),
        "groups": [asdict(one) for one in groups],
        "ends": ends,
        "density": shades,
        "labels": list(labels),
        "tools": of_rows("Drag to filter, click a point to open its image.", rows),
        "outline": None if outline is None else outline.tolist(),
        "marks": [{"x": float(xy[row, 0]), "y": float(xy[row, 1]), "text": text} for row, text in marks],
        "title": title,
    }
    _places(key=key, data=data, on_region_change=on_region, on_opened_change=on_open, on_group_change=on_group)


def _path_texts(names: Sequence[str], mean: np.ndarray, share: np.ndarray, rows: str) -> list[str]:
    return [
        f"{name}\nmean activation {value:.3f}\nopen in {percent(part)} of these {rows}"
        for name, value, part in zip(names, mean, share, strict=True)
    ]


def _nothing() -> None:
    """Streamlit reports a component's state only where there is a callback."""
