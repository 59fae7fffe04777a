"""Plain text for a terminal: columns that stand under each other."""

from collections.abc import Sequence
from shutil import get_terminal_size
from textwrap import wrap

GAP = "  "
NARROWEST = 20


def columns(rows: Sequence[Sequence[str]], align: str, *, wrap_last: bool = False) -> str:
    """Set rows of texts in columns.

    Parameters
    ----------
    rows : sequence of rows of str
    align : str
        One ``<`` or ``>`` for each column.
    wrap_last : bool
        Break the last column's texts so that lines fit the terminal.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if wrap_last:
        before = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
        widths[-1] = min(widths[-1], max(NARROWEST, get_terminal_size().columns - before))
    lines = []
    for row in rows:
        *first, last = row
        ends = wrap(last, widths[-1]) or [""] if wrap_last else [last]
        for number, end in enumerate(ends):
            texts = [*(first if number == 0 else [""] * len(first)), end]
            cells = (f"{text:{side}{width}}" for text, side, width in zip(texts, align, widths, strict=True))
            lines.append(GAP.join(cells).rstrip())
    return "\n".join(lines)


def grid(labels: Sequence[str], header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set a matrix of short texts, in several blocks one below the other where the terminal is too narrow for one."""
    label_width = max(map(len, labels))
    width = 1 + max(len(text) for row in [header, *rows] for text in row)
    fit = max(1, (get_terminal_size().columns - label_width - 1) // width)
    lines = list(zip(["", *labels], [header, *rows], strict=True))
    blocks = []
    for start in range(0, len(header), fit):
        texts = ((label, row[start : start + fit]) for label, row in lines)
        block = (f"{label:<{label_width}}" + "".join(f"{text:>{width}}" for text in part) for label, part in texts)
        blocks.append("\n".join(line.rstrip() for line in block))
    return "\n\n".join(blocks)
