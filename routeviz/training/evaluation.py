"""Evaluation: how well a network segments a labelled dataset, and what its routes cost."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from routeviz.costs import CONVENTIONS, expected_macs, macs
from routeviz.errors import DatasetError
from routeviz.metrics import confusion, iou, mean_iou, pixel_accuracy
from routeviz.progress import Bar
from routeviz.training.batches import resized
from routeviz.training.ranks import Ranks, gathered

LOOK_AHEAD = 4


@dataclass(frozen=True)
class Evaluation:
    """Figures over all images of a labelled dataset.

    Parameters
    ----------
    images : int
        Images evaluated.
    miou, pixel_accuracy : float
        In [0, 1], from one confusion matrix over the whole dataset; classes that never occur are left out.
    iou : dict of str to float
        Of each class; None where it never occurs.
    macs : dict of str to dict of str to int
        avg, max and min over images of the executed multiply-adds, by convention (gates included).
    expected_macs : float or None
        Mean over images of what the budget constrains, which is not what is executed; None without gates.
    unreadable : list of str
        One line for each image that could not be read.
    """

    images: int
    miou: float
    pixel_accuracy: float
    iou: dict[str, float | None]
    macs: dict[str, dict[str, int]]
    expected_macs: float | None
    unreadable: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, figures: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`."""
        return cls(**figures)


@torch.no_grad()
def evaluate(
    net,
    dataset,
    *,
    batch_size: int = 8,
    resize: tuple[int, int] | None = None,
    ranks: Ranks | None = None,
    progress: bool = False,
) -> Evaluation:
    """Evaluate a network on a labelled dataset.

    Every image takes its own route (eval mode, sparse execution), whole and at one scale. With `resize` the image is
    brought to that size bilinearly and its label by nearest neighbour, and both prediction and label are compared at
    that size. The network is left in the mode it was in.

    Parameters
    ----------
    net : RoutingNetwork
    dataset
        Labelled samples.
    batch_size : int
        Most images at a time; only images of one size share a batch.
    resize : tuple of int, optional
        Size (height, width).
    ranks : Ranks, optional
        Training processes to share the images; each gets the same result.
    progress : bool
        Show a progress bar.

    Raises
    ------
    DatasetError
        No image can be read, or one has no label.
    """
    device = next(net.parameters()).device
    place = ranks or Ranks(0, 1, device)
    n_classes = net.config.num_classes
    table = np.zeros((n_classes, n_classes), np.int64)
    costs: dict[str, list[int]] = {convention: [] for convention in CONVENTIONS}
    expected: list[float] = []
    unreadable: list[str] = []
    was_training = net.training
    net.eval()
    try:
        indices = Bar(
            range(place.rank, len(dataset), place.size),
            desc="evaluate",
            unit="image",
            disable=not progress,
            leave=False,
        )
        for images, labels in _batches(dataset, indices, batch_size, resize, unreadable):
            output = net(torch.stack([net.preprocess(image) for image in images]).to(device))
            size, gates = images[0].shape[:2], output.gates.float().cpu().numpy()
            for label, prediction in zip(labels, output.logits.argmax(1).cpu().numpy(), strict=True):
                table += confusion(label, prediction, n_classes, dataset.ignore_index)
            for convention in CONVENTIONS:
                costs[convention] += macs(net, gates, size, convention=convention).tolist()
            if net.config.fixed_gates is None:
                expected += expected_macs(net, gates, size).tolist()
    finally:
        net.train(was_training)
    parts = gathered((table, costs, expected, unreadable))
    table = sum(part[0] for part in parts)
    costs = {convention: [cost for part in parts for cost in part[1][convention]] for convention in CONVENTIONS}
    expected = [cost for part in parts for cost in part[2]]
    unreadable = [line for part in parts for line in part[3]]
    n_images = len(costs[CONVENTIONS[0]])
    if n_images == 0:
        raise DatasetError(
            "no image to evaluate could be read: " + "; ".join(unreadable[:3] or ["the dataset is empty"])
        )
    if not table.any():
        raise DatasetError("there is no labelled pixel to evaluate on: take a split whose labels are given")
    names = dataset.class_names or [str(number) for number in range(n_classes)]
    return Evaluation(
        images=n_images,
        miou=float(mean_iou(table)),
        pixel_accuracy=float(pixel_accuracy(table)),
        iou={name: None if np.isnan(value) else float(value) for name, value in zip(names, iou(table), strict=True)},
        macs={
            convention: {"avg": round(sum(values) / n_images), "max": max(values), "min": min(values)}
            for convention, values in costs.items()
        },
        expected_macs=float(np.mean(expected)) if expected else None,
        unreadable=unreadable,
    )


def _batches(
    dataset, indices, batch_size: int, resize: tuple[int, int] | None, unreadable: list[str]
) -> Iterator[tuple[list[NDArray], list[NDArray]]]:
    """Yield images and labels of one size, at most `batch_size`; few wait for their equals at any time."""
    waiting: dict[tuple[int, int], tuple[list[NDArray], list[NDArray]]] = {}
    for index in indices:
        try:
            sample = dataset[index]
        except DatasetError as error:
            unreadable.append(str(error))
            continue
        if sample.label is None:
            raise DatasetError(f"{sample.file or sample.id} has no label: evaluation needs a labelled split")
        image, label = resized(sample.image, sample.label, resize)
        images, labels = waiting.setdefault(image.shape[:2], ([], []))
        images.append(image)
        labels.append(label)
        if len(images) == batch_size:
            yield waiting.pop(image.shape[:2])
        elif sum(len(held) for held, _ in waiting.values()) >= LOOK_AHEAD * batch_size:
            yield waiting.pop(max(waiting, key=lambda size: len(waiting[size][0])))
    yield from waiting.values()
