"""Clusters of routes by k-means."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans


class Clustered(NamedTuple):
    """Clusters of routes, the largest first.

    Attributes
    ----------
    cluster : ndarray, (route,) int
    centres : ndarray, (cluster, path)
    typical : ndarray, (cluster,) int
        Position of the route that is nearest to the centre of its own cluster.
    """

    cluster: np.ndarray
    centres: np.ndarray
    typical: np.ndarray


def clustered(activations: np.ndarray, at_most: int) -> Clustered:
    """Cluster routes by their activations, ``(route, path)`` float64; no more clusters than different routes."""
    different = len({row.tobytes() for row in activations})  # sorting the rows takes longer than k-means
    fit = KMeans(min(at_most, different), n_init=4, random_state=0).fit(activations)
    order = np.argsort(-np.bincount(fit.labels_), kind="stable")
    cluster = np.argsort(order)[fit.labels_]
    own = cluster[:, None] == np.arange(len(order))
    typical = np.where(own, fit.transform(activations)[:, order], np.inf).argmin(axis=0)
    return Clustered(cluster, fit.cluster_centers_[order], typical)
