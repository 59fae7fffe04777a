"""The mean of several routes; no streamlit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from routeviz.routelog import RouteLog
from routeviz.space import RoutingSpace, open_paths

BLOCK = 8192


class Mean(NamedTuple):
    """Mean activation of each path over some images, and the share of them that opens it, each ``(path,)``."""

    activations: np.ndarray
    opens: np.ndarray


def mean_of(space: RoutingSpace, gates: np.ndarray) -> Mean:
    """Mean of routes ``(image, path)``; NaN counts as 0, as what is unreached sends nothing."""
    values = np.nan_to_num(gates)
    return Mean(values.mean(axis=0, dtype=np.float64), open_paths(space, values).mean(axis=0))


def mean_of_log(log: RouteLog, mask: np.ndarray) -> Mean:
    """Mean of some routes of a log, a block of images at a time."""
    blocks = [rows for rows in np.split(np.flatnonzero(mask), range(BLOCK, int(mask.sum()), BLOCK)) if len(rows)]
    means = [mean_of(log.space, log.gates[rows]) for rows in blocks]
    weights = [len(rows) for rows in blocks]
    return Mean(*(np.average(part, axis=0, weights=weights) for part in zip(*means, strict=True)))
