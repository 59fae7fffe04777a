"""How large the objects of a label image are."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from routeviz.errors import InputError
from routeviz.metrics.segmentation import checked_label

_EIGHT_CONNECTED = np.ones((3, 3), bool)


def object_facts(
    label: np.ndarray,
    class_names: Sequence[str],
    ignore_index: int | None,
    *,
    small: int = 32**2,
    medium: int = 96**2,
) -> dict[str, int | float]:
    """Count and measure the objects of a label image: the 8-connected components of each class.

    Areas are in pixels of the label image as given (a resized label has other facts). Objects are small below
    `small`, medium below `medium`, large from there on.

    Parameters
    ----------
    label : (height, width) int
        Class index of each pixel, or `ignore_index`.
    class_names : sequence of str
        Name of each class; the names end the keys of what is returned.
    ignore_index : int or None
        What unlabelled pixels hold; they belong to no object and to no share.
    small, medium : int
        Upper bounds (exclusive) of the areas of small and medium objects, in pixels.

    Returns
    -------
    dict
        ``object_count``, ``object_median_area`` (pixels), and ``share_small``, ``share_medium``, ``share_large``:
        shares of the labelled pixels that lie in objects of this size, in 0 to 1. Then the same for each class as
        ``<fact>_<class name>``, where shares are of the class's own pixels. Where there is no object, the count is 0
        and the rest is NaN.

    Raises
    ------
    InputError
        The label is no image of integers or holds an unknown id, or `small` is larger than `medium`.
    """
    if not 0 < small <= medium:
        raise InputError(f"small must be positive and at most medium, given small={small} and medium={medium}")
    label, labelled = checked_label(label, len(class_names), ignore_index)
    # Class 0 is an object like any other, and find_objects takes 0 for the background.
    numbers = np.where(labelled, label.astype(np.int32) + 1, 0)
    areas = [
        np.zeros(0, np.int64) if box is None else _component_areas(numbers[box] == number)
        for number, box in enumerate(ndimage.find_objects(numbers, max_label=len(class_names)), start=1)
    ]
    facts = _size_facts(np.concatenate(areas) if areas else np.zeros(0, np.int64), small, medium)
    for name, of_class in zip(class_names, areas, strict=True):
        facts |= {f"{fact}_{name}": value for fact, value in _size_facts(of_class, small, medium).items()}
    return facts


def _component_areas(mask: np.ndarray) -> np.ndarray:
    components, _ = ndimage.label(mask, _EIGHT_CONNECTED)
    return np.bincount(components.ravel())[1:]


def _size_facts(areas: np.ndarray, small: int, medium: int) -> dict[str, int | float]:
    if not areas.size:
        nan = float("nan")
        facts = dict.fromkeys(("object_median_area", "share_small", "share_medium", "share_large"), nan)
        return {"object_count": 0} | facts
    shares = np.bincount(np.digitize(areas, (small, medium)), weights=areas, minlength=3) / areas.sum()
    return {
        "object_count": int(areas.size),
        "object_median_area": float(np.median(areas)),
        "share_small": float(shares[0]),
        "share_medium": float(shares[1]),
        "share_large": float(shares[2]),
    }
