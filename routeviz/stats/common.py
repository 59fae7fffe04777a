"""The common network of a log: what is left when only the paths are kept that most images open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.quantities import count
from routeviz.routelog import RouteLog
from routeviz.space import INPUTS, Route
from routeviz.stats.usage import blocks, path_usage

FACTORS = ("ones", "mean")
KEEPS = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Thresholds of a sweep where none are given."""


@dataclass(frozen=True, eq=False)
class CommonNetwork:
    """A static network cut out of a log; see `common_network`.

    Attributes
    ----------
    route : Route
        Its open paths are those kept, but for any that the kept ones do not lead to.
    keep : float
    paths : DataFrame
        `routeviz.stats.path_usage`, with ``kept`` (bool).
    covered : ndarray, (image,) bool
        Images whose route lies within the network: they open no path that was cut.
    complete : ndarray, (image,) bool
        Images that open all paths that were kept.
    """

    route: Route
    keep: float
    paths: pd.DataFrame
    covered: np.ndarray
    complete: np.ndarray

    @property
    def cut(self) -> pd.DataFrame:
        """Rows of ``paths`` that some image opens and the network lacks, most used first."""
        lost = self.paths[(self.paths.open > 0) & ~self.paths.kept]
        return lost.sort_values("open", ascending=False, kind="stable")

    @property
    def blind(self) -> np.ndarray:
        """Kept paths that do nothing for the image: it comes to their cell no more, ``(path,)`` bool."""
        fed = self.route.states.input[0] == INPUTS.index("image")
        return self.paths.kept.to_numpy() & ~fed[self.route.space.source]


def common_network(log: RouteLog, *, keep: float = 0.95, factors: str = "ones") -> CommonNetwork:
    """Keep the paths that are open in at least a share of the images ("Common" networks: CVPR 2020, section 4).

    Parameters
    ----------
    log : RouteLog
    keep : float
        Least share of images, above 0 and up to 1.
    factors : str
        Activation of the kept paths: ``"ones"``, or ``"mean"`` over the images that open the path.

    Returns
    -------
    CommonNetwork

    Raises
    ------
    InputError
        If a setting is out of range or the log has no images.
    """
    if factors not in FACTORS:
        raise InputError(f"unknown factors {factors!r}; valid: {', '.join(FACTORS)}")
    usage, least, most = _extremes(log)
    _check([keep])
    kept = _at_least(usage.open.to_numpy(), keep)
    values = np.ones(len(kept)) if factors == "ones" else np.minimum(usage.activation_open.fillna(0).to_numpy(), 1)
    name = f"common to {100 * keep:g} % of {count(len(log), log.rows_are)}"
    return CommonNetwork(
        route=Route(log.space, np.where(kept, values, 0), name=name),
        keep=keep,
        paths=usage.assign(kept=kept),
        covered=_at_least(least, keep),
        complete=~_at_least(most, keep),
    )


def common_sweep(log: RouteLog, *, keeps: Sequence[float] = KEEPS) -> pd.DataFrame:
    """Describe the common networks of several thresholds.

    Parameters
    ----------
    log : RouteLog
    keeps : sequence of float
        Each above 0 and up to 1.

    Returns
    -------
    DataFrame
        One row a threshold, in the order given: ``keep``; ``paths`` and ``cells`` that are open in its network;
        ``covered``, share of the images that open no path beyond it; ``complete``, share of those that open all of it;
        ``route``, a Route with activations 1, from which MACs follow.

    Raises
    ------
    InputError
        As `common_network`.
    """
    usage, least, most = _extremes(log)
    _check(keeps)
    rows = []
    for keep in keeps:
        route = Route(log.space, _at_least(usage.open.to_numpy(), keep), name=f"common, {100 * keep:g} %")
        rows.append(
            {
                "keep": keep,
                "paths": int(route.open.sum()),
                "cells": int((route.cell_states.state == "open").sum()),
                "covered": float(_at_least(least, keep).mean()),
                "complete": float((~_at_least(most, keep)).mean()),
                "route": route,
            }
        )
    return pd.DataFrame(rows)


def _extremes(log: RouteLog) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Use of the paths; of each image the least used path that it opens, and the most used one that it does not.

    An image without such a path has 1 and 0: it opens nothing that is cut, or all that is kept.
    """
    usage = path_usage(log)
    share = usage.open.to_numpy()
    least, most = [], []
    for _, is_open in blocks(log):
        least.append(np.min(np.broadcast_to(share, is_open.shape), axis=1, where=is_open, initial=1))
        most.append(np.max(np.broadcast_to(share, is_open.shape), axis=1, where=~is_open, initial=0))
    return usage, np.concatenate(least), np.concatenate(most)


def _at_least(share: np.ndarray, keep: float) -> np.ndarray:
    # A share is a quotient of counts: 19 / 20 has to reach 0.95, however either is rounded.
    return share >= keep - 1e-9


def _check(keeps: Sequence[float]) -> None:
    if wrong := [keep for keep in keeps if not 0 < keep <= 1]:
        raise InputError(f"keep is {wrong[0]:g}; give a share of the images above 0 and up to 1, such as 0.95")
