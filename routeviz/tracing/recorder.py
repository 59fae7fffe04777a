"""What is recorded of every image: its gates, what they cost, and how well the segmentation fits the label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import interpolate

from routeviz.costs import CONVENTIONS, asked_cells, expected_macs, macs
from routeviz.errors import NonFiniteError
from routeviz.metrics import confusion, iou, mean_iou, pixel_accuracy
from routeviz.network import RoutingNetwork
from routeviz.tracing.reading import Reading

COUNTED = ("labelled", "hits", "predicted")
"""What is counted of each class where it is asked for: see `routeviz.metrics.ClassCounts`."""


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
        self._net, self._forced, self._counts = net, forced, counts
        self._names, self._ignore_index = tuple(dataset.class_names), dataset.ignore_index
        own = net.config.class_names
        self._scored = self._names == own if own else len(self._names) == net.config.num_classes
        self._device = next(net.parameters()).device
        self._asked = True if forced is None else asked_cells(net.space, forced)
        self._rows: dict[int, tuple[np.ndarray, dict[str, Any], dict[str, Any]]] = {}

    @torch.inference_mode()
    def record(self, batch: list[Reading]) -> None:
        """Segment images of one size; raises NonFiniteError naming the image where numbers are none any more."""
        images = torch.stack([self._net.preprocess(reading.image) for reading in batch]).to(self._device)
        try:
            output = self._net(images, route=self._forced)
        except NonFiniteError as error:
            raise NonFiniteError(f"{batch[error.image].facts['id']}: {error}", image=error.image) from error
        for reading, gates, logits in zip(batch, output.gates.cpu().numpy(), output.logits, strict=True):
            scored = reading.label is not None and self._scored
            scores = self._scores(reading.label, logits) if scored else {}
            self._rows[reading.index] = gates, reading.facts, scores | reading.objects

    def collect(self) -> tuple[np.ndarray, pd.DataFrame]:
        """Give gates ``(image, path)`` and facts of all images since the last time, in dataset order."""
        space = self._net.space
        rows = [self._rows[index] for index in sorted(self._rows)]
        self._rows = {}
        if not rows:
            return np.empty((0, space.n_paths), np.float32), pd.DataFrame()
        gates = np.stack([row[0] for row in rows])
        facts = pd.DataFrame([row[1] for row in rows])
        sizes = facts[["height", "width"]].to_numpy()
        counts = {
            f"macs_{convention}": macs(self._net, gates, sizes, convention=convention, with_gates=self._asked)
            for convention in CONVENTIONS
        }
        counts["expected_macs_released"] = expected_macs(self._net, gates, sizes)
        return gates, pd.concat([facts, pd.DataFrame(counts), pd.DataFrame([row[2] for row in rows])], axis=1)

    def _scores(self, label: np.ndarray, logits: torch.Tensor) -> dict[str, float]:
        if label.shape != logits.shape[1:]:
            logits = interpolate(logits[None], size=label.shape, mode="bilinear", align_corners=False)[0]
        # The indices of max are those of argmax, in a quarter of the time.
        prediction = logits.max(dim=0).indices.cpu().numpy()
        table = confusion(label, prediction, len(self._names), self._ignore_index)
        of_class = {f"iou_{name}": value for name, value in zip(self._names, iou(table), strict=True)}
        scores = {"pixel_accuracy": pixel_accuracy(table), "miou": mean_iou(table)} | of_class
        if self._counts:
            for what, pixels in zip(COUNTED, (table.sum(axis=1), np.diagonal(table), table.sum(axis=0)), strict=True):
                scores |= {f"{what}_{name}": int(n) for name, n in zip(self._names, pixels, strict=True)}
        return scores
