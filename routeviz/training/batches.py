"""Training batches: which image, scaled, cut and mirrored how, is a function of (seed, step, position) alone.

Nothing is drawn from a generator that lives between steps, so a resumed run needs no state of its loader, and any
number of loading processes or ranks sees the same batches.
"""

import logging
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from routeviz.errors import DatasetError, InputError
from routeviz.training.config import TrainConfig

CACHE_BYTES = 4 << 30
Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]

log = logging.getLogger(__name__)


def resized(
    image: NDArray[np.uint8], label: NDArray | None, size: tuple[int, int] | None
) -> tuple[NDArray, NDArray | None]:
    """Bring an image (bilinear, smoothed where it shrinks) and its label (nearest) to a size (height, width)."""
    if size is None or size == image.shape[:2]:
        return image, label
    shape = size[::-1]
    image = np.asarray(Image.fromarray(image).resize(shape, Image.Resampling.BILINEAR))
    if label is not None:
        label = np.asarray(Image.fromarray(label.astype(np.uint8)).resize(shape, Image.Resampling.NEAREST))
    return image, label


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, n: int) -> NDArray[np.intp]:
    return np.random.default_rng([seed, epoch]).permutation(n)


def image_index(seed: int, drawn: int, n: int) -> int:
    """Return the dataset index of the image drawn after `drawn` others: every epoch is one permutation of all `n`."""
    epoch, place = divmod(drawn, n)
    return int(_order(seed, epoch, n)[place])


def cut(
    image: NDArray[np.uint8],
    label: NDArray[np.uint8],
    *,
    crop: tuple[int, int],
    scale: tuple[float, float],
    flip: bool,
    fill: tuple[int, int, int],
    ignore_index: int,
    rng: np.random.Generator,
) -> Picture:
    """Return a random crop of a randomly scaled, randomly mirrored image, and of its label.

    Parameters
    ----------
    image, label : (H, W, 3) and (H, W) uint8
    crop : tuple of int
        Size (height, width) of the result.
    scale : tuple of float
        Smallest and largest factor on the image's size.
    flip : bool
        Mirror in half of the cases.
    fill : tuple of int
        RGB around an image that is scaled to less than the crop; its label there is `ignore_index`.
    rng : numpy.random.Generator
        All chance comes from here.
    """
    size = np.array(label.shape)
    scaled = np.maximum(1, np.rint(size * rng.uniform(*scale)).astype(int))
    part = np.minimum(crop, scaled)
    start = rng.integers(0, scaled - part + 1)
    at = rng.integers(0, np.array(crop) - part + 1)
    # Only the part that is kept is resized: its box in the image as it is.
    (top, left), (bottom, right) = start * size / scaled, np.minimum((start + part) * size / scaled, size)
    shape, box = (int(part[1]), int(part[0])), (left, top, right, bottom)
    place = slice(at[0], at[0] + part[0]), slice(at[1], at[1] + part[1])
    cut_image = np.full((*crop, 3), fill, np.uint8)
    cut_label = np.full(crop, ignore_index, np.uint8)
    cut_image[place] = np.asarray(Image.fromarray(image).resize(shape, Image.Resampling.BILINEAR, box=box))
    cut_label[place] = np.asarray(Image.fromarray(label).resize(shape, Image.Resampling.NEAREST, box=box))
    if flip and rng.random() < 0.5:
        cut_image, cut_label = cut_image[:, ::-1], cut_label[:, ::-1]
    return cut_image, cut_label


class Crops(Dataset):
    """The crops of a run: index (step, position in the batch) -> image (H, W, 3) uint8, label (H, W) uint8.

    Parameters
    ----------
    dataset
        Labelled samples.
    config : TrainConfig
    fill : tuple of int
        RGB around images smaller than the crop.

    Notes
    -----
    Datasets of up to 4 GiB (after `config.resize`) are kept decoded. An unreadable image is reported once on the log
    and the next one of the epoch takes its place.
    """

    def __init__(self, dataset, config: TrainConfig, *, fill: tuple[int, int, int]) -> None:
        if len(dataset) == 0:
            raise DatasetError(f"split {config.train_split!r} of {config.dataset} is empty: nothing to train on")
        self.dataset, self.config, self.fill = dataset, config, fill
        self.kept: dict[int, Picture | None] = {}
        self.keep = True
        self.keep = (
            self.picture(image_index(config.seed, 0, len(dataset)))[0].nbytes * 4 // 3 * len(dataset) <= CACHE_BYTES
        )

    def read(self, index: int) -> Picture | None:
        """Decode and resize one image; None where it cannot be read."""
        try:
            sample = self.dataset[index]
        except DatasetError as error:
            log.warning("left out of training: %s", error)
            return None
        if sample.label is None:
            raise InputError(
                f"{sample.file} has no label: training needs a labelled split, not {self.config.train_split!r}"
            )
        image, label = resized(sample.image, sample.label, self.config.resize)
        return image, label.astype(np.uint8, copy=False)

    def picture(self, index: int) -> Picture:
        """Return image `index`, or the next readable one."""
        for candidate in range(index, index + len(self.dataset)):
            candidate %= len(self.dataset)
            if candidate in self.kept:
                found = self.kept[candidate]
            else:
                found = self.read(candidate)
                if self.keep or found is None:
                    self.kept[candidate] = found
            if found is not None:
                return found
        raise DatasetError(f"no image of split {self.config.train_split!r} of {self.config.dataset} can be read")

    def preload(self) -> None:
        """Decode everything now if it is to be kept: before processes are forked, so that they share it."""
        if self.keep:
            for index in range(len(self.dataset)):
                self.picture(index)

    def __getitem__(self, key: tuple[int, int]) -> Picture:
        step, position = key
        config = self.config
        image, label = self.picture(image_index(config.seed, step * config.batch_size + position, len(self.dataset)))
        return cut(
            image,
            label,
            crop=config.crop,
            scale=config.scale,
            flip=config.flip,
            fill=self.fill,
            ignore_index=self.dataset.ignore_index,
            rng=np.random.default_rng([config.seed, step, position]),
        )


def _stack(crops: list[Picture]) -> tuple[Tensor, Tensor]:
    images, labels = zip(*crops, strict=True)
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels))


def batches(
    crops: Crops, *, start: int, rank: int = 0, ranks: int = 1, pin_memory: bool = False
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images (N, H, W, 3) uint8 RGB and labels (N, H, W) uint8 of each step from `start` to the run's last.

    Each of `ranks` processes gets its own even share of every batch.
    """
    config = crops.config
    if config.batch_size % ranks:
        raise InputError(
            f"batch_size {config.batch_size} cannot be shared evenly by {ranks} processes: give a multiple"
        )
    share = config.batch_size // ranks
    positions = range(rank * share, (rank + 1) * share)
    if config.workers:
        crops.preload()
    yield from DataLoader(
        crops,
        batch_sampler=([(step, position) for position in positions] for step in range(start, config.steps)),
        num_workers=config.workers,
        collate_fn=_stack,
        pin_memory=pin_memory,
        generator=torch.Generator(),
    )
