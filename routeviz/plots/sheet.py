"""What a figure shows, as numbers and words: marks on panels on a sheet. Every backend draws these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

NOTHING = np.zeros(0)
"""The place of a mark that only the legend shows."""


@dataclass(frozen=True)
class Line:
    """A line through points; NaN breaks it. ``width`` in points; ``dash``: solid, dash, dot or dashdot."""

    x: np.ndarray
    y: np.ndarray
    colour: str
    width: float = 1.2
    dash: str = "solid"
    symbol: str = ""
    name: str = ""


@dataclass(frozen=True)
class Dots:
    """Symbols at points: circle, square, diamond, triangle, cross, bar; ``size`` is their width in points."""

    x: np.ndarray
    y: np.ndarray
    colour: str
    symbol: str = "circle"
    filled: bool = True
    size: float = 4.0
    name: str = ""
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hover:
    """Words shown under the pointer; paper leaves them out."""

    x: np.ndarray
    y: np.ndarray
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Labels:
    """Names beside points, placed so that none covers another, nor the places to ``avoid``, (place, 2)."""

    x: np.ndarray
    y: np.ndarray
    texts: tuple[str, ...]
    avoid: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


@dataclass(frozen=True)
class Note:
    """Words at a place, ``anchor`` (left, middle, right) there; ``angle`` in degrees."""

    x: float
    y: float
    text: str
    anchor: str = "middle"
    angle: float = 0


@dataclass(frozen=True)
class Box:
    """A rectangle from a corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Bars:
    """A histogram: ``edges`` (bin + 1,), ``heights`` (bin,), and what was counted."""

    edges: np.ndarray
    heights: np.ndarray
    colour: str
    unit: str = "images"


@dataclass(frozen=True)
class Rule:
    """A vertical line across the panel."""

    x: float
    colour: str
    dash: str
    name: str


@dataclass(frozen=True)
class Grid:
    """Values in [low, high] as shades, (row, column), each cell centred on whole numbers; NaN stays empty."""

    values: np.ndarray
    label: str
    low: float = 0.0
    high: float = 1.0
    written: bool = False
    texts: np.ndarray | None = None


@dataclass(frozen=True)
class Picture:
    """Pixels, (H, W, 3) uint8, whose centres are whole numbers."""

    pixels: np.ndarray


Mark = Line | Dots | Hover | Labels | Note | Box | Bars | Rule | Grid | Picture


@dataclass(frozen=True)
class Axis:
    """One axis: its label, its ticks (None: as the numbers ask), its ends (None: as the marks ask)."""

    label: str = ""
    ticks: tuple[tuple[float, str], ...] | None = None
    ends: tuple[float, float] | None = None


BARE = Axis(ticks=())


@dataclass(frozen=True)
class Panel:
    """Marks in one pair of axes.

    ``height`` is in inches at print. Where ``scaled``, widths and sizes of marks are in units of the x axis.
    """

    marks: tuple[Mark, ...]
    title: str = ""
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    height: float = 2.0
    scaled: bool = False
    frame: bool = True


@dataclass(frozen=True)
class Sheet:
    """Panels in rows; the panels of a row share its width.

    ``width`` is a preset or inches. ``data`` is what the marks were made from, where they do not say it themselves.
    """

    rows: tuple[tuple[Panel, ...], ...]
    width: str | float = "column"
    data: pd.DataFrame | None = field(default=None, compare=False, repr=False)

    @property
    def panels(self) -> Iterator[Panel]:
        """All panels, row by row."""
        return (panel for row in self.rows for panel in row)

    @property
    def named(self) -> list[Line | Dots | Rule]:
        """The marks of the legend: the first of each name."""
        marks = (mark for panel in self.panels for mark in panel.marks)
        first: dict[str, Line | Dots | Rule] = {}
        for mark in marks:
            if isinstance(mark, Line | Dots | Rule) and mark.name:
                first.setdefault(mark.name, mark)
        return list(first.values())

    def table(self) -> pd.DataFrame:
        """The numbers of the figure: ``data``, or else a row for each point, bar, cell and rule that is drawn.

        The columns of such a row: ``panel`` (from 1), ``title``, ``mark``, and what the kind of mark has of ``name``,
        ``x``, ``y``, ``width`` (of a bar), ``value`` and ``text``.
        """
        if self.data is not None:
            return self.data
        parts = [
            pd.DataFrame({"panel": number, "title": panel.title, "mark": type(mark).__name__.lower(), **columns})
            for number, panel in enumerate(self.panels, start=1)
            for mark in panel.marks
            if len((columns := _numbers(mark)).get("x", ()))
        ]
        columns = ["panel", "title", "mark", "name", "x", "y", "width", "value", "text"]
        if not parts:
            return pd.DataFrame(columns=columns[:3])
        found = pd.concat(parts, ignore_index=True)
        told = [name for name in columns if name in found and not found[name].isin(["", np.nan]).all()]
        return found[told]


def _numbers(mark: Mark) -> dict[str, object]:
    """What a mark shows, as columns; nothing for what only frames or explains the rest."""
    match mark:
        case Line():
            return {"name": mark.name, "x": mark.x, "y": mark.y}
        case Dots():
            return {"name": mark.name, "x": mark.x, "y": mark.y, "text": list(mark.texts) or ""}
        case Hover():
            return {"x": mark.x, "y": mark.y, "text": list(mark.texts)}
        case Bars():
            return {"x": mark.edges[:-1], "width": np.diff(mark.edges), "y": mark.heights}
        case Rule():
            return {"name": mark.name, "x": [mark.x]}
        case Grid():
            y, x = np.indices(mark.values.shape).reshape(2, -1)
            texts = "" if mark.texts is None else mark.texts.ravel()
            return {"name": mark.label, "x": x, "y": y, "value": mark.values.ravel(), "text": texts}
        case _:
            return {}
