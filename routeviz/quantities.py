"""Large numbers as people read them, in G, M or k, and rows of a log as what they are."""

import re

UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def unit_of(value: float) -> tuple[float, str]:
    """Size and letter of the unit that suits a number; 1 and no letter for a small one, and for NaN."""
    return next(((size, letter) for size, letter in UNITS if abs(value) >= size), (1.0, ""))


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


def quantity(value: float) -> str:
    """Write a large number with three decimals and its unit, as in ``118.085 G``; a small one as it is."""
    size, letter = unit_of(value)
    return f"{value / size:,.3f} {letter}" if letter else f"{value:g}"
