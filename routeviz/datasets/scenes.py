"""Procedural scenes: labelled images whose objects' scales are known, made on the fly."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from routeviz.datasets.sample import Sample
from routeviz.datasets.scene_drawing import KINDS, draw, scatter
from routeviz.errors import DatasetError, InputError

SCALE_CLASSES = ("small", "large", "mixed")

_LENGTHS = {"train": 1200, "val": 150, "test": 150}


class Scenes:
    """Textured shapes on a textured ground; the ground truth for the question whether routes follow scale.

    An object's class is its shape (disc, triangle, star) together with its texture (striped, checked): neither alone
    tells it, and colours tell nothing. Texture and outline are scaled together, so that what a large object is can
    only be seen from afar. Every image belongs to a scale class, in turn: many ``small`` objects, a few ``large`` ones,
    or ``mixed``, about half of the area each. Area covered, mean colour and contrast are drawn alike for all three.

    Parameters
    ----------
    root : None
        Of no effect: nothing is read.
    split : str
        ``train``, ``val`` or ``test``; the splits share no random numbers.
    length : int, optional
        Number of images; by default 1200 for training, 150 else. A longer dataset begins with the shorter one.
    size : (height, width), optional
        In pixels: 64 or more, one at most twice the other; objects grow with it.
    seed : int, optional

    Raises
    ------
    DatasetError
        There is no such split.
    InputError
        `length`, `size` or `seed` cannot be used.
    """

    name: ClassVar[str] = "scenes"
    class_names: ClassVar = ("ground", *(" ".join(kind) for kind in KINDS))
    class_colors: ClassVar = (
        (44, 47, 56),
        (23, 90, 168), (110, 182, 240),
        (176, 58, 20), (250, 160, 90),
        (20, 122, 80), (130, 214, 150),
    )  # fmt: skip
    ignore_index: ClassVar[int] = 255

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "val",
        *,
        length: int | None = None,
        size: tuple[int, int] = (128, 256),
        seed: int = 0,
    ) -> None:
        if split not in _LENGTHS:
            raise DatasetError(f"scenes has no split {split!r}; choose one of {', '.join(_LENGTHS)}")
        length = _LENGTHS[split] if length is None else length
        if not (_is_whole(length, 1) and _is_whole(seed, 0)):
            raise InputError(
                f"scenes needs a length of 1 or more and a seed of 0 or more, given {length!r} and {seed!r}"
            )
        if not (isinstance(size, Sequence) and len(size) == 2 and all(_is_whole(side, 64) for side in size)):
            raise InputError(f"scenes needs a size (height, width), each 64 or more, given {size!r}")
        if max(size) > 2 * min(size):
            raise InputError(f"scenes needs a size (height, width) with one at most twice the other, given {size!r}")
        self.root, self.split = None, split
        self.options = {"length": length, "size": tuple(size), "seed": seed}
        self.ids = [f"{split}-{index:05d}" for index in range(length)]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        """Draw one image; it depends on the seed, the split, the size and `index` alone.

        Raises
        ------
        IndexError
            `index` is outside the dataset.
        """
        index = range(len(self))[index]
        rng = np.random.default_rng((self.options["seed"], list(_LENGTHS).index(self.split), index))
        objects = scatter(rng, self.facts(index)["scale_class"], self.options["size"])
        image, label = draw(rng, objects, self.options["size"])
        return Sample(image=image, label=label, id=self.ids[index], file="")

    def facts(self, index: int) -> dict[str, Any]:
        """Scale class of an image, known without drawing it."""
        return {"scale_class": SCALE_CLASSES[range(len(self))[index] % len(SCALE_CLASSES)]}


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and value >= least
