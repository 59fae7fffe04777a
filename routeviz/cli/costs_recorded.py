"""``routeviz costs LOG`` of a recorded network: what its rows cost, by the parts that whoever recorded it measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from routeviz.cli.tables import columns
from routeviz.costs import RECORDED_NOTE
from routeviz.quantities import count, quantity
from routeviz.stats import recorded_parts

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
    rows = recorded_parts(log) if table else None
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


def _amounts(macs: tuple[int, ...]) -> str:
    return ", ".join(quantity(value) for value in macs)
