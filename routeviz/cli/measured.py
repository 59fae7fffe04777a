"""Parts of a network as a table, and the time that they take: how ``routeviz costs`` tells both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from routeviz.cli.tables import columns
from routeviz.costs import CONVENTIONS
from routeviz.stats import fit_times

if TYPE_CHECKING:
    from routeviz.costs import CostTable, TimeTable

MEANING = (
    "A part's time is its median over rounds; in each, every part ran once, in an order of its own. The line is "
    "fitted by least squares over parts, as seconds = a + b · MACs; R² is the share of the variance of time between "
    "parts that it explains, and above the line is what a kind of part takes beyond it."
)


def part_rows(tables: dict[str, CostTable], executed: np.ndarray, times: TimeTable | None) -> pd.DataFrame:
    """One row a part: where it is, its MACs by convention, the share of routes that run it, and its time in seconds."""
    frame = tables["conv"].frame().drop(columns="macs")
    frame = frame.assign(**{convention: tables[convention].frame().macs for convention in CONVENTIONS})
    frame["executed"] = executed.mean(axis=0)
    if times is not None:
        frame = frame.assign(**{name: times.parts[name] for name in ("seconds", "low", "high")})
    return frame


def parts_text(rows: pd.DataFrame) -> str:
    """The table of parts, for a terminal."""
    texts = rows[["part", "layer", "scale", "move"]].astype({"layer": "string", "scale": "string"}).fillna("")
    header, align = ["part", "layer", "scale", "move"], "<>><"
    for convention in CONVENTIONS:
        texts[convention], header, align = rows[convention].map("{:,}".format), [*header, convention], align + ">"
    whole = rows.executed.isin((0, 1)).all()
    texts["runs"] = np.where(rows.executed > 0, "yes", "no") if whole else rows.executed.map("{:.1%}".format)
    header, align = [*header, "runs" if whole else "images that run it"], align + ">"
    about = "Of every part where it runs, MACs by convention"
    if "seconds" in rows:
        spread = zip(rows.seconds, rows.low, rows.high, strict=True)
        texts["time"] = [
            "" if np.isnan(s) else f"{1e6 * s:,.0f} [{1e6 * a:,.0f}, {1e6 * b:,.0f}]" for s, a, b in spread
        ]
        header, align = [*header, "time, µs"], align + ">"
        about += ", and time, median and quartiles"
    return f"{about}:\n\n" + columns([header, *texts.to_numpy().tolist()], align)


def measured_figures(times: TimeTable) -> dict[str, Any]:
    """What was measured, and what MACs explain of it, fit for JSON."""
    low, median, high = np.quantile(times.whole, (0.25, 0.5, 0.75)).tolist()
    fits = {convention: fit_times(times.parts, convention=convention) for convention in CONVENTIONS}
    return {
        "device": times.device,
        "machine": times.machine,
        "threads": times.threads,
        "execution": times.execution,
        "rounds": times.rounds,
        "forward": {"median": median, "low": low, "high": high},
        "parts_of_the_forward": float(times.of(times.route[None])[0]),
        "overhead": times.overhead,
        "spread": _spread(times),
        "explained": {
            convention: {
                "r2": fit.r2,
                "seconds_per_gmac": 1e9 * fit.per_mac,
                "seconds_per_part": fit.per_part,
                "share_of_macs": fit.share_of_macs,
                "kinds": fit.kinds.to_dict("records"),
            }
            for convention, fit in fits.items()
        },
    }


def measured_text(times: TimeTable, *, convention: str = "conv") -> str:
    """What was measured, and what MACs explain of it, for a terminal."""
    low, median, high = (1e3 * value for value in np.quantile(times.whole, (0.25, 0.5, 0.75)))
    ran = 1e3 * float(times.of(times.route[None])[0])
    where = f"{times.device} ({times.machine}, {times.threads} thread{'s' * (times.threads != 1)})"
    lines = [
        f"Time on {where}, execution {times.execution}: median of {times.rounds} rounds, [quartiles]\n",
        columns(
            [
                ("forward pass on this route, fixed", f"{median:,.1f} ms", f"[{low:,.1f}, {high:,.1f}]"),
                ("its parts, each by itself", f"{ran:,.1f} ms", f"{ran / median:.0%} of it"),
                ("the rest", f"{median - ran:,.1f} ms", "sums, indexing, Python, memory"),
                ("quartiles of a part apart by", f"{_spread(times):.0%}", "of its median, in the middle of all parts"),
            ],
            "<><",
        ),
        "",
    ]
    rows = [("convention", "R²", "ms a GMAC", "µs a part", "of the time, by MACs")]
    for name in CONVENTIONS:
        fit = fit_times(times.parts, convention=name)
        rows.append(
            (
                name,
                f"{fit.r2:.3f}",
                f"{1e12 * fit.per_mac:,.0f}",
                f"{1e6 * fit.per_part:,.0f}",
                f"{fit.share_of_macs:.0%}",
            )
        )
    lines += [columns(rows, "<>>>>"), ""]
    rows = [(f"kind of part, {convention}", "parts", "of the MACs", "time, ms", "of the time", "above the line, ms")]
    for kind in fit_times(times.parts, convention=convention).kinds.to_dict("records"):
        rows.append(
            (
                kind["kind"],
                f"{kind['parts']}",
                f"{kind['macs_share']:.1%}",
                f"{1e3 * kind['seconds']:,.2f}",
                f"{kind['time_share']:.1%}",
                f"{1e3 * kind['residual']:+,.2f}",
            )
        )
    lines += [columns(rows, "<>>>>>"), "", columns([(MEANING,)], "<", wrap_last=True)]
    return "\n".join(lines)


def _spread(times: TimeTable) -> float:
    return float(((times.parts.high - times.parts.low) / times.parts.seconds).median())
