"""The figure of common networks: what each threshold keeps, costs and covers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.plots.expense import unit_of_macs
from routeviz.plots.figure import figure
from routeviz.plots.sheet import Axis, Hover, Line, Panel, Sheet
from routeviz.plots.style import INK, series


@figure
def plot_common(
    sweep: pd.DataFrame, *, average: float | None = None, convention: str = "conv", rows: str = "images"
) -> Sheet:
    """Draw the common networks of a log by their threshold: MACs above, the share of images they fit below.

    Parameters
    ----------
    sweep : DataFrame
        Of `routeviz.stats.common_sweep`, with a column ``macs`` of the networks' MACs.
    average : float, optional
        MACs of the log's own routes, mean over images; drawn as a line to compare with.
    convention : str
        In which the MACs are counted; for the label.
    rows : str
        What the log's rows are, for the words.
    """
    needed = ("keep", "macs", "covered", "complete")
    if missing := [name for name in needed if name not in sweep]:
        raise InputError(f"table of thresholds lacks {', '.join(missing)}; it needs {', '.join(needed)}")
    if sweep.empty:
        raise InputError("no thresholds; there is nothing to draw")
    table = sweep.sort_values("keep")
    keep, macs = (table[name].to_numpy(float) for name in ("keep", "macs"))
    unit, word = unit_of_macs(np.append(macs, average or 0))
    costs = [_curve(0, keep, macs / unit, "common network")]
    texts = (f"{share:.0%}: {cost:.4g} {word}" for share, cost in zip(keep, macs / unit, strict=True))
    costs.append(Hover(keep, macs / unit, tuple(texts)))
    if average is not None:
        costs.append(
            Line(np.array([0.0, 1.0]), np.full(2, average / unit), INK, 1, "dot", name=f"{rows}' own, average")
        )
    fits = [
        _curve(1, keep, table.covered.to_numpy(float), f"{rows} within it"),
        _curve(2, keep, table.complete.to_numpy(float), f"{rows} that open all of it"),
    ]
    across = Axis(f"share of {rows} that open a kept path, at least", ends=(-0.02, 1.02))
    up = Axis(f"{word}, {convention}", ends=_ends(macs, average, unit))
    return Sheet(
        (
            (Panel(tuple(costs), "", replace(across, label=""), up, 1.6),),
            (Panel(tuple(fits), "", across, Axis(f"share of {rows}", ends=(-0.05, 1.05)), 1.5),),
        )
    )


def _curve(index: int, x: np.ndarray, y: np.ndarray, name: str) -> Line:
    colour, dash, symbol = series(index)
    return Line(x, y, colour, 1.2, dash, symbol, name)


def _ends(macs: np.ndarray, average: float | None, unit: float) -> tuple[float, float]:
    values = np.append(macs, [] if average is None else average) / unit
    edge = 0.1 * float(np.ptp(values)) or 0.05 * float(values.max()) or 1.0
    return float(values.min() - edge), float(values.max() + edge)
