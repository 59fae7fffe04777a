"""A route log in a few lines of HTML, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from routeviz.space import extent

if TYPE_CHECKING:
    from routeviz.routelog.log import RouteLog

FIRST = 5
SHOWN = ("id", "miou", "pixel_accuracy", "macs_conv", "scale_class")


def summary_html(log: RouteLog) -> str:
    """Describe a log: a table of its facts, and the first of its images."""
    source, space = log.source, log.space
    made_by, data = source.get("checkpoint") or {}, source.get("dataset") or {}
    shown = [name for name in SHOWN if name in log.columns]
    facts = log.facts(*shown)
    rows = {
        "images": f"{len(log):,}" + (f", {len(log.skipped):,} could not be read" if log.skipped else ""),
        "space": extent(space),
        "checkpoint": " ".join(str(made_by[key]) for key in ("file", "step") if made_by.get(key) is not None),
        "dataset": " ".join(str(data[key]) for key in ("name", "split") if data.get(key)),
        "forced route": ((source.get("settings") or {}).get("route") or {}).get("name", ""),
    }
    if "macs_conv" in shown and len(facts):
        low, mean, high = (getattr(facts["macs_conv"], how)() / 1e6 for how in ("min", "mean", "max"))
        rows["MACs (conv)"] = f"{mean:,.1f} M on average, {low:,.1f} to {high:,.1f} M"
    if "miou" in shown and len(facts):
        rows["mIoU"] = f"{facts['miou'].mean():.1%}, mean of images"
    table = "".join(
        f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{escape(str(text))}</td></tr>'
        for name, text in rows.items()
        if text
    )
    first = facts.head(FIRST).to_html(index=False, float_format="{:.3f}".format, border=0)
    return f"<div><b>RouteLog</b><table>{table}</table>{first if len(facts) else ''}</div>"
