"""The routes of a log, laid out so that any part of its images is described in little time; no streamlit.

Of a large log the axes of the plane and the clusters are fitted to a seeded sample; every image is placed by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from routeviz.routelog import RouteLog
from routeviz.space import OPEN_THRESHOLD, STATES, RoutingSpace
from routeviz.space.states import BINS, activations, bins

MOST_PLACED = 20_000
MOST_CLUSTERED = 2_000
BLOCK = 16_384


@dataclass(frozen=True, eq=False)
class Clustering:
    """Cluster of each image, ``(image,)``, largest first among those fitted; the image nearest to each centre."""

    cluster: np.ndarray
    typical: np.ndarray


class Population:
    """All routes of a log.

    Attributes
    ----------
    space : RoutingSpace
    values : ndarray, (image, path) float32
        Activations, 0 where a path's cell is unreached.
    """

    def __init__(self, log: RouteLog):
        self.space: RoutingSpace = log.space
        self.values = np.empty((len(log), self.space.n_paths), np.float32)
        self._state = log.states.state

        def take(rows: slice, gates: np.ndarray) -> None:
            reached = (self._state[rows] != STATES.index("unreached")).T
            self.values[rows] = (activations(gates) * reached[self.space.source]).T

        # The log need not keep its gates in memory beside these.
        log.in_blocks(take)
        n, n_paths = self.values.shape
        self._open = np.empty((n_paths, -(-n // 8)), np.uint8)
        for start in range(0, n, BLOCK):
            bits = np.packbits((self.values[start : start + BLOCK] > OPEN_THRESHOLD).T, axis=1)
            self._open[:, start // 8 : start // 8 + bits.shape[1]] = bits
        self.clusters = lru_cache(maxsize=4)(self._cluster)

    def __len__(self) -> int:
        return len(self.values)

    def opened(self, path: int) -> np.ndarray:
        """Which images open a path, ``(image,)`` bool."""
        return np.unpackbits(self._open[path], count=len(self)).astype(bool)

    def mean(self, mask: np.ndarray) -> np.ndarray:
        """Mean activation of each path over some images, ``(path,)``; 0 where there are none."""
        return (mask.astype(np.float32) @ self.values) / max(mask.sum(), 1)

    def share_open(self, mask: np.ndarray) -> np.ndarray:
        """Share of some images that open each path, ``(path,)``; 0 where there are none."""
        return np.bitwise_count(self._open & np.packbits(mask)).sum(axis=1, dtype=np.int64) / max(mask.sum(), 1)

    def layer_shares(self, mask: np.ndarray) -> np.ndarray:
        """Share of each layer's gates in each bin of activations, over some images, ``(1 + bin, layer)``.

        The first row is of paths that are not open; gates of unreached cells do not count. NaN where there is no gate.
        """
        by_path = np.bitwise_count(self._binned & np.packbits(mask)).sum(axis=2, dtype=np.int64)
        layers = self.space.paths["layer"].to_numpy()
        counts = np.array([by_path[:, layers == layer].sum(axis=1) for layer in range(self.space.layers + 1)]).T
        total = counts.sum(axis=0)
        return np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)

    def any_between(self, layer: int, low: float, high: float) -> np.ndarray:
        """Which images have an activation in a range on any path of a layer, ``(image,)`` bool."""
        values = self.values[:, (self.space.paths["layer"] == layer).to_numpy()]
        return ((values >= low) & (values <= high)).any(axis=1)

    @cached_property
    def places(self) -> np.ndarray:
        """Images by their first two principal components, ``(image, 2)`` float32."""
        return self._plane[0]

    @cached_property
    def explained(self) -> np.ndarray:
        """Share of the variance along each of the two components, ``(2,)``."""
        return self._plane[1]

    @cached_property
    def _plane(self) -> tuple[np.ndarray, np.ndarray]:
        fitted = self.values[sample(len(self), MOST_PLACED)].astype(np.float64)
        mean = fitted.mean(axis=0)
        fitted -= mean
        variance, directions = np.linalg.eigh(fitted.T @ fitted)
        if len(variance) == 1:  # a space of one path spreads its images along one line
            variance, directions = np.pad(variance, (1, 0)), np.pad(directions, ((0, 0), (1, 0)))
        axes = directions[:, ::-1][:, :2]
        axes *= np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])
        total = np.maximum(variance, 0).sum()
        explained = np.maximum(variance[::-1][:2], 0) / total if total > 1e-12 else np.zeros(2)
        axes, mean = axes.astype(np.float32), mean.astype(np.float32)
        return self.values @ axes - mean @ axes, explained

    @cached_property
    def _binned(self) -> np.ndarray:
        """Which images have which path's activation in which bin, as bits, ``(1 + bin, path, image / 8)``."""
        n, n_paths = self.values.shape
        planes = np.empty((BINS + 1, n_paths, -(-n // 8)), np.uint8)
        for start in range(0, n, BLOCK):
            rows = slice(start, start + BLOCK)
            values = np.ascontiguousarray(self.values[rows].T)
            numbers = bins(values)
            unreached = np.ascontiguousarray(self._state[rows].T) == STATES.index("unreached")
            numbers[unreached[self.space.source]] = BINS + 1
            for number in range(BINS + 1):
                bits = np.packbits(numbers == number, axis=1)
                planes[number, :, start // 8 : start // 8 + bits.shape[1]] = bits
        return planes

    def _cluster(self, wanted: int) -> Clustering:
        """Clusters by k-means on all activations; never more than there are different routes among those fitted."""
        from sklearn.cluster import KMeans
        from sklearn.metrics import pairwise_distances_argmin

        rows = sample(len(self), MOST_CLUSTERED)
        values = self.values[rows].astype(np.float64)
        n_clusters = min(wanted, len({row.tobytes() for row in values}))  # sorting the rows takes longer than k-means
        fit = KMeans(n_clusters, n_init=4, random_state=0).fit(values)
        order = np.argsort(-np.bincount(fit.labels_, minlength=n_clusters), kind="stable")
        centres = fit.cluster_centers_[order]
        typical = rows[pairwise_distances_argmin(centres, values)]
        # |v - c|² without |v|², which is the same for all clusters.
        far = (centres**2).sum(axis=1).astype(np.float32) - 2 * self.values @ centres.T.astype(np.float32)
        return Clustering(far.argmin(axis=1).astype(np.int8), typical)


def sample(n: int, most: int) -> np.ndarray:
    """Positions of at most so many of n images, sorted; the same ones each time."""
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(0).choice(n, most, replace=False))
