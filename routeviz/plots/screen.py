"""Sheets in plotly: the same marks, with what is under the pointer in words."""

from __future__ import annotations

import html
import io
import math
from base64 import b64encode
from collections.abc import Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageFont
from plotly.subplots import make_subplots

from routeviz.errors import InputError
from routeviz.plots.labels import needs_leader, place_labels
from routeviz.plots.sheet import Axis, Bars, Box, Dots, Grid, Hover, Labels, Line, Note, Panel, Picture, Rule, Sheet
from routeviz.plots.style import FAINT, INK, RAMP, SOFT, plain
from routeviz.writing import whole_file

INCH, POINT = 150, 1.6
"""Pixels of an inch and of a point at print: a column is 488 pixels wide."""

FONT = 12
SYMBOLS = {
    "circle": "circle",
    "square": "square",
    "diamond": "diamond",
    "triangle": "triangle-up",
    "cross": "x-thin",
    "bar": "line-ew",
}
_ANCHORS = {"left": "left", "middle": "center", "right": "right"}
_SHADES = ["#e3e8ec", *RAMP]
_LINE = 20
"""Pixels of a line of the legend."""


def safe(text: object, length: int = 40) -> str:
    """Text that plotly shows as it is: neither HTML nor mathematics."""
    return html.escape(plain(text, length), quote=False).replace("$", "&#36;")


def draw(sheet: Sheet, *, ax: Any = None, width: float) -> go.Figure:
    """Draw a sheet.

    Parameters
    ----------
    sheet : Sheet
    ax : Figure or (Figure, row, column), or a sequence of them, optional
        One for each panel.
    width : float
        Of a new figure, in inches.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the number of places is not that of the panels.
    """
    panels = list(sheet.panels)
    names = [mark.name for mark in sheet.named]
    places = _new_places(sheet, round(width * INCH), names) if ax is None else _given_places(ax, len(panels))
    shares = [1 / len(row) for row in sheet.rows for _ in row]
    for panel, place, share in zip(panels, places, shares, strict=True):
        _panel(panel, place, share)
    for mark in sheet.named:
        _key(mark, places[-1])
    return places[0][0]


def save(figure: go.Figure, path: str | Path, *, formats: Sequence[str] = ("html",)) -> list[Path]:
    """Write a figure as a page that needs no network; see `routeviz.plots.save_figure`."""
    file = Path(path).with_name(f"{Path(path).name}.html")
    with whole_file(file) as draft:
        figure.write_html(draft, include_plotlyjs=True, include_mathjax=False)
    return [file]


def _given_places(ax: Any, n_panels: int) -> list[tuple]:
    one = isinstance(ax, go.Figure) or (isinstance(ax, tuple) and len(ax) == 3 and isinstance(ax[0], go.Figure))
    places = [place if isinstance(place, tuple) else (place, None, None) for place in ([ax] if one else ax)]
    if len(places) != n_panels or not all(isinstance(place[0], go.Figure) for place in places):
        raise InputError(f"this figure has {n_panels} panels; give ax as many plotly Figures or (Figure, row, column)")
    return places


