"""How far the routes of a log are from others, which static architecture each is nearest to, and what routes share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from routeviz.errors import InputError
from routeviz.routelog import RouteLog
from routeviz.space import Route, architectures
from routeviz.stats.usage import blocks

METRICS = {
    "jaccard": "weighted Jaccard distance of activations: 1 - sum of minima / sum of maxima over all paths",
    "hamming": "share of all paths that are open in one of the two routes only",
}
"""Distances of two routes, each in [0, 1], and what they are."""


def route_distances(log: RouteLog, routes: Mapping[str, Route], *, metric: str = "jaccard") -> pd.DataFrame:
    """Measure how far every image's route is from some routes.

    Parameters
    ----------
    log : RouteLog
        Of any length: images are looked at some thousands at a time.
    routes : mapping of name to Route
        Of the log's space.
    metric : str
        One of `METRICS`; the same distance as `routeviz.route_distance`.

    Returns
    -------
    DataFrame
        One row an image, its index the images' ``id``; one float64 column a route.

    Raises
    ------
    InputError
        If the metric is unknown, there are no routes or images, or a route is of another space.
    """
    if metric not in METRICS:
        raise InputError(f"unknown metric {metric!r}; valid: {', '.join(METRICS)}")
    _check(routes)
    names, others = list(routes), np.array([_activations(route) for route in routes.values()])
    if (space := routes[names[0]].space) != log.space:
        raise InputError(f"routes of {space}; those of this log are of {log.space}")
    if metric == "hamming":
        parts = [cdist(is_open, others > 0, "hamming") for _, is_open in blocks(log)]
    else:
        parts = [_jaccard(np.where(is_open, gates, 0), others) for gates, is_open in blocks(log)]
    return pd.DataFrame(np.concatenate(parts), index=pd.Index(log.facts("id").id, name="id"), columns=names)


def nearest_architecture(
    log: RouteLog, *, metric: str = "jaccard", routes: Mapping[str, Route] | None = None
) -> pd.DataFrame:
    """Find the static architecture that each image's route is nearest to.

    Parameters
    ----------
    log : RouteLog
    metric : str
        One of `METRICS`.
    routes : mapping of name to Route, optional
        What to choose from. Default: all that `routeviz.architectures` fits into the log's space, ``all_open`` too.

    Returns
    -------
    DataFrame
        One row an image, in the log's order: ``id``, ``architecture`` (a key of ``routes``; of several at one distance
        the first) and ``distance``.

    Raises
    ------
    InputError
        As `route_distances`, and where the log's space holds no static architectures.
    """
    distances = route_distances(log, architectures(log.space) if routes is None else routes, metric=metric)
    nearest = distances.to_numpy().argmin(axis=1)
    return pd.DataFrame(
        {
            "id": distances.index,
            "architecture": distances.columns.to_numpy()[nearest],
            "distance": distances.to_numpy()[np.arange(len(nearest)), nearest],
        }
    )


def architecture_counts(nearest: pd.DataFrame) -> pd.DataFrame:
    """Count the images whose route is nearest to each architecture.

    Parameters
    ----------
    nearest : DataFrame
        Of `nearest_architecture`.

    Returns
    -------
    DataFrame
        One row an architecture that any image is nearest to, most images first: ``architecture``, ``images``, ``share``
        of all images, and ``distance``, mean over its images.
    """
    table = nearest.groupby("architecture", sort=True).distance.agg(images="size", distance="mean").reset_index()
    table["share"] = table.images / len(nearest)
    table = table.sort_values("images", ascending=False, kind="stable", ignore_index=True)
    return table[["architecture", "images", "share", "distance"]]


@dataclass(frozen=True, eq=False)
class Overlap:
    """What some routes share and what they do not, path by path; see `overlap`.

    Attributes
    ----------
    union : Route
        The paths that any of the routes opens, each with its largest activation.
    intersection : Route
        The paths that all of the routes open, each with its smallest activation. As a route of its own it can be less:
        a path counts as shut in it where what the routes share does not lead to its cell; ``classes`` knows it still.
    opened : DataFrame
        One row a path, one bool column a route: whether that route opens the path.
    """

    union: Route
    intersection: Route
    opened: pd.DataFrame

    @cached_property
    def classes(self) -> np.ndarray:
        """``"all"``, ``"some"`` (the difference) or ``"none"`` of the routes open the path, ``(path,)`` str."""
        n_open = self.opened.sum(axis=1).to_numpy()
        return np.select([n_open == self.opened.shape[1], n_open > 0], ["all", "some"], "none")

    @property
    def difference(self) -> np.ndarray:
        """Paths that some of the routes open, but not all: the red ones, ``(path,)`` bool."""
        return self.classes == "some"


def overlap(routes: Mapping[str, Route]) -> Overlap:
    """Compare routes path by path: their union, their intersection, their difference.

    The lattice of `Overlap.union`, with the paths of `Overlap.difference` in red, shows all of it;
    `routeviz.plot_route_differences` takes the same routes.

    Parameters
    ----------
    routes : mapping of name to Route
        One or more, of one space.

    Returns
    -------
    Overlap

    Raises
    ------
    InputError
        If there are no routes, or they are of different spaces.
    """
    _check(routes)
    activations = np.array([_activations(route) for route in routes.values()])
    space, names = next(iter(routes.values())).space, ", ".join(routes)
    return Overlap(
        union=Route(space, activations.max(axis=0), name=f"union of {names}"),
        intersection=Route(space, activations.min(axis=0), name=f"intersection of {names}"),
        opened=pd.DataFrame((activations > 0).T, index=list(space.path_names), columns=list(routes)),
    )


def _check(routes: Mapping[str, Route]) -> None:
    if not routes:
        raise InputError("no routes to compare with; give at least one")
    first, *rest = routes.values()
    if other := next((route for route in rest if route.space != first.space), None):
        raise InputError(f"routes of different spaces ({first.space} and {other.space}) cannot be compared")


def _activations(route: Route) -> np.ndarray:
    """Activations of the open paths, 0 for all others, ``(path,)``."""
    return np.where(route.open, route.activations, 0)


def _jaccard(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Weighted Jaccard distance of each row to each row; 0 for two empty routes.

    With |a - b| = max - min and a + b = max + min, it is 2 |a - b| / (a + b + |a - b|), summed over paths.
    """
    apart = cdist(left, right, "cityblock")
    both = left.sum(axis=1, dtype=np.float64)[:, None] + right.sum(axis=1, dtype=np.float64)
    return np.divide(2 * apart, both + apart, out=np.zeros_like(both), where=both + apart > 0)
