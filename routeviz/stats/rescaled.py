"""One image at many sizes: how its route goes with the size at which it is shown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from routeviz.routelog import RouteLog
from routeviz.space import open_paths, route_distance
from routeviz.space.states import open_activations
from routeviz.stats.correlation import unit_ranks
from routeviz.stats.scale import route_measures

RESCALED_WORDS = {
    "padding": "share of what the network sees that only fills it up to a multiple of its coarsest stride",
    "opened, shut": "paths, against the next smaller size",
    "distance": "weighted Jaccard distance from the route at the factor nearest to 1",
}
"""What figures of `rescaled_routes` mean."""

CLEAR = 0.7
"""A rank correlation over the sizes of one image is called a direction from here on."""


def rescaled_routes(log: RouteLog) -> pd.DataFrame:
    """Describe the routes of one image at several sizes.

    Parameters
    ----------
    log : RouteLog
        As `routeviz.tracing.trace_rescaled` gives it: one row a size, with a column ``factor``.

    Returns
    -------
    DataFrame
        One row a size, smallest first: ``factor``, ``height``, ``width``; ``padding``, share of what the network sees
        that was added to reach multiples of the coarsest stride (gates see it, so a route may follow it); the columns
        of `route_measures`; ``opened`` and ``shut``, paths against the next smaller size; and ``distance``, weighted
        Jaccard distance of activations from the route at the factor nearest to 1.

    Raises
    ------
    InputError
        If the log has no column ``factor``.
    """
    log = log.select(np.argsort(log.facts("factor").factor, kind="stable"))
    facts = log.facts("factor", "height", "width").reset_index(drop=True)
    stride = log.space.cells.stride.max()
    area = np.prod([-(-facts[side] // stride) * stride for side in ("height", "width")], axis=0)
    is_open = open_paths(log.space, log.gates)
    before = np.concatenate([is_open[:1], is_open[:-1]])
    own = log.route(int(np.abs(np.log(facts.factor)).argmin()))
    return facts.assign(
        padding=1 - facts.height * facts.width / area,
        **route_measures(log),
        opened=(is_open & ~before).sum(axis=1),
        shut=(before & ~is_open).sum(axis=1),
        distance=[route_distance(own, log.route(at)) for at in range(len(log))],
    )


def rescaled_paths(log: RouteLog) -> pd.DataFrame:
    """Describe how each path's activation goes with the size of one image.

    Parameters
    ----------
    log : RouteLog
        As for `rescaled_routes`.

    Returns
    -------
    DataFrame
        One row a path: ``path``, ``layer``, ``scale``, ``move``; ``smallest`` and ``largest``, activation at the
        smallest and the largest size; ``range`` over all sizes; ``r``, rank correlation with the factor (0 where the
        activation never changes); ``switches``, how often it opens or shuts from one size to the next. These describe
        one image: there is no chance in them.
    """
    log = log.select(np.argsort(log.facts("factor").factor, kind="stable"))
    gates = open_activations(log.space, log.gates)
    table = log.space.paths[["layer", "scale", "move"]].copy()
    table.insert(0, "path", list(log.space.path_names))
    return table.assign(
        smallest=gates[0],
        largest=gates[-1],
        range=np.ptp(gates, axis=0),
        r=unit_ranks(gates.T) @ unit_ranks(np.arange(len(log))),
        switches=np.diff(gates > 0, axis=0).sum(axis=0),
    )


def rescaled_verdict(routes: pd.DataFrame, paths: pd.DataFrame) -> str:
    """Say in one sentence what `rescaled_routes` and `rescaled_paths` show, no effect included."""
    low, high = routes.factor.iloc[[0, -1]]
    switching = int((paths.switches > 0).sum())
    moved = paths.range.max()
    if not switching and moved < 0.01:
        return (
            f"No effect: from {low:g} to {high:g} times its size the image keeps its route (activations within 0.01)."
        )
    opening = f"{switching} paths open or shut" if switching else "no path opens or shuts"
    scale = routes.set_index("factor")["mean scale"].dropna()
    r = float(unit_ranks(scale.to_numpy()) @ unit_ranks(scale.index.to_numpy()))
    way = "neither coarser nor finer" if abs(r) < CLEAR else "coarser" if r > 0 else "finer"
    return (
        f"From {low:g} to {high:g} times the image's size {opening}, and activations move by up to {moved:.3f}. The "
        f"route goes {way} with size (mean scale against size: rank correlation {r:+.2f}): finest at "
        f"{scale.idxmin():.3g} times, coarsest at {scale.idxmax():.3g} times."
    )