def _new_places(sheet: Sheet, width: int, names: list[str]) -> list[tuple]:
    columns = math.lcm(*(len(row) for row in sheet.rows))
    heights = [max(panel.height for panel in row) for row in sheet.rows]
    legend = math.ceil(len(names) / max(1, (width - 20) // 190)) * _LINE
    total = round(sum(heights) * INCH) + legend + 24 * (len(heights) - 1)
    specs, places = [], []
    for number, row in enumerate(sheet.rows):
        span = columns // len(row)
        specs.append([{"colspan": span} if column % span == 0 else None for column in range(columns)])
        places += [(number + 1, index * span + 1) for index in range(len(row))]
    gap = 84 / total if len(heights) > 1 else 0
    figure = make_subplots(
        rows=len(heights),
        cols=columns,
        specs=specs,
        row_heights=heights,
        vertical_spacing=min(gap, 0.9 / max(1, len(heights) - 1)),
        horizontal_spacing=0.06 / columns if columns > 1 else 0,
        subplot_titles=[safe(panel.title, 70) if panel.title else "" for panel in sheet.panels],
    )
    figure.for_each_annotation(lambda title: title.update(font_size=FONT + 1))
    figure.update_layout(
        width=width,
        height=total,
        template="simple_white",
        font={"size": FONT, "color": INK},
        margin={"l": 56, "r": 16, "t": 34, "b": 52 + legend},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0.5, "xanchor": "center"},
        paper_bgcolor="white",
        plot_bgcolor="white",
        bargap=0,
    )
    return [(figure, *place) for place in places]


def _panel(panel: Panel, place: tuple, share: float) -> None:
    figure, row, column = place
    unit = POINT
    if panel.scaled and panel.x.ends:
        unit = min(1.3, ((figure.layout.width or 700) * share - 70) / abs(panel.x.ends[1] - panel.x.ends[0]))
    for mark in panel.marks:
        _mark(mark, place, unit)
    axes = {"row": row, "col": column}
    figure.update_xaxes(**_axis(panel.x, panel.frame), **axes)
    figure.update_yaxes(**_axis(panel.y, panel.frame), **axes)
    if any(isinstance(mark, Picture) for mark in panel.marks):
        figure.update_xaxes(visible=False, constrain="domain", **axes)
        figure.update_yaxes(visible=False, constrain="domain", **axes)
    if labels := [mark for mark in panel.marks if isinstance(mark, Labels)]:
        _put_labels(labels, panel, place)


def _axis(axis: Axis, frame: bool) -> dict:
    setting: dict[str, Any] = {"title": {"text": safe(axis.label), "standoff": 6}, "showline": frame, "linecolor": SOFT}
    if not frame:
        setting["ticks"] = ""
    if axis.ticks is not None:
        setting |= {"tickvals": [at for at, _ in axis.ticks], "ticktext": [safe(text) for _, text in axis.ticks]}
        setting |= {"tickangle": 0} if max((len(text) for _, text in axis.ticks), default=0) < 4 else {}
    if axis.ends:
        setting["range"] = list(axis.ends)
    return setting | {"zeroline": False, "automargin": True}


def _words(texts: Sequence[str]) -> dict:
    lines = ["<br>".join(safe(line, 80) for line in text.split("\n")) for text in texts]
    return {"hovertext": lines, "hoverinfo": "text"} if lines else {"hoverinfo": "skip"}


@singledispatch
def _mark(mark: object, place: tuple, unit: float) -> None:
    """Draw one mark."""


def _add(trace: Any, place: tuple) -> None:
    figure, row, column = place
    figure.add_trace(trace, row=row, col=column)


@_mark.register
def _(mark: Line, place: tuple, unit: float) -> None:
    if len(mark.x):
        words = {} if mark.symbol else {"hoverinfo": "skip"}
        _add(go.Scatter(x=mark.x, y=mark.y, **_line(mark, unit), **words), place)


@_mark.register
def _(mark: Dots, place: tuple, unit: float) -> None:
    if len(mark.x):
        _add(go.Scatter(x=mark.x, y=mark.y, **_dots(mark, unit), cliponaxis=False, **_words(mark.texts)), place)


@_mark.register
def _(mark: Hover, place: tuple, unit: float) -> None:
    unseen = {"mode": "markers", "marker": {"size": 12, "opacity": 0}, "showlegend": False}
    _add(go.Scatter(x=mark.x, y=mark.y, **unseen, **_words(mark.texts)), place)


@_mark.register
def _(mark: Rule, place: tuple, unit: float) -> None:
    # The template makes shapes pale, and plotly leaves out a panel that has no trace yet.
    line = {"color": mark.colour, "dash": mark.dash, "width": 1.8}
    where = {"row": place[1] or "all", "col": place[2] or "all", "exclude_empty_subplots": False}
    place[0].add_vline(x=mark.x, line=line, opacity=1, **where)


@_mark.register
def _(mark: Note, place: tuple, unit: float) -> None:
    place[0].add_annotation(
        x=mark.x,
        y=mark.y,
        text=safe(mark.text),
        showarrow=False,
        xanchor=_ANCHORS[mark.anchor],
        yanchor="middle",
        textangle=-mark.angle,
        font={"size": FONT - 2, "color": SOFT},
        row=place[1],
        col=place[2],
    )


@_mark.register
def _(mark: Box, place: tuple, unit: float) -> None:
    corners = {"x0": mark.x, "y0": mark.y, "x1": mark.x + mark.width, "y1": mark.y + mark.height}
    style = {"line": {"color": SOFT, "width": 1}, "fillcolor": "rgba(0,0,0,0)", "opacity": 1}
    place[0].add_shape(type="rect", **corners, **style, row=place[1], col=place[2])


@_mark.register
def _(mark: Bars, place: tuple, unit: float) -> None:
    ends = zip(mark.edges[:-1], mark.edges[1:], mark.heights, strict=True)
    words = [f"{low:.4g} to {high:.4g}: {int(count)} {mark.unit}" for low, high, count in ends]
    bars = {"width": np.diff(mark.edges), "marker": {"color": mark.colour, "line": {"color": "white", "width": 0.5}}}
    centres = (mark.edges[:-1] + mark.edges[1:]) / 2
    _add(go.Bar(x=centres, y=mark.heights, **bars, showlegend=False, **_words(words)), place)


@_mark.register
def _(mark: Grid, place: tuple, unit: float) -> None:
    figure, row, column = place
    trace = go.Heatmap(
        z=mark.values, zmin=mark.low, zmax=mark.high, colorscale=_SHADES, xgap=0.5, ygap=0.5, hoverongaps=False
    )
    if mark.texts is not None:
        trace.text, trace.hoverinfo = np.vectorize(lambda text: safe(text, 80))(mark.texts), "text"
    bar = {"title": {"text": safe(mark.label), "side": "right"}, "thickness": 12, "outlinewidth": 0}
    if row is not None:
        subplot = figure.get_subplot(row, column)
        low, high = subplot.yaxis.domain
        bar |= {"y": (low + high) / 2, "len": high - low, "x": subplot.xaxis.domain[1] + 0.01, "xanchor": "left"}
    trace.colorbar = bar
    _add(trace, place)
    if mark.written:
        for (at_row, at_column), value in np.ndenumerate(mark.values):
            dark = not np.isnan(value) and (value - mark.low) / (mark.high - mark.low) > 0.12
            figure.add_annotation(
                x=at_column,
                y=at_row,
                text="n/a" if np.isnan(value) else f"{value:.2f}",
                showarrow=False,
                font={"size": FONT - 1, "color": "white" if dark else INK},
                row=row,
                col=column,
            )


@_mark.register
def _(mark: Picture, place: tuple, unit: float) -> None:
    data = io.BytesIO()
    Image.fromarray(mark.pixels).save(data, "png")
    source = f"data:image/png;base64,{b64encode(data.getvalue()).decode()}"
    _add(go.Image(source=source, hoverinfo="skip"), place)


def _line(mark: Line, unit: float) -> dict:
    style = {"color": mark.colour, "dash": mark.dash, "width": max(0.7, mark.width * unit)}
    marker = {"marker": {"symbol": SYMBOLS[mark.symbol], "size": 7, "color": mark.colour}} if mark.symbol else {}
    return {"mode": "lines+markers" if mark.symbol else "lines", "line": style, "showlegend": False, **marker}


def _dots(mark: Dots, unit: float) -> dict:
    marker = {
        "symbol": SYMBOLS[mark.symbol],
        "size": max(3.5, mark.size * unit),
        "color": mark.colour if mark.filled else "white",
        "line": {"color": mark.colour, "width": 1.4},
    }
    return {"mode": "markers", "marker": marker, "showlegend": False}


def _key(mark: Line | Dots | Rule, place: tuple) -> None:
    """One entry of the legend."""
    if isinstance(mark, Dots):
        style = _dots(mark, 1)
        style["marker"]["size"] = 9
    elif isinstance(mark, Rule):
        style = {"mode": "lines", "line": {"color": mark.colour, "dash": mark.dash, "width": 1.8}}
    else:
        style = _line(mark, 1)
        style["line"]["width"] = max(1.5, min(5, mark.width))
    _add(go.Scatter(x=[None], y=[None], name=safe(mark.name), **(style | {"showlegend": True})), place)


def _put_labels(labels: list[Labels], panel: Panel, place: tuple) -> None:
    """Place names from the size that the panel will have; its description fixes the ends of both axes."""
    figure, row, column = place
    box = np.array([(figure.layout.width or 700) - 90, panel.height * INCH - 90], float)
    ends = np.array([panel.x.ends, panel.y.ends], float)
    font = ImageFont.load_default(FONT)
    for mark in labels:
        at = np.column_stack([mark.x, mark.y])
        points = (at - ends[:, 0]) / (ends[:, 1] - ends[:, 0]) * box
        avoid = (mark.avoid - ends[:, 0]) / (ends[:, 1] - ends[:, 0]) * box
        texts = [plain(text, 28) for text in mark.texts]
        sizes = np.array([(font.getlength(text) * 1.1 + 4, FONT + 4) for text in texts]).reshape(-1, 2)
        centres = place_labels(points, sizes, np.array([(0, 0), box]), gap=8, avoid=avoid)
        led = needs_leader(points, centres, sizes, near=12)
        for (x, y), shift, far, text in zip(at, centres - points, led, texts, strict=True):
            figure.add_annotation(
                x=x,
                y=y,
                ax=shift[0],
                ay=-shift[1],
                text=safe(text),
                arrowcolor=FAINT if far else "rgba(0,0,0,0)",
                arrowhead=0,
                arrowwidth=1,
                font={"size": FONT - 1},
                row=row,
                col=column,
            )
