"""Sheets in matplotlib: vector graphics at print size."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import lru_cache, singledispatch
from pathlib import Path
from threading import Lock

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from routeviz.errors import InputError
from routeviz.plots.labels import needs_leader, place_labels
from routeviz.plots.sheet import Bars, Box, Dots, Grid, Labels, Line, Note, Panel, Picture, Rule, Sheet
from routeviz.plots.style import INK, RAMP, SOFT, plain
from routeviz.writing import whole_file

FORMATS = ("pdf", "svg", "png")
OUTPUT = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "routeviz"}
STYLE = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.useoffset": False,
}
_SYMBOLS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "cross": "x", "bar": "_"}
_DASHES = {"solid": "-", "dash": (0, (4, 2)), "dot": (0, (1, 1.6)), "dashdot": (0, (5, 1.6, 1, 1.6))}
_ANCHORS = {"left": "left", "middle": "center", "right": "right"}
_SHADES = LinearSegmentedColormap.from_list("routeviz", ["#e3e8ec", *RAMP])
# Style and fonts are matplotlib's, one for all threads.
_LOCK = Lock()
_OTHER_SCRIPTS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans", "Hiragino Sans", "PingFang SC", "Yu Gothic"),
    *("Microsoft YaHei", "Malgun Gothic", "WenQuanYi Zen Hei", "IPAGothic", "Arial Unicode MS"),
)


@lru_cache
def _families() -> list[str]:
    """matplotlib's own font, then what this machine has for scripts that it lacks."""
    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed)]


def _figure(**options: object) -> Figure:
    """A figure that pyplot knows nothing of: it needs no closing, and no main thread."""
    return FigureCanvasAgg(Figure(**options)).figure


def draw(
    sheet: Sheet, *, ax: Axes | Sequence[Axes] | None, width: float, new: Callable[..., Figure] = plt.figure
) -> Axes | np.ndarray:
    """Draw a sheet.

    Parameters
    ----------
    sheet : Sheet
    ax : Axes or sequence of Axes, optional
        One for each panel.
    width : float
        Of a new figure, in inches.
    new : function
        What makes one.

    Returns
    -------
    Axes, or ndarray of Axes where the sheet has more than one panel

    Raises
    ------
    InputError
        If the number of axes is not that of the panels.
    """
    with mpl.rc_context(STYLE | {"font.family": _families()}):
        panels = list(sheet.panels)
        legend = sheet.named
        if ax is None:
            axes = _new_axes(sheet, new, width)
        else:
            axes = list(np.ravel(np.array(ax, dtype=object)))
            if len(axes) != len(panels) or not all(isinstance(one, Axes) for one in axes):
                raise InputError(f"this figure has {len(panels)} panels; give ax as many matplotlib Axes")
        for panel, one in zip(panels, axes, strict=True):
            _panel(panel, one)
        if legend:
            _legend([_handle(mark) for mark in legend], axes, own=ax is None)
        _put_labels(panels, axes)
    return axes[0] if len(axes) == 1 else np.array(axes)


def save(axes: Axes | np.ndarray, path: str | Path, *, formats: Sequence[str] = FORMATS, dpi: int = 300) -> list[Path]:
    """Write the figure of some axes, fonts embedded; see `routeviz.plots.save_figure`."""
    figure = np.ravel(np.array(axes, dtype=object))[0].figure
    files = [Path(path).with_name(f"{Path(path).name}.{suffix}") for suffix in formats]
    for file, suffix in zip(files, formats, strict=True):
        with whole_file(file) as draft:
            _write(figure, draft, suffix, dpi)
    return files


def render(sheet: Sheet, *, formats: Sequence[str], width: float, dpi: int, about: str) -> dict[str, bytes]:
    """Draw a sheet once and give its files, by format; see `routeviz.plots.render_figure`."""
    with _LOCK:
        figure = np.ravel(draw(sheet, ax=None, width=width, new=_figure))[0].figure
        files = {suffix: io.BytesIO() for suffix in formats}
        for suffix, file in files.items():
            _write(figure, file, suffix, dpi, about)
    return {suffix: file.getvalue() for suffix, file in files.items()}


