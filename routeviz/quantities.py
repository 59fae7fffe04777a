"""Numbers as people read them, in T, G, M, k or percent, and rows of a log as what they are."""

import math
import re

UNITS = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1.0}
"""Size of each unit by its letter, the largest first."""


def unit_of(value: float) -> tuple[float, str]:
    """Size and letter of the unit that suits a number; 1 and no letter for a small one, and for NaN.

    From 999.5 of a unit on it is the next one: in three digits that is 1.00 of the next, not 1,000 of this one.
    """
    found = ((size, letter) for letter, size in UNITS.items() if abs(value) >= 0.9995 * size)
    return next(found, (1.0, ""))


def count(n: int, many: str) -> str:
    """A number of things in words: ``1 image``, ``2,000 images``."""
    return f"{n:,} {many.removesuffix('s') if n == 1 else many}"


def of_rows(text: str, rows: str) -> str:
    """Say of the rows of a log what a text says of images: where they are ``tokens``, "an image" is "a token".

    "Image-blind" stays: it is the word of an input, whatever the rows are.
    """
    if rows == "images":
        return text
    one = rows.removesuffix("s")
    article = "n" if one[0] in "aeiou" else ""

    def put(found: re.Match[str]) -> str:
        word = one.capitalize() if found[2] == "I" else one
        return (f"{found[1]}{article} " if found[1] else "") + word + found[3]

    return re.sub(r"(?<![-\w])(?:([Aa])n )?([Ii])mage(s?)\b(?!-)", put, text)


def quantity(value: float, written: str = ",.3f", small: str = "g") -> str:
    """Write a number with its unit: with three decimals, as in ``118.085 G``, or as it is where it is small.

    Parameters
    ----------
    value : float
    written, small : str
        How Python is to format what stands before a unit, and a number without one.
    """
    size, letter = unit_of(value)
    return f"{value / size:{written}} {letter}" if letter else f"{value:{small}}"


def percent(share: float | None, written: str = ".1f", *, unit: str = " %", unknown: str = "") -> str:
    """Write a share in percent, ``12.5 %``, or what stands for one that is not known: None or NaN.

    Parameters
    ----------
    share : float, or None
    written : str
        How Python is to format the number.
    unit, unknown : str
        What stands behind a number, and in place of one.
    """
    return unknown if share is None or math.isnan(share) else f"{100 * share:{written}}{unit}"
