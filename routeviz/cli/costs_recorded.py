"""``routeviz costs LOG`` of a recorded network: what its rows cost, by the parts that whoever recorded it measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from routeviz.cli.tables import columns
from routeviz.costs import RECORDED_NOTE
from routeviz.quantities import count, quantity
from routeviz.space.states import STATES
from routeviz.stats import cell_usage, path_usage

if TYPE_CHECKING:
    from routeviz.routelog import RouteLog

WORDS = {
    "fixed": "what runs for every {one}",
    "operations": "of open cells",
    "gates": "of reached cells",
    "paths": "of open paths",
}


def recorded_costs(folder: Path, log: RouteLog, *, table: bool, as_json: bool) -> str:
    """Describe the costs of a recorded log, as text or JSON; raises InputError where the log does not hold any."""
    parts = log.macs_by_part()
    total = parts.sum(axis=1)
    convention, one = log.all_costs[0].convention, log.rows_are.removesuffix("s")
    every = [costs.total for costs in log.all_costs]
    figures = {
        "log": str(folder),
        "images": len(log),
        "rows": log.rows_are,
        "model": log.source.get("model"),
        "convention": convention,
        "sizes": [costs.size_text for costs in log.all_costs if costs.size_text],
        "macs": {name: float(parts[name].mean()) for name in parts} | {"total": float(total.mean())},
        "least": int(total.min()),
        "most": int(total.max()),
        "everything": max(every),
    }
    rows = _rows(log) if table else None
    if as_json:
        if rows is not None:
            figures["table"] = json.loads(rows.to_json(orient="records"))
        return json.dumps(figures, indent=2)
    lines = [(f"MACs of one {one}, {convention}", "mean", "least", "most")]
    for name in parts:
        told = (quantity(float(value)) for value in (parts[name].mean(), parts[name].min(), parts[name].max()))
        lines.append((f"{name}: {WORDS[name].format(one=one)}", *told))
    lines.append(("together", *(quantity(float(value)) for value in (total.mean(), total.min(), total.max()))))
    lines.append(("with every path open", "", "", quantity(max(every))))
    note = f"Counts {RECORDED_NOTE[0]}. Leaves out {RECORDED_NOTE[1]}."
    said = [
        f"{folder}: {count(len(log), log.rows_are)} of a recorded {log.source.get('model') or 'network'}\n",
        columns(lines, "<>>>"),
        f"\n{columns([(convention, note)], '<<', wrap_last=True)}",
    ]
    if rows is not None:
        header = ["part", "of", "MACs where it runs", f"{log.rows_are} that run it, %"]
        body = [[row.part, row.of, _amounts(row.macs), f"{100 * row.runs:.1f}"] for row in rows.itertuples()]
        said.append(f"\n{columns([header, *body], '<<>>')}")
    return "\n".join(said)


def _rows(log: RouteLog) -> pd.DataFrame:
    """One row a part that costs anything: ``part``, ``of``, ``macs`` (one a size) and ``runs``, a share of rows."""
    cells, paths, space = cell_usage(log), path_usage(log), log.space
    reached = 1 - cells[STATES[0]]
    kinds = (
        ("operation", space.cell_names, cells["open"]),
        ("gate", space.cell_names, reached),
        ("path", space.path_names, paths["open"]),
    )
    rows = []
    for part, names, shares in kinds:
        for at, (name, share) in enumerate(zip(names, shares, strict=True)):
            macs = [int(getattr(costs, part)[at]) for costs in log.all_costs]
            if any(macs):
                rows.append({"part": part, "of": name, "macs": macs, "runs": float(share)})
    return pd.DataFrame(rows, columns=["part", "of", "macs", "runs"])


def _amounts(macs: list[int]) -> str:
    return ", ".join(quantity(value) for value in macs)