def _write(figure: Figure, file: Path | io.BytesIO, suffix: str, dpi: int, about: str = "") -> None:
    words = plain(about, 2000) or None
    metadata = {
        "pdf": {"CreationDate": None, "Subject": words},
        "svg": {"Date": None, "Description": words},
        "png": {"Description": words} if words else {},
    }
    with mpl.rc_context(OUTPUT):
        figure.savefig(file, format=suffix, dpi=dpi, metadata=metadata[suffix])


def _new_axes(sheet: Sheet, new: Callable[..., Figure], width: float) -> list[Axes]:
    heights = [max(panel.height for panel in row) for row in sheet.rows]
    figure = new(figsize=(width, sum(heights)), layout="constrained", facecolor="white")
    columns = math.lcm(*(len(row) for row in sheet.rows))
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    axes = []
    for number, row in enumerate(sheet.rows):
        span = columns // len(row)
        axes += [figure.add_subplot(grid[number, i * span : (i + 1) * span]) for i in range(len(row))]
    return axes


def _legend(handles: list[Line2D], axes: list[Axes], *, own: bool) -> None:
    """Put a legend below, in as many columns as fit; a figure of our own grows by its height."""
    figure = axes[0].figure
    place = {"loc": "outside lower center"} if own else {"loc": "upper center", "bbox_to_anchor": (0.5, -0.28)}
    spacing = {"handlelength": 2.4, "columnspacing": 1.2, "handletextpad": 0.5, "borderpad": 0.1}
    room = 0.98 * figure.get_figwidth() * figure.dpi
    for columns in range(len(handles), 0, -1):
        legend = (figure if own else axes[-1]).legend(handles=handles, ncols=columns, **place, **spacing)
        box = legend.get_window_extent()
        if box.width <= room or columns == 1:
            break
        legend.remove()
    if own:
        figure.set_figheight(figure.get_figheight() + box.height / figure.dpi + 0.05)


def _panel(panel: Panel, ax: Axes) -> None:
    """Draw the marks in the unit that the axes' width gives, then dress the axes."""
    unit = 1.0
    if panel.scaled and panel.x.ends:
        points = ax.get_position().width * ax.figure.get_figwidth() * 72
        unit = min(1.0, points / abs(panel.x.ends[1] - panel.x.ends[0]))
    for mark in panel.marks:
        _mark(mark, ax, unit)
    letters = int(ax.get_position().width * ax.figure.get_figwidth() * 72 / 3.9)
    ax.set_title(plain(panel.title, letters))
    for axis, setting in ((ax.xaxis, panel.x), (ax.yaxis, panel.y)):
        axis.set_label_text(setting.label)
        if setting.ticks is not None:
            axis.set_ticks([at for at, _ in setting.ticks], [plain(text) for _, text in setting.ticks])
    if panel.x.ends:
        ax.set_xlim(panel.x.ends)
    if panel.y.ends:
        ax.set_ylim(panel.y.ends)
    if not panel.frame:
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)


@singledispatch
def _mark(mark: object, ax: Axes, unit: float) -> None:
    """Draw one mark."""


@_mark.register
def _(mark: Line, ax: Axes, unit: float) -> None:
    if len(mark.x):
        ax.plot(mark.x, mark.y, **_line(mark, unit))


@_mark.register
def _(mark: Dots, ax: Axes, unit: float) -> None:
    if len(mark.x):
        ax.plot(mark.x, mark.y, zorder=3, clip_on=False, **_dots(mark, unit))


@_mark.register
def _(mark: Rule, ax: Axes, unit: float) -> None:
    ax.axvline(mark.x, color=mark.colour, linestyle=_DASHES[mark.dash], linewidth=1.1, zorder=2.5)


@_mark.register
def _(mark: Note, ax: Axes, unit: float) -> None:
    ax.text(
        mark.x, mark.y, mark.text, ha=_ANCHORS[mark.anchor], va="center", rotation=mark.angle, fontsize=6, color=SOFT
    )


@_mark.register
def _(mark: Box, ax: Axes, unit: float) -> None:
    ax.add_patch(Rectangle((mark.x, mark.y), mark.width, mark.height, fill=False, edgecolor=SOFT, linewidth=0.6))


@_mark.register
def _(mark: Bars, ax: Axes, unit: float) -> None:
    ax.stairs(mark.heights, mark.edges, fill=True, color=mark.colour, linewidth=0)
    ax.stairs(mark.heights, mark.edges, color="white", linewidth=0.4)


