"""How much of the time that parts take their MACs explain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import linregress

from routeviz.errors import InputError


class TimeFit(NamedTuple):
    """Time of a network's parts as a line over their MACs, by least squares.

    Attributes
    ----------
    r2 : float
        Share of the variance of time between parts that the line explains.
    per_mac : float
        Seconds a MAC.
    per_part : float
        Seconds that a part takes whatever its MACs.
    share_of_macs : float
        Of the time of all parts together, what ``per_mac`` times their MACs comes to.
    kinds : DataFrame
        One row a kind of part: ``kind``; ``parts``, their number; ``macs`` and ``seconds`` of all of them;
        ``macs_share`` and ``time_share`` of the network's; ``fitted``, seconds by the line; ``residual``, seconds
        above it, and ``residual_share``, as a share of ``seconds``.
    """

    r2: float
    per_mac: float
    per_part: float
    share_of_macs: float
    kinds: pd.DataFrame


def fit_times(parts: pd.DataFrame, *, convention: str = "conv") -> TimeFit:
    """Fit the time of parts to their MACs.

    Parameters
    ----------
    parts : DataFrame
        One row a part: ``part``, ``move``, ``macs_<convention>``, ``seconds``; rows without a time are left out. Paths
        are told apart by their move.
    convention : str

    Returns
    -------
    TimeFit

    Raises
    ------
    InputError
        If there are fewer than three parts, or all have as many MACs.
    """
    table = parts.dropna(subset=["seconds"])
    macs, seconds = table[f"macs_{convention}"].to_numpy(float), table.seconds.to_numpy(float)
    if len(table) < 3 or np.ptp(macs) == 0:
        raise InputError(f"times of {len(table)} parts; a line needs three or more, of different MACs")
    line = linregress(macs, seconds)
    kind = table.part.where(table.part != "path", "path " + table.move)
    sums = pd.DataFrame({"kind": kind, "macs": macs, "seconds": seconds, "fitted": line.intercept + line.slope * macs})
    kinds = sums.groupby("kind", sort=False)[["macs", "seconds", "fitted"]].sum().reset_index()
    kinds.insert(1, "parts", [int((kind == name).sum()) for name in kinds.kind])
    kinds["macs_share"], kinds["time_share"] = kinds.macs / macs.sum(), kinds.seconds / seconds.sum()
    kinds["residual"] = kinds.seconds - kinds.fitted
    kinds["residual_share"] = kinds.residual / kinds.seconds
    return TimeFit(
        r2=float(line.rvalue**2),
        per_mac=float(line.slope),
        per_part=float(line.intercept),
        share_of_macs=float(line.slope * macs.sum() / seconds.sum()),
        kinds=kinds,
    )
