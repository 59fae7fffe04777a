"""What `routeviz stats` says of experts, branches and channel groups, in tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from routeviz.cli.tables import columns
from routeviz.errors import InputError

if TYPE_CHECKING:
    from routeviz.routelog import RouteLog

MOST_PAIRS = 3
"""Shown of those that are open together most, and least, often."""

LEAST, NOTHING = 0.01, 0.005
"""Share of the rows that a pair which is shown has at least; difference of a lift from 1 that is none."""

WORDS = {
    "chosen": "{ways} that a row opens, mean",
    "least, most": "smallest and largest share of what the {column} is given, %",
    "variation": "coefficient of variation of the rows that the {ways} are given (its square: Shazeer et al.)",
    "chance": "the same where every row chooses as many at random",
    "balance": "number of {ways} × sum of load × weight (Switch Transformers): 1 where even",
}


def expert_data(log: RouteLog, by: str | None) -> dict[str, Any]:
    """The tables, fit for JSON; nothing where no cell chooses. Raises InputError where a column is asked for there."""
    from routeviz.routelog import label_columns
    from routeviz.stats import (
        chooses,
        expert_balance,
        expert_coactivation,
        expert_load,
        expert_specialisation,
    )

    if not chooses(log):
        if by is not None:
            raise InputError("--by is for experts, branches and channel groups; this space has none")
        return {}
    by = by or next(iter(label_columns(log)), None)
    tables = {"load": expert_load(log), "balance": expert_balance(log), "coactivation": expert_coactivation(log)}
    if by is not None:
        tables["specialisation"] = expert_specialisation(log, by=by)
    return {"by": by, **{name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}}


def expert_report(log: RouteLog, by: str | None) -> str:
    """The tables as text; empty where no cell chooses."""
    from routeviz.space import kind_of

    data = expert_data(log, by)
    if not data:
        return ""
    kind = kind_of(log.space)
    told = {row["cell"]: row for row in data.get("specialisation", ())}
    ways = f"{kind.row}{'es' if kind.row.endswith('ch') else 's'}"
    header = [kind.column, ways, "chosen", "least", "most", "variation", "chance", "balance"]
    if told:
        header += ["bits", "by chance", "p"]
    rows = []
    for row in data["balance"]:
        rows.append([row["cell"], str(row["experts"]), *(_number(row[name]) for name in ("chosen",))])
        rows[-1] += [f"{100 * row[name]:.1f}" for name in ("least", "most")]
        rows[-1] += [_number(row[name]) for name in ("variation", "chance", "balance")]
        if told:
            rows[-1] += [_number(told[row["cell"]][name]) for name in ("bits", "chance", "p")]
    words = {word: text.format(ways=ways, column=kind.column) for word, text in WORDS.items()}
    if told:
        most = max(row["entropy"] for row in told.values())
        words["bits"] = f"mutual information of what is chosen and {data['by']} (of {most:.2f} bits), and by chance"
    parts = [f"How evenly {ways} are used"]
    parts += [
        columns([header, *rows], "<" + ">" * (len(header) - 1)),
        columns(list(words.items()), "<<", wrap_last=True),
    ]
    pairs = [row for row in data["coactivation"] if row["together"] >= LEAST and abs(row["lift"] - 1) > NOTHING]
    if pairs:
        pairs.sort(key=lambda row: -row["lift"])
        some = pairs if len(pairs) <= 2 * MOST_PAIRS else pairs[:MOST_PAIRS] + pairs[-MOST_PAIRS:]
        most = f"{ways.capitalize()} of different {kind.column}s, open together most and least often (by chance: 1)"
        lines = [[row["path"], row["other_path"], f"{100 * row['together']:.1f}", _number(row["lift"])] for row in some]
        parts.append(f"{most}\n\n" + columns([["path", "other path", "rows, %", "lift"], *lines], "<<>>"))
    return "\n\n".join(parts)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
