"""Handwritten digits: the small real images that scikit-learn brings along, for networks that name what they see."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from routeviz.datasets.sample import Sample
from routeviz.errors import DatasetError

HELD_OUT = 540
ENLARGED = 16


class Digits:
    """8×8 grey images of the ten digits, from scikit-learn (Optical Recognition of Handwritten Digits, UCI).

    Parameters
    ----------
    root : None
        Of no effect: the images come with scikit-learn.
    split : str
        ``train`` (1257 images) or ``val`` (540), with as many of each digit as their shares ask for; ``test`` is
        ``val``.

    Attributes
    ----------
    pixels : ndarray, (image, 1, 8, 8) float32
        From 0 to 1.
    digits : ndarray, (image,) int64

    Raises
    ------
    DatasetError
        There is no such split.
    """

    name: ClassVar[str] = "digits"
    class_names: ClassVar[tuple[str, ...]] = ()
    class_colors: ClassVar[tuple] = ()
    ignore_index: ClassVar[int] = 255

    def __init__(self, root: str | Path | None = None, split: str = "val") -> None:
        # Here, since they take longer than all that the dashboard's first page needs.
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        if split not in ("train", "val", "test"):
            raise DatasetError(f"digits has no split {split!r}; choose one of train, val, test")
        found = load_digits()
        rows = train_test_split(
            np.arange(len(found.target)), test_size=HELD_OUT, random_state=0, stratify=found.target
        )[split != "train"]
        self.root, self.split, self.options = None, split, {}
        self.pixels = (found.images[rows, None] / 16).astype(np.float32)
        self.digits = found.target[rows].astype(np.int64)
        self.ids = [f"digit-{row:04d}" for row in rows]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        """One image, each of its pixels as a square of 16; raises IndexError outside the dataset."""
        index = range(len(self))[index]
        grey = np.round(255 * (1 - self.pixels[index, 0])).astype(np.uint8)
        large = np.kron(grey, np.ones((ENLARGED, ENLARGED), np.uint8))
        return Sample(image=np.repeat(large[..., None], 3, axis=2), label=None, id=self.ids[index], file="")

    def facts(self, index: int) -> dict[str, Any]:
        """Which digit an image shows."""
        return {"digit": str(self.digits[range(len(self))[index]])}