@_mark.register
def _(mark: Grid, ax: Axes, unit: float) -> None:
    values = np.ma.masked_invalid(mark.values)
    rows, columns = values.shape
    mesh = ax.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        values,
        cmap=_SHADES,
        vmin=mark.low,
        vmax=mark.high,
        edgecolors="white",
        linewidth=0.3,
    )
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02, fraction=0.05, aspect=18)
    bar.outline.set_visible(False)
    bar.set_label(mark.label)
    if mark.written:
        for (row, column), value in np.ndenumerate(mark.values):
            text, dark = ("n/a", False) if np.isnan(value) else (f"{value:.2f}", _is_dark(mesh.to_rgba(value)))
            ax.text(column, row, text, ha="center", va="center", fontsize=6, color="white" if dark else INK)


@_mark.register
def _(mark: Picture, ax: Axes, unit: float) -> None:
    ax.imshow(mark.pixels, interpolation="nearest")


def _is_dark(colour: Sequence[float]) -> bool:
    return float(np.dot(colour[:3], (0.299, 0.587, 0.114))) < 0.55


def _line(mark: Line, unit: float) -> dict:
    marker = {"marker": _SYMBOLS[mark.symbol], "markersize": 3} if mark.symbol else {}
    style = {"color": mark.colour, "linestyle": _DASHES[mark.dash], "linewidth": max(0.35, mark.width * unit)}
    return {**style, **marker, "solid_capstyle": "butt", "dash_capstyle": "butt"}


def _dots(mark: Dots, unit: float) -> dict:
    return {
        "linestyle": "none",
        "marker": _SYMBOLS[mark.symbol],
        "markersize": max(2.2, mark.size * unit),
        "markerfacecolor": mark.colour if mark.filled else "white",
        "markeredgecolor": mark.colour,
        "markeredgewidth": min(0.8, max(0.5, mark.size * unit / 7)),
    }


def _handle(mark: Line | Dots | Rule) -> Line2D:
    if isinstance(mark, Dots):
        return Line2D([], [], label=plain(mark.name), **(_dots(mark, 1) | {"markersize": 4.5}))
    if isinstance(mark, Rule):
        return Line2D([], [], label=plain(mark.name), color=mark.colour, linestyle=_DASHES[mark.dash], linewidth=1.1)
    style = _line(mark, 1)
    return Line2D([], [], label=plain(mark.name), **(style | {"linewidth": min(3.0, mark.width * 0.5 + 0.4)}))


def _put_labels(panels: list[Panel], axes: list[Axes]) -> None:
    """Place names beside points once the layout, and with it their distances, is known."""
    jobs = [
        (mark, ax) for panel, ax in zip(panels, axes, strict=True) for mark in panel.marks if isinstance(mark, Labels)
    ]
    if not jobs:
        return
    figure = jobs[0][1].figure
    figure.draw_without_rendering()
    to_points = 72 / figure.dpi
    for mark, ax in jobs:
        points = ax.transData.transform(np.column_stack([mark.x, mark.y])) * to_points
        texts = [ax.text(0, 0, plain(text, 28), fontsize=6) for text in mark.texts]
        boxes = [text.get_window_extent() for text in texts]
        sizes = np.array([(box.width, box.height) for box in boxes]).reshape(-1, 2) * to_points
        area = ax.get_window_extent().get_points() * to_points + [(3, 3), (-3, -3)]
        avoid = ax.transData.transform(mark.avoid) * to_points if len(mark.avoid) else None
        centres = place_labels(points, sizes, area, avoid=avoid)
        led = needs_leader(points, centres, sizes, near=8)
        places = np.column_stack([mark.x, mark.y])
        for point, centre, size, far, at, text in zip(points, centres, sizes, led, places, texts, strict=True):
            text.remove()
            # Anchored at the edge that faces the point: a font's width differs a little from one resolution to another.
            side = np.sign(centre[0] - point[0]) * (abs(centre[0] - point[0]) >= size[0] / 2)
            ax.annotate(
                text.get_text(),
                at,
                xytext=(centre[0] - point[0] - side * size[0] / 2, centre[1] - point[1]),
                textcoords="offset points",
                ha={1: "left", 0: "center", -1: "right"}[int(side)],
                va="center",
                fontsize=6,
                arrowprops={"arrowstyle": "-", "color": SOFT, "linewidth": 0.4} if far else None,
            ).set_in_layout(False)
