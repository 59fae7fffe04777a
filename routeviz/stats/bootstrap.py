"""How sure a mIoU is, and the difference between two networks': bootstrap intervals over images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from routeviz.errors import InputError
from routeviz.metrics import ClassCounts, mean_iou_of

RESAMPLES, CONFIDENCE = 9999, 0.95
GATHERED = 2**22
"""Numbers that are gathered at a time: it bounds the memory, whatever the number of images."""


class Interval(NamedTuple):
    """A figure with its bootstrap interval.

    Attributes
    ----------
    value : float
        Of all images.
    low, high : float
        Percentiles over the resamples.
    error : float
        Standard deviation over the resamples.
    """

    value: float
    low: float
    high: float
    error: float


def miou_interval(
    confusions: np.ndarray | ClassCounts, *, confidence: float = CONFIDENCE, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Give the mIoU of a dataset and its interval over images.

    The images are drawn again with replacement; each time their matrices are added, and the mIoU is of the sum, over
    the classes that the drawn images hold. What is not drawn again is the training: two seeds can differ by more.

    Parameters
    ----------
    confusions : ndarray, (image, label, prediction) int, or ClassCounts
        As `routeviz.metrics.confusion` gives them, one matrix an image; or what of them an IoU needs.
    confidence : float
        Share of the resamples that the interval holds, around their middle.
    resamples : int
    seed : int
        Of the draws: equal seeds draw the same images.

    Returns
    -------
    Interval
        In [0, 1].

    Raises
    ------
    InputError
        If there are fewer than two images, the shape is another one, or nothing is labelled.
    """
    return _interval([_counts(confusions)], confidence, resamples, seed)


def miou_difference(
    confusions: np.ndarray | ClassCounts,
    reference: np.ndarray | ClassCounts,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Give the mIoU of a network less that of a reference, and its paired interval: both on the same drawn images.

    Parameters
    ----------
    confusions, reference : ndarray, (image, label, prediction) int, or ClassCounts
        Of the same images in the same order.
    confidence, resamples, seed : float, int, int
        As for `miou_interval`.

    Returns
    -------
    Interval
        In [-1, 1]; it holds 0 where the images do not tell the two networks apart.

    Raises
    ------
    InputError
        As `miou_interval`, and where the two are not of the same images.
    """
    pair = [_counts(confusions), _counts(reference)]
    labels = [counts[:, 1] for counts in pair]
    if labels[0].shape != labels[1].shape or (labels[0] != labels[1]).any():
        raise InputError("the two networks were not evaluated on the same images in the same order; evaluate them so")
    return _interval(pair, confidence, resamples, seed)


def known_difference(changed: ClassCounts | None, original: ClassCounts | None) -> Interval | None:
    """`miou_difference` of the same images under two settings; None where fewer than two of them have a label."""
    return None if original is None or len(original.labelled) < 2 else miou_difference(changed, original)


def _counts(confusions: np.ndarray | ClassCounts) -> np.ndarray:
    """Hits, labelled and predicted pixels of each class, ``(image, 3, class)`` float64: all that an IoU is made of."""
    if not isinstance(confusions, ClassCounts):
        matrices = np.asarray(confusions)
        if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2] or len(matrices) < 2:
            raise InputError(
                f"confusion matrices of shape {matrices.shape}; give (image, class, class) of two or more images"
            )
        confusions = ClassCounts.of(matrices)
    if len(confusions.labelled) < 2:
        raise InputError(f"counts of {len(confusions.labelled)} images; give those of two or more")
    if not confusions.labelled.any():
        raise InputError("nothing is labelled in these images; there is no mIoU")
    return np.stack([confusions.hits, confusions.labelled, confusions.predicted], axis=1).astype(np.float64)


def _interval(networks: list[np.ndarray], confidence: float, resamples: int, seed: int) -> Interval:
    """Interval of the first network's mIoU, less the second's if there is one."""
    n_images = len(networks[0])

    def figure(drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        sums = (np.moveaxis(counts[drawn].sum(axis=drawn.ndim - 1), -2, 0) for counts in networks)
        first, *second = (mean_iou_of(*counts) for counts in sums)
        return first - second[0] if second else first

    batch = max(1, GATHERED // networks[0].size)
    found = bootstrap(
        (np.arange(n_images),),
        figure,
        n_resamples=resamples,
        batch=batch,
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    value = float(figure(np.arange(n_images)))
    low, high = found.confidence_interval
    return Interval(value, float(low), float(high), float(found.standard_error))
