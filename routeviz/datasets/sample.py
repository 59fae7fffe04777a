"""What a dataset hands out for one image."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One image, with its label where there is one.

    Attributes
    ----------
    image : (height, width, 3) uint8
        RGB, upright.
    label : (height, width) uint8, or None
        Class index of each pixel, or the dataset's ``ignore_index``.
    id : str
        Unique in its dataset.
    file : str
        The image's file, relative to the dataset's root; empty where there is none.
    """

    image: np.ndarray
    label: np.ndarray | None
    id: str
    file: str
