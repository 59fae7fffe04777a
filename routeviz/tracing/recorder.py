"""What is recorded of every image: its gates, what they cost, and how well the segmentation fits the label."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import pandas as pd
import torch

from routeviz.costs import CONVENTIONS, asked_cells, expected_macs, macs
from routeviz.errors import NonFiniteError
from routeviz.metrics import ClassCounts, confusion, iou, mean_iou, pixel_accuracy
from routeviz.network import RoutingNetwork
from routeviz.network.logits import classes_at
from routeviz.tracing.reading import Reading


def scorable(net: RoutingNetwork, dataset: Any) -> bool:
    """Whether labels of a dataset say how good a network's segmentations are: both know the same classes."""
    names, own = tuple(dataset.class_names), net.config.class_names
    return names == own if own else len(names) == net.config.num_classes


class Recorder:
    """Runs batches through a network and keeps gates and facts until they are collected for a shard.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    dataset : dataset
        For its classes.
    forced : ndarray, (path,), optional
        Activations to use instead of the gates'; NaN asks the gate.
    counts : bool
        Also record the pixels of each class, as labelled_<class>, hits_<class> and predicted_<class>: from these the
        IoU of all images together follows, and its intervals.
    """

    def __init__(self, net: RoutingNetwork, dataset: Any, forced: np.ndarray | None, *, counts: bool = False) -> None:
        self.net, self.forced, self._counts = net, forced, counts
        self.names, self.ignore_index = tuple(dataset.class_names), dataset.ignore_index
        self._scored = scorable(net, dataset)
        self._asked = True if forced is None else asked_cells(net.space, forced)
        self._rows: dict[int, tuple[np.ndarray, dict[str, Any], dict[str, Any]]] = {}
        self._memory = torch.empty(0)

    @torch.inference_mode()
    def record(self, batch: list[Reading]) -> None:
        """Segment images of one size; raises NonFiniteError naming the image where numbers are none any more."""
        device = next(self.net.parameters()).device
        images = self._normalised([reading.image for reading in batch]).to(device)
        labels = [reading.label if self._scored else None for reading in batch]
        try:
            found = list(self.measure(images, labels))
        except NonFiniteError as error:
            raise NonFiniteError(f"{batch[error.image].facts['id']}: {error}", image=error.image) from error
        for reading, (gates, table, measured) in zip(batch, found, strict=True):
            scores = {} if table is None else self._scores(table)
            self._rows[reading.index] = gates, reading.facts, scores | measured | reading.objects

    def measure(
        self, images: torch.Tensor, labels: list[np.ndarray | None]
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None, dict[str, Any]]]:
        """Measure images of one size; other work than tracing measures something else.

        Parameters
        ----------
        images : Tensor, (N, 3, H, W) float32
            As the network takes them.
        labels : list of ndarray, (H', W') int, or None
            None where there is none that the segmentation can be compared with.

        Yields
        ------
        gates : ndarray, (path,) float32
        confusion : ndarray, (class, class) int64, or None
        measured : dict
            Further columns of the log.
        """
        output = self.net(images, route=self.forced)
        for gates, logits, label in zip(output.gates.cpu().numpy(), output.logits, labels, strict=True):
            table = None
            if label is not None:
                (classes,) = classes_at(logits[None], label.shape)
                table = confusion(label, classes, len(self.names), self.ignore_index)
            yield gates, table, {}

    def _normalised(self, images: list[np.ndarray]) -> torch.Tensor:
        """Images as the network takes them, always in the same memory: new pages take longer than all that is done."""
        shape = (len(images), 3, *images[0].shape[:2])
        if self._memory.numel() < prod(shape):
            self._memory = torch.empty(prod(shape))
        batch = self._memory[: prod(shape)].view(shape)
        for place, image in zip(batch, images, strict=True):
            place.copy_(self.net.preprocess(image))
        return batch

    def collect(self) -> tuple[np.ndarray, pd.DataFrame]:
        """Give gates ``(image, path)`` and facts of all images since the last time, in dataset order."""
        space = self.net.space
        rows = [self._rows[index] for index in sorted(self._rows)]
        self._rows = {}
        if not rows:
            return np.empty((0, space.n_paths), np.float32), pd.DataFrame()
        gates = np.stack([row[0] for row in rows])
        facts = pd.DataFrame([row[1] for row in rows])
        sizes = facts[["height", "width"]].to_numpy()
        counts = {
            f"macs_{convention}": macs(self.net, gates, sizes, convention=convention, with_gates=self._asked)
            for convention in CONVENTIONS
        }
        counts["expected_macs_released"] = expected_macs(self.net, gates, sizes)
        return gates, pd.concat([facts, pd.DataFrame(counts), pd.DataFrame([row[2] for row in rows])], axis=1)

    def _scores(self, table: np.ndarray) -> dict[str, float]:
        of_class = {f"iou_{name}": value for name, value in zip(self.names, iou(table), strict=True)}
        scores = {"pixel_accuracy": pixel_accuracy(table), "miou": mean_iou(table)} | of_class
        if self._counts:
            for what, (pixels,) in vars(ClassCounts.of(table[None])).items():
                scores |= {f"{what}_{name}": int(n) for name, n in zip(self.names, pixels, strict=True)}
        return scores
