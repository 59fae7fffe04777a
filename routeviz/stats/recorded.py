"""What the rows of a recorded log spend in each part of their network, as whoever recorded it measured the parts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from routeviz.routelog import RouteLog
from routeviz.routelog.log import SIZE
from routeviz.space import STATES
from routeviz.stats.usage import cell_usage, path_usage


def recorded_parts(log: RouteLog) -> pd.DataFrame:
    """Describe what each part of a recorded network costs, and how often it runs.

    Parameters
    ----------
    log : RouteLog
        With costs, as `routeviz.record` keeps them; nothing else gives a table with rows.

    Returns
    -------
    DataFrame
        One row a part that costs anything: ``part`` (operation, gate or path), ``of`` (the cell or path), ``macs``
        where it runs (a tuple, one for each size of input), ``runs``, the share of the rows that run it, and ``spent``,
        the MACs that a row spends in it, mean over rows.
    """
    space, every, parts = log.space, log.all_costs, []
    names = [*space.cell_names, *space.cell_names, *space.path_names]
    kinds = ["operation"] * space.n_cells + ["gate"] * space.n_cells + ["path"] * space.n_paths
    macs = np.array([np.concatenate([one.operation, one.gate, one.path]) for one in every]).reshape(-1, len(names))
    runs, spent = np.zeros(len(names)), np.zeros(len(names))
    for one, costs in zip(every, macs, strict=True):
        some = log if len(every) == 1 else log.select(log.facts(SIZE)[SIZE].to_numpy() == one.size_text)
        if len(some):
            cells, share = cell_usage(some), len(some) / len(log)
            ran = np.concatenate([cells["open"], 1 - cells[STATES[0]], path_usage(some)["open"]])
            runs, spent = runs + share * ran, spent + share * ran * costs
    for at in np.flatnonzero(macs.any(axis=0)):
        parts.append((kinds[at], names[at], tuple(macs[:, at].tolist()), float(runs[at]), float(spent[at])))
    return pd.DataFrame(parts, columns=["part", "of", "macs", "runs", "spent"])
