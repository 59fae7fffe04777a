"""What starved cells are good for: the same images with them and without."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from routeviz.costs import CONVENTIONS, macs
from routeviz.costs.timing import seconds_of
from routeviz.counterfactual.rerun import ALIKE
from routeviz.errors import DatasetError, InputError
from routeviz.metrics import ClassCounts, confusion
from routeviz.network import NetworkOutput, RoutingNetwork
from routeviz.network.logits import classes_at, divergence
from routeviz.progress import Bar
from routeviz.space import cell_states
from routeviz.stats import Interval, known_difference
from routeviz.tracing.reading import Reader, Reading
from routeviz.tracing.recorder import scorable


@dataclass(frozen=True, eq=False)
class Starvation:
    """Images segmented as the network runs, and with starved cells left unreached.

    Attributes
    ----------
    images : DataFrame
        One row an image: ``id``; ``starved`` and ``image_blind``, number of cells; ``kl``, Kullback-Leibler divergence
        of the class probabilities without from those with, in nats, mean over pixels; ``changed``, share of pixels
        whose class changes; ``gates``, number of activations of cells that run in both that differ; ``macs_conv``,
        ``macs_fvcore`` and ``macs_released``, and the same ``_without``; ``seconds`` and ``seconds_without``, of the
        forward passes.
    original, without : ClassCounts, or None
        With starved cells, and without, of the labelled images; None where there is none, or of other classes.
    """

    images: pd.DataFrame
    original: ClassCounts | None
    without: ClassCounts | None

    @property
    def difference(self) -> Interval | None:
        """mIoU without starved cells less that with them, and its paired interval over images."""
        return known_difference(self.without, self.original)

    def summary(self) -> dict[str, Any]:
        """All images in figures, fit for JSON.

        Returns
        -------
        dict
            ``images``, their number, and ``images_changed``, of those in which any pixel changes class; means over
            them of the columns of `images`; ``miou`` and ``miou_without`` over all labelled images, and
            ``miou_difference`` (value, low, high, error), None where there is none; ``seconds`` and
            ``seconds_without``, medians; ``time_saved``, the share of its own time that an image is spared, its
            quartiles ``low``, ``median`` and ``high``.
        """
        table, apart = self.images, self.difference
        means = {name: float(table[name].mean()) for name in table if name not in ("id", "seconds", "seconds_without")}
        saved = (1 - table.seconds_without / table.seconds).quantile([0.25, 0.5, 0.75])
        return means | {
            "images": len(table),
            "images_changed": int((table.changed > 0).sum()),
            "miou": None if self.original is None else self.original.miou,
            "miou_without": None if self.without is None else self.without.miou,
            "miou_difference": None if apart is None else apart._asdict(),
            "seconds": float(table.seconds.median()),
            "seconds_without": float(table.seconds_without.median()),
            "time_saved": dict(zip(("low", "median", "high"), saved, strict=True)),
        }


@torch.inference_mode()
def without_starved(
    net: RoutingNetwork, dataset: Any, *, resize: tuple[int, int] | None = None, progress: bool = False
) -> Starvation:
    """Run a dataset's images as the network takes them, and with starved cells left unreached.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    dataset : dataset
        As of `routeviz.trace`; images that cannot be read are left out.
    resize : (height, width), optional
    progress : bool

    Returns
    -------
    Starvation

    Raises
    ------
    InputError
        If the network is in training mode.
    DatasetError
        If no image can be read.
    """
    if net.training:
        raise InputError("cells are left out at inference only; call net.eval() first")
    reader, n_classes = Reader(dataset, resize), net.config.num_classes
    scored = scorable(net, dataset)
    rows, tables = [], []
    for index in Bar(range(len(dataset)), desc="without starved cells", unit="image", delay=2, disable=not progress):
        reading = reader[index]
        if not isinstance(reading, Reading):
            continue
        row, predictions = _compared(net, reading, warm=bool(rows), odd=len(rows) % 2 == 1)
        rows.append(row)
        if reading.label is not None and scored:
            tables.append([confusion(reading.label, one, n_classes, dataset.ignore_index) for one in predictions])
    if not rows:
        raise DatasetError("no image could be read; give a dataset that holds some")
    original, without = None, None
    if np.any(tables):
        original, without = (ClassCounts.of(np.array(side)) for side in zip(*tables, strict=True))
    return Starvation(pd.DataFrame(rows), original, without)


def _compared(
    net: RoutingNetwork, reading: Reading, *, warm: bool, odd: bool
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """One image both ways: what differs, and the class of each pixel at the label's size."""
    x = net.preprocess(reading.image)[None].to(next(net.parameters()).device)
    if not warm:
        net(x)  # what is set up on the first pass is no cost of an image
    sides: dict[bool, tuple[NetworkOutput, float]] = {}
    for run_starved in (False, True) if odd else (True, False):
        sides[run_starved] = seconds_of(partial(net, x, run_starved=run_starved), x.device)
    (with_them, seconds), (without, seconds_without) = sides[True], sides[False]
    classes = [output.logits.max(dim=1).indices for output in (with_them, without)]
    gates, other = (output.gates.cpu().numpy() for output in (with_them, without))
    states, size = cell_states(net.space, gates), reading.image.shape[:2]
    row = {
        "id": reading.facts["id"],
        "starved": int(states.starved.sum()),
        "image_blind": int(states.image_blind.sum()),
        "kl": float(divergence(with_them.logits.log_softmax(dim=1), without.logits)),
        "changed": float((classes[0] != classes[1]).double().mean()),
        "gates": int((np.abs(gates - other) > ALIKE).sum()),
    }
    for convention in CONVENTIONS:
        row[f"macs_{convention}"] = int(macs(net, gates, size, convention=convention)[0])
        row[f"macs_{convention}_without"] = int(macs(net, other, size, convention=convention, run_starved=False)[0])
    row |= {"seconds": seconds, "seconds_without": seconds_without}
    shape = size if reading.label is None else reading.label.shape
    return row, [classes_at(output.logits, shape)[0] for output in (with_them, without)]
