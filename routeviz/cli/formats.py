"""One table of texts, with notes, in the formats that a terminal, a page and a paper want."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from textwrap import fill

from routeviz.cli.tables import columns

UNKNOWN = "·"
"""What stands where a number is not known."""

FORMATS = ("terminal", "markdown", "latex", "csv")

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "Δ": r"$\Delta$", "×": r"$\times$",
    "λ": r"$\lambda$", "μ": r"$\mu$", UNKNOWN: "--",
}  # fmt: skip


def table_text(
    header: Sequence[str], rows: Sequence[Sequence[str]], style: str, *, align: str, notes: Sequence[str] = ()
) -> str:
    """Set a table in one of `FORMATS`.

    Parameters
    ----------
    header, rows : sequences of str
    style : str
        ``"csv"`` has no place for the notes.
    align : str
        One ``<`` or ``>`` a column.
    notes : sequence of str
        Set below the table, numbered from 1 as the rows refer to them.
    """
    write = {"terminal": _terminal, "markdown": _markdown, "latex": _latex, "csv": _csv}[style]
    return write(header, rows, align, notes)


def _terminal(header: Sequence[str], rows: Sequence[Sequence[str]], align: str, notes: Sequence[str]) -> str:
    below = [fill(f"{number} {note}", 110, subsequent_indent="  ") for number, note in enumerate(notes, 1)]
    return "\n".join([columns([header, *rows], align), *([""] if below else []), *below])


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]], align: str, notes: Sequence[str]) -> str:
    lines = [header, [{"<": ":--", ">": "--:"}[side] for side in align], *rows]
    table = ["| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines]
    return "\n".join([*table, *([""] if notes else []), *(f"{number}. {note}" for number, note in enumerate(notes, 1))])


def _latex(header: Sequence[str], rows: Sequence[Sequence[str]], align: str, notes: Sequence[str]) -> str:
    sides = "".join({"<": "l", ">": "r"}[side] for side in align)
    first, *rest = (" & ".join(map(_escaped, line)) + r" \\" for line in [header, *rows])
    lines = [rf"\begin{{tabular}}{{{sides}}}", r"\toprule", first, r"\midrule", *rest, r"\bottomrule"]
    lines += [
        rf"\multicolumn{{{len(sides)}}}{{p{{0.95\linewidth}}}}{{\footnotesize {number} {_escaped(note)}}} \\"
        for number, note in enumerate(notes, 1)
    ]
    return "\n".join(["% needs \\usepackage{booktabs}", *lines, r"\end{tabular}"])


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]], align: str, notes: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().rstrip("\n")


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
