"""How well a segmentation fits its label: confusion matrix, intersection over union, pixel accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from routeviz.errors import InputError


def checked_label(label: np.ndarray, num_classes: int, ignore_index: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return a label image as an array, and where it is labelled (not ignored).

    Raises
    ------
    InputError
        It is not an image of integers, or holds an id that is neither a class nor `ignore_index`.
    """
    label = np.asarray(label)
    if label.ndim != 2 or label.dtype.kind not in "iu":
        raise InputError(f"a label is a (height, width) array of integers, given {label.dtype} of shape {label.shape}")
    labelled = np.ones(label.shape, bool) if ignore_index is None else label != ignore_index
    known = (label < num_classes) & (label >= 0)
    if not (known | ~labelled).all():
        unknown = np.unique(label[labelled & ~known]).tolist()
        raise InputError(f"the label holds the ids {unknown}; valid are 0 to {num_classes - 1} and {ignore_index}")
    return label, labelled


def confusion(label: np.ndarray, prediction: np.ndarray, num_classes: int, ignore_index: int | None) -> np.ndarray:
    """Count the pixels of each class by what they were predicted as; matrices of several images may be added.

    Parameters
    ----------
    label : (height, width) int
        Class index of each pixel, or `ignore_index`.
    prediction : (height, width) int
        Class index of each pixel; read only where the label is not ignored.
    num_classes : int
    ignore_index : int or None
        What unlabelled pixels hold; such pixels are not counted.

    Returns
    -------
    (label, prediction) int64
        Number of pixels; shape (num_classes, num_classes), all zero where every pixel is ignored.

    Raises
    ------
    InputError
        The two are not of one size, or hold an id that is no class.
    """
    label, labelled = checked_label(label, num_classes, ignore_index)
    prediction = np.asarray(prediction)
    if prediction.shape != label.shape:
        raise InputError(f"the label is {label.shape}, its prediction {prediction.shape}: resize one to the other")
    if not labelled.all():
        label, prediction = label[labelled], prediction[labelled]
    predicted = prediction.astype(np.int64, copy=False)
    if predicted.size and (predicted.min() < 0 or predicted.max() >= num_classes):
        raise InputError(
            f"the prediction holds ids from {predicted.min()} to {predicted.max()}; valid are 0 to {num_classes - 1}"
        )
    pairs = np.multiply(label, num_classes, dtype=np.int64) + predicted
    return np.bincount(pairs.ravel(), minlength=num_classes**2).reshape(num_classes, num_classes)


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class.

    Parameters
    ----------
    confusion : (label, prediction) int64

    Returns
    -------
    (class,) float64
        In 0 to 1; NaN where no pixel is labelled with the class. What is wrongly predicted as such an absent class
        still counts against the class that it is labelled with.
    """
    return iou_of(np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0))


def iou_of(hits: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """IoU from counts as for `mean_iou_of`, ``(..., class)`` float64; NaN where no pixel is labelled with the class."""
    hits, labelled, predicted = np.broadcast_arrays(hits, labelled, predicted)
    return np.divide(hits, labelled + predicted - hits, out=np.full(hits.shape, np.nan), where=labelled > 0)


def mean_iou(confusion: np.ndarray) -> float:
    """Mean of `iou` over the classes that are present in the label; NaN where nothing is labelled."""
    values = iou(confusion)
    present = ~np.isnan(values)
    return float(values[present].mean()) if present.any() else float("nan")


def mean_iou_of(hits: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean IoU of any number of segmentations at once, from the counts that an IoU is made of.

    Parameters
    ----------
    hits, labelled, predicted : ndarray, (..., class) int or float
        Pixels of each class that are predicted right, that are labelled with it, and labelled pixels predicted as it:
        diagonal, row and column sums of a confusion matrix. Counts of several images may be added.

    Returns
    -------
    ndarray, (...) float64
        Over the classes that are labelled, as `mean_iou` of each matrix; NaN where nothing is labelled.
    """
    values = iou_of(hits, labelled, predicted)
    n_present = (~np.isnan(values)).sum(axis=-1)
    total = np.nan_to_num(values).sum(axis=-1)
    return np.divide(total, n_present, out=np.full(n_present.shape, np.nan), where=n_present > 0)


def pixel_accuracy(confusion: np.ndarray) -> float:
    """Share of the labelled pixels that are predicted right; NaN where nothing is labelled."""
    labelled = confusion.sum()
    return float(np.trace(confusion) / labelled) if labelled else float("nan")


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """What the IoU of each class is made of, for several images.

    Attributes
    ----------
    labelled, hits, predicted : ndarray, (image, class) int64
        Pixels labelled with a class, those of them predicted as it, and labelled pixels predicted as it.
    """

    labelled: np.ndarray
    hits: np.ndarray
    predicted: np.ndarray

    @classmethod
    def of(cls, confusions: np.ndarray) -> ClassCounts:
        """Count from confusion matrices, ``(image, label, prediction)`` int64."""
        return cls(confusions.sum(axis=2), np.diagonal(confusions, axis1=1, axis2=2), confusions.sum(axis=1))

    @property
    def iou(self) -> np.ndarray:
        """IoU of each class over all images together, ``(class,)`` float64; NaN where no pixel is labelled with it."""
        return iou_of(*(part.sum(axis=0) for part in (self.hits, self.labelled, self.predicted)))

    @property
    def miou(self) -> float:
        """Mean IoU of all images together, over the classes that are labelled; NaN where nothing is."""
        return float(mean_iou_of(*(part.sum(axis=0) for part in (self.hits, self.labelled, self.predicted))))
