"""What all figures share: sizes, colours that differ in grey too, and text that no backend takes for markup."""

from __future__ import annotations

from routeviz.errors import InputError
from routeviz.space.svg import THEMES

WIDTHS = {"column": 3.25, "text": 6.875}
"""Widths of a figure in inches: one column of a paper, and all its text."""

THEME = THEMES["light"]
INK, SOFT, FAINT = THEME.ink, THEME.soft, THEME.faint
RAMP = THEME.ramp
DIFFERENCE = "#d0021b"

SERIES = (
    ("#0b3c6f", "solid", "circle"),
    ("#e0701a", "dash", "square"),
    ("#1f9e89", "dashdot", "triangle"),
    ("#a3357f", "dot", "diamond"),
    ("#5f6b7a", "dash", "cross"),
    ("#d6b000", "solid", "triangle"),
    ("#56b4e9", "dot", "square"),
)
"""Colour, dash and symbol of the first series, the second, ...: any one of the three tells them apart."""


def series(index: int) -> tuple[str, str, str]:
    """Colour, dash and symbol of a series; they repeat after the last."""
    return SERIES[index % len(SERIES)]


def plain(text: object, length: int = 40) -> str:
    """One line of text, without control characters, and cut to a length."""
    words = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return words if len(words) <= length else words[: length - 1] + "…"


def inches(width: str | float) -> float:
    """Width in inches of a preset or number; raises InputError where it is neither."""
    if isinstance(width, str):
        if width not in WIDTHS:
            raise InputError(f"unknown width {width!r}; valid: {', '.join(WIDTHS)}, or a number of inches")
        return WIDTHS[width]
    if not 1 <= width <= 100:
        raise InputError(f"a width of {width:g} inches; give one from 1 to 100")
    return float(width)
