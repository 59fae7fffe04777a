"""Places for labels beside points, so that no label covers another, a point, or the edge."""

from __future__ import annotations

import numpy as np

_DIRECTIONS = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)])
_RINGS = np.arange(0, 12)
_MISTAKEN = 40.0
"""What it costs to stand nearer to another point than to one's own, in the area of another point that is covered."""


def place_labels(
    points: np.ndarray, sizes: np.ndarray, area: np.ndarray, *, gap: float = 5.0, avoid: np.ndarray | None = None
) -> np.ndarray:
    """Choose a place for each label: near its point, and where it covers least.

    Parameters
    ----------
    points : ndarray, (label, 2)
        Where the labelled points are, in any unit of length.
    sizes : ndarray, (label, 2)
        Width and height of the labels.
    area : ndarray, (2, 2)
        Lower left and upper right corner of where labels may be.
    gap : float
        Between a point and its label.
    avoid : ndarray, (place, 2), optional
        Further places to leave free, such as points without a label.

    Returns
    -------
    ndarray, (label, 2)
        Centres of the labels.
    """
    points, sizes = np.asarray(points, float).reshape(-1, 2), np.asarray(sizes, float).reshape(-1, 2)
    # A label may touch other points if it must; on its own point or another label it costs far more.
    taken = np.vstack([points, np.zeros((0, 2)) if avoid is None else avoid])
    low, high = taken - gap * 0.75, taken + gap * 0.75
    cost = np.where(np.arange(len(taken)) < len(points), 10.0, 1.0)
    centres = np.zeros_like(points)
    for index in np.argsort(points[:, 0], kind="stable"):
        half = sizes[index] / 2
        steps = [_DIRECTIONS * (half + gap * np.where(np.all(_DIRECTIONS, 1), 0.5, 1)[:, None])]
        steps += [_DIRECTIONS * (half + gap + ring * sizes[index, 1] * 0.6) for ring in _RINGS[1:]]
        spots = points[index] + np.concatenate(steps)
        spots = np.clip(spots, area[0] + half, np.maximum(area[1] - half, area[0] + half))
        overlap = np.minimum(spots[:, None] + half, high) - np.maximum(spots[:, None] - half, low)
        covered = np.prod(np.maximum(overlap, 0), axis=2) @ cost
        away = np.hypot(*np.moveaxis(np.maximum(np.abs(spots[:, None] - points) - half, 0), 2, 0))
        mistaken = np.delete(away, index, axis=1).min(axis=1, initial=np.inf) < away[:, index]
        centres[index] = spots[(covered + _MISTAKEN * mistaken).argmin()]
        low = np.vstack([low, centres[index] - half - 1])
        high = np.vstack([high, centres[index] + half + 1])
        cost = np.append(cost, 100.0)
    return centres


def needs_leader(points: np.ndarray, centres: np.ndarray, sizes: np.ndarray, *, near: float) -> np.ndarray:
    """Which labels need a line to their point: those far from it, or nearer to another, ``(label,)`` bool."""
    apart = np.abs(points[None] - centres[:, None]) - sizes[:, None] / 2
    distance = np.hypot(*np.moveaxis(np.maximum(apart, 0), 2, 0))
    own = np.diagonal(distance)
    others = np.where(np.eye(len(points), dtype=bool), np.inf, distance).min(axis=1, initial=np.inf)
    return (own > near) | (others < 1.3 * own)
