"""Figures of how alike routes are: a matrix between groups, and all routes in two dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from routeviz.errors import InputError
from routeviz.plots.figure import figure
from routeviz.plots.grouping import labels_by
from routeviz.plots.lattices import picture
from routeviz.plots.sheet import Axis, Dots, Grid, Labels, Panel, Sheet
from routeviz.plots.style import INK, plain, series
from routeviz.plots.usage import named
from routeviz.quantities import count, of_rows
from routeviz.routelog import RouteLog
from routeviz.space.states import open_activations
from routeviz.stats.clusters import clustered

MOST_IMAGES = 2_000
"""Images of a group, or of a log in two dimensions, that are looked at; of more, a seeded sample."""

MOST_WRITTEN = 7
"""Groups of a matrix whose numbers are legible in a column of a paper."""


@figure
def plot_similarity(logs: RouteLog | Mapping[str, RouteLog], *, by: str | Sequence[object] = "scale_class") -> Sheet:
    """Draw how alike the routes of groups of images are, as a matrix.

    Parameters
    ----------
    logs : RouteLog, or mapping of name to RouteLog
        Several logs are the groups themselves, such as datasets.
    by : str or sequence
        How to group one log: see `route_similarity`.
    """
    table = route_similarity(logs, by=by)
    names, n, values = list(table), len(table), table.to_numpy()
    words = np.array([[f"{a} and {b}: {table.loc[a, b]:.3f}" for b in names] for a in names])
    # Whole hundredths around what there is: similarities lie close together, and the bar says how close.
    low, high = np.floor(100 * np.nanmin(values, initial=1)) / 100, np.ceil(100 * np.nanmax(values, initial=0)) / 100
    low, high = (float(low), float(high)) if low < high else (0.9, 1.0)
    ticks = tuple((at, plain(name, 16)) for at, name in enumerate(names))
    longest = max(map(len, names))
    short = longest <= 2 or (n <= 4 and longest <= 10)
    numbers = ticks if short else tuple((at, str(at + 1)) for at in range(n))
    if not short:
        ticks = tuple((at, f"{at + 1} {name}") for at, name in ticks)
    grid = Grid(values, "similarity", low, high, n <= MOST_WRITTEN, words)
    axes = Axis("", numbers), Axis("", ticks, (n - 0.5, -0.5))
    panel = Panel((grid,), "Weighted Jaccard similarity of routes", *axes, max(1.5, 0.5 + 0.2 * n), frame=False)
    return Sheet(((panel,),), data=table.rename_axis("group").reset_index())


@figure
def plot_embedding(
    log: RouteLog,
    *,
    by: str | Sequence[object] | None = None,
    clusters: int = 3,
    pictures: Callable[[str], np.ndarray] | None = None,
) -> Sheet:
    """Draw routes in two dimensions: the first two principal components of their activations, and clusters.

    Parameters
    ----------
    log : RouteLog
    by : str or sequence, optional
        Column that gives the points their colours and symbols, or a label for each image; by default their cluster.
    clusters : int
        Number of clusters (k-means on all activations), never more than there are different routes.
    pictures : function of str to ndarray (H, W, 3) uint8, optional
        The image of an id: each cluster's typical image, the one nearest to its centre, is shown below.
    """
    found = route_clusters(log, clusters=clusters)
    xy, cluster = found.places, found.cluster
    ids = log.facts("id").id.to_numpy()[found.rows]
    groups = (
        np.array([f"cluster {index + 1}" for index in cluster])
        if by is None
        else labels_by(log, by).fillna("unknown").to_numpy()[found.rows]
    )
    marks: list = []
    for index, group in enumerate(sorted(set(groups))):
        colour, _, symbol = series(index)
        chosen = groups == group
        texts = tuple(f"{name}\n{group}, cluster {c + 1}" for name, c in zip(ids[chosen], cluster[chosen], strict=True))
        marks.append(Dots(*xy[chosen].T, colour, symbol, not index % 2, 3.4, group, texts))
    typical = found.typical
    marks.append(Dots(*xy[typical].T, INK, "circle", False, 7.5, "typical of its cluster"))
    sizes = np.bincount(cluster)
    marks.append(Labels(*xy[typical].T, tuple(f"cluster {i + 1} ({size})" for i, size in enumerate(sizes)), xy))
    labels = [f"component {i + 1} ({share:.0%} of variance)" for i, share in enumerate(found.explained)]
    axes = [Axis(label, ends=_ends(values)) for label, values in zip(labels, xy.T, strict=True)]
    total = len(log)
    title = f"{len(xy):,} of {count(total, log.rows_are)}" if len(xy) < total else ""
    rows = [(Panel(tuple(marks), title, *axes, 2.5),)]
    if pictures is not None:
        rows.append(
            tuple(
                picture(pictures(str(ids[at])), f"{i + 1}: {plain(ids[at], 20)}", height=0.8)
                for i, at in enumerate(typical)
            )
        )
    data = pd.DataFrame({"id": ids, "group": groups, "component_1": xy[:, 0], "component_2": xy[:, 1]})
    return Sheet(tuple(rows), data=data.assign(cluster=cluster + 1, typical=np.isin(np.arange(len(ids)), typical)))


def route_similarity(
    logs: RouteLog | Mapping[str, RouteLog], *, by: str | Sequence[object] = "scale_class"
) -> pd.DataFrame:
    """Compare the routes of groups of images, pair by pair.

    Parameters
    ----------
    logs : RouteLog, or mapping of name to RouteLog
        Several logs, over one space, are the groups themselves.
    by : str or sequence
        A column of one log; a label for each of its images; or ``"classes"``: the images that hold each class (its
        ``objects_count_`` is above 0), in which one image may stand in several groups.

    Returns
    -------
    DataFrame
        Group by group: 1 - weighted Jaccard distance of activations (as `routeviz.route_distance`), mean over all pairs
        of different images; NaN where there is no such pair.

    Raises
    ------
    InputError
        If there is no such column, or no group.
    """
    logs = named(logs)
    first = next(iter(logs.values()))
    if any(log.space != first.space for log in logs.values()):
        raise InputError("these logs are of different spaces; their routes cannot be compared")
    if len(logs) > 1:
        groups = {name: (index, np.arange(len(log))) for index, (name, log) in enumerate(logs.items())}
    else:
        groups = {name: (0, rows) for name, rows in _groups(first, by).items()}
    if not groups:
        raise InputError(of_rows(f"no image has a group by {by!r}; choose another column", first.rows_are))
    each = list(logs.values())
    picks = {name: (log, _sample(rows)) for name, (log, rows) in groups.items()}
    values = {name: open_activations(each[log].space, each[log].gates[rows]) for name, (log, rows) in picks.items()}
    table = pd.DataFrame(np.nan, index=list(groups), columns=list(groups))
    for a, left in values.items():
        for b, right in values.items():
            similarity = _jaccard(left, right)
            if picks[a][0] == picks[b][0]:
                similarity[picks[a][1][:, None] == picks[b][1]] = np.nan
            if not np.isnan(similarity).all():
                table.loc[a, b] = np.nanmean(similarity)
    return table


class Clusters:
    """Routes in two dimensions.

    Attributes
    ----------
    rows : ndarray, (route,)
        Their positions in the log.
    places : ndarray, (route, 2)
    explained : ndarray, (2,)
        Share of the variance along each component.
    cluster : ndarray, (route,)
    typical : ndarray, (cluster,)
        Position among the routes of the one nearest to each cluster's centre.
    """

    def __init__(self, rows, places, explained, cluster, typical):
        self.rows, self.places, self.explained, self.cluster, self.typical = rows, places, explained, cluster, typical


def route_clusters(log: RouteLog, *, clusters: int = 3) -> Clusters:
    """Place routes by the principal components of their activations, and cluster them by k-means.

    Parameters
    ----------
    log : RouteLog
        Of many images, a sample is taken.
    clusters : int
        At most; no more than there are different routes.

    Returns
    -------
    Clusters
        The largest first.

    Raises
    ------
    InputError
        If the log has no images, or `clusters` is below 1.
    """
    named(log)
    if clusters < 1:
        raise InputError(f"{clusters} clusters; give 1 or more")
    rows = _sample(np.arange(len(log)))
    values = open_activations(log.space, log.gates[rows])
    if np.ptp(values, axis=0).any():
        components = PCA(min(2, *values.shape), svd_solver="covariance_eigh").fit(values)
        # A space of one path spreads its images along one line.
        missing = 2 - components.n_components_
        places = np.pad(components.transform(values), ((0, 0), (0, missing)))
        explained = np.pad(components.explained_variance_ratio_, (0, missing))
    else:
        places, explained = np.zeros((len(values), 2)), np.zeros(2)
    found = clustered(values, clusters)
    return Clusters(rows, places, explained, found.cluster, found.typical)


def _groups(log: RouteLog, by: str | Sequence[object]) -> dict[str, np.ndarray]:
    if isinstance(by, str) and by == "classes":
        prefix = "objects_count_"
        names = [name for name in log.columns if name.startswith(prefix)]
        table = log.facts(*names) if names else pd.DataFrame()
        found = {name.removeprefix(prefix): np.flatnonzero(table[name].to_numpy(float) > 0) for name in names}
    else:
        column = labels_by(log, by)
        found = {value: np.flatnonzero(column == value) for value in sorted(column.dropna().unique())}
    return {name: rows for name, rows in found.items() if len(rows)}


def _sample(rows: np.ndarray) -> np.ndarray:
    if len(rows) <= MOST_IMAGES:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_IMAGES, replace=False))


def _jaccard(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum of minima over sum of maxima, each written with the distance |a - b|; 1 for two empty routes."""
    both = left.sum(axis=1)[:, None] + right.sum(axis=1)
    apart = cdist(left, right, "cityblock")
    return np.divide(both - apart, both + apart, out=np.ones_like(both), where=both + apart > 0)


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    edge = 0.1 * (high - low) if high - low > 1e-9 else 1.0
    return low - edge, high + edge
