"""The routes of a log, laid out so that any part of its images is described in little time; no streamlit.

Of a large log the axes of the plane and the clusters are fitted to a seeded sample; every image is placed by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from routeviz.dashboard.blocks import STEPS, Block
from routeviz.routelog import RouteLog
from routeviz.space import RoutingSpace
from routeviz.space.states import Flow

MOST_EXACT = 100_000
MOST_PLACED = 20_000
MOST_CLUSTERED = 2_000
DENSITY = (96, 64)


@dataclass(frozen=True, eq=False)
class Clustering:
    """Cluster of each image, ``(image,)``, largest first among those fitted; the image nearest to each one's centre."""

    cluster: np.ndarray
    typical: np.ndarray


@dataclass(frozen=True, eq=False)
class Part:
    """What some images of a log do.

    Attributes
    ----------
    mean : ndarray, (path,)
        Mean activation of each path; 0 where there are no images.
    share_open : ndarray, (path,)
        Share of the images that open each path; 0 where there are none.
    layer_shares : ndarray, (1 + bin, layer)
        Share of each layer's gates in each bin of activations. The first row is of paths that are not open; gates of
        unreached cells do not count. NaN where there is no gate.
    states : ndarray, (cell, state)
        Share of the images in which each cell is unreached, closed, open; 0 where there are none.
    """

    mean: np.ndarray
    share_open: np.ndarray
    layer_shares: np.ndarray
    states: np.ndarray


class Population:
    """All routes of a log; the activations of more than `MOST_EXACT` images to the nearest of `blocks.STEPS`."""

    def __init__(self, log: RouteLog):
        self.space: RoutingSpace = log.space
        self.exact = len(log) <= MOST_EXACT
        blocks: list[Block] = []

        def take(rows: slice, flow: Flow) -> None:
            blocks.append(Block.of(rows, flow, self.space.source, exact=self.exact))

        # The log need not keep its gates in memory beside these.
        self._keys = log.tally_with(take).keys
        self._blocks = sorted(blocks, key=lambda block: block.rows.start)
        self.clusters = lru_cache(maxsize=4)(self._cluster)

    def __len__(self) -> int:
        return len(self._keys)

    def opened(self, path: int) -> np.ndarray:
        """Which images open a path, ``(image,)`` bool."""
        byte, place = divmod(path, 8)
        return (self._keys[:, byte] >> (7 - place) & 1).astype(bool)

    def activation(self, path: int) -> np.ndarray:
        """Activations of a path, 0 where its cell is unreached, ``(image,)`` float32."""
        return np.concatenate([block.values(path) for block in self._blocks])

    def part(self, mask: np.ndarray) -> Part:
        """What some images do, of a mask, ``(image,)`` bool."""
        n = max(np.count_nonzero(mask), 1)
        every = [block.sums(mask[block.rows]) for block in self._blocks]
        activation, binned, reached, live = (np.sum(parts, axis=0) for parts in zip(*every, strict=True))
        layers = self.space.paths["layer"].to_numpy()
        counts = np.array([binned[:-1, layers == layer].sum(axis=1) for layer in range(self.space.layers + 1)]).T
        total = counts.sum(axis=0)
        return Part(
            activation / n,
            binned[1:-1].sum(axis=0) / n,
            np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0),
            np.stack([np.count_nonzero(mask) - reached, reached - live, live], axis=1) / n,
        )

    def between(self, path: int, low: float, high: float) -> np.ndarray:
        """Which images have an activation in a range on a path, but for rounding, ``(image,)`` bool."""
        slack = 1e-6 if self.exact else 1 / STEPS
        values = self.activation(path)
        return (values >= low - slack) & (values <= high + slack)

    def any_between(self, layer: int, low: float, high: float) -> np.ndarray:
        """Which images have an activation in a range on any path of a layer, ``(image,)`` bool."""
        paths = np.flatnonzero(self.space.paths["layer"] == layer)
        found = []
        for block in self._blocks:
            values = block.values(paths)
            found.append(((values >= low) & (values <= high)).any(axis=0))
        return np.concatenate(found)

    def activations(self, rows: np.ndarray) -> np.ndarray:
        """Activations of some images at sorted positions, ``(row, path)`` float32."""
        found = []
        for block in self._blocks:
            first, last = np.searchsorted(rows, (block.rows.start, block.rows.stop))
            found.append(block.values(images=rows[first:last] - block.rows.start).T)
        return np.concatenate(found)

    @cached_property
    def places(self) -> np.ndarray:
        """Images by their first two principal components, ``(image, 2)`` float32."""
        return self._plane[0]

    @cached_property
    def explained(self) -> np.ndarray:
        """Share of the variance along each of the two components, ``(2,)``."""
        return self._plane[1]

    @cached_property
    def ends(self) -> list[tuple[float, float]]:
        """Where a drawing of `places` begins and ends, along each axis."""
        return [_ends(values) for values in self.places.T]

    @cached_property
    def density(self) -> np.ndarray:
        """How many images lie where between the `ends`, of `DENSITY` columns and rows, ``(row, column)`` int."""
        x, y = self.places.T
        return np.histogram2d(y, x, DENSITY[::-1], self.ends[::-1])[0].astype(int)

    @cached_property
    def _plane(self) -> tuple[np.ndarray, np.ndarray]:
        fitted = self.activations(sample(len(self), MOST_PLACED)).astype(np.float64)
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
        return np.concatenate([block.values().T @ axes for block in self._blocks]) - mean @ axes, explained

    def _cluster(self, wanted: int) -> Clustering:
        """Clusters by k-means on all activations; never more than there are different routes among those fitted."""
        from routeviz.stats.clusters import clustered

        rows = sample(len(self), MOST_CLUSTERED)
        found = clustered(self.activations(rows).astype(np.float64), wanted)
        # |v - c|² without |v|², which is the same for all clusters.
        squares, twice = (found.centres**2).sum(axis=1).astype(np.float32), 2 * found.centres.astype(np.float32)
        nearest = [(squares[:, None] - twice @ block.values()).argmin(axis=0) for block in self._blocks]
        return Clustering(np.concatenate(nearest).astype(np.int8), rows[found.typical])


def sample(n: int, most: int) -> np.ndarray:
    """Positions of at most so many of n images, sorted; the same ones each time."""
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    edge = 0.08 * (high - low) if high - low > 1e-6 else 1.0
    return low - edge, high + edge
