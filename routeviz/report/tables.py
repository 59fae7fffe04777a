"""Tables of a page: every text is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import pandas as pd

from routeviz.stats import Figure


class Share(float):
    """A number from 0 to 1 that is shown in percent, with a bar behind it; NaN stays empty."""


class Number(str):
    """A number as it is to be read; it stands at the right."""


class Code(str):
    """A text to be copied, such as a hash."""


def table(header: Sequence[str], rows: Iterable[Sequence[object]], *, whole: bool = False) -> str:
    """Set a table; the first value of each row is its heading. One that is not ``whole`` scrolls, but for print."""
    head = "".join(f'<th scope="col"{_numeric(name)}>{escape(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{escape(str(first))}</th>{"".join(map(_cell, rest))}</tr>' for first, *rest in rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if any(header) else ""
    focus = "" if whole else ' tabindex="0"'
    return f'<div class="sheet{" whole" * whole}"{focus}><table>{head}<tbody>{body}</tbody></table></div>'


def pairs(facts: Mapping[str, object]) -> str:
    """Set names and what they are; empty values are left out."""
    return table(("", ""), [(name, value) for name, value in facts.items() if str(value)], whole=True)


def figures_table(figures: Iterable[Figure]) -> str:
    """Set figures of a log, each with its definition."""
    rows = [(f.name, Number(f.text), _unit(f), f.definition) for f in figures]
    return table(("figure", Number("value"), "unit", "definition"), rows, whole=True)


def cells_table(names: Sequence[str], usage: pd.DataFrame, *, blind: bool = True) -> str:
    """Set `routeviz.stats.cell_usage`; where cells cannot be image-blind, without that."""
    columns = {"open": "open", "closed": "closed", "unreached": "unreached"}
    columns |= {"zeros": "starved", "image_blind": "image-blind"} if blind else {}
    shares = usage[list(columns)].to_numpy()
    rows = [(name, *map(Share, values)) for name, values in zip(names, shares, strict=True)]
    return table(("cell", *map(Number, columns.values())), rows)


def paths_table(names: Sequence[str], usage: pd.DataFrame) -> str:
    """Set `routeviz.stats.path_usage`; the names say where the paths lead."""
    rows = [
        (
            name,
            Share(row.open),
            Number(f"{row.activation:.3f}"),
            Number("" if row.activation_open != row.activation_open else f"{row.activation_open:.3f}"),
            Number(f"{row.entropy:.3f}"),
        )
        for name, row in zip(names, usage.itertuples(), strict=True)
    ]
    header = ("path", *map(Number, ("open", "mean activation", "mean where open", "entropy, bits")))
    return table(header, rows)


def _unit(figure: Figure) -> str:
    """A unit that does not break over lines; a share says so by its sign."""
    return figure.unit.removeprefix("share").strip(", ").replace(" ", "\N{NO-BREAK SPACE}")


def _numeric(name: str) -> str:
    return ' class="number"' if isinstance(name, Number) else ""


def _cell(value: object) -> str:
    match value:
        case Share():
            if value != value:
                return "<td></td>"
            return f'<td class="number share" style="--share:{100 * value:.1f}%">{100 * value:.1f}%</td>'
        case Number():
            return f'<td class="number">{escape(value)}</td>'
        case Code():
            return f"<td><code>{escape(value)}</code></td>"
        case _:
            return f"<td>{escape(str(value))}</td>"
