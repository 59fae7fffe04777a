"""What a forced route does to a whole dataset: the original of every image, and the image along the route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from routeviz.costs import CONVENTIONS
from routeviz.counterfactual.chosen import Chosen
from routeviz.counterfactual.forced import ForcedRoute
from routeviz.counterfactual.rerun import Rerun, class_changes, rerun
from routeviz.errors import DatasetError
from routeviz.metrics import ClassCounts
from routeviz.network import RoutingNetwork
from routeviz.progress import Bar
from routeviz.space import open_paths
from routeviz.stats import Interval, known_difference
from routeviz.tracing.reading import Reader, Reading
from routeviz.tracing.recorder import scorable


@dataclass(frozen=True, eq=False)
class ForcedEffect:
    """Images as the network takes them, the original, and when forced to a route.

    Attributes
    ----------
    route : ForcedRoute
    images : DataFrame
        One row an image: ``id``; ``changed``, share of its pixels whose class changes; ``answers``, number of paths
        that are not forced and whose gates answer otherwise; and, each as ``_original`` and ``_forced``, ``open``
        (number of open paths), ``miou`` (its own; NaN without a label), ``macs_conv``, ``macs_fvcore``,
        ``macs_released``.
    remarks : mapping of str to int
        What the route cuts off, in sentences, and in how many images.
    original, forced : ClassCounts, or None
        Of the labelled images; None where there is none, or of other classes.
    """

    route: ForcedRoute
    images: pd.DataFrame
    remarks: Mapping[str, int]
    original: ClassCounts | None
    forced: ClassCounts | None

    @property
    def difference(self) -> Interval | None:
        """mIoU when forced less that of the original, and its paired interval over images; None without two."""
        return known_difference(self.forced, self.original)

    def classes(self, names: Sequence[str] = ()) -> pd.DataFrame:
        """One row a class, over all labelled images: name, iou_original, iou_forced, change; no row without a label.

        The IoU is NaN where no pixel is labelled with the class.
        """
        if self.original is None:
            return class_changes((), np.empty(0), np.empty(0))
        return class_changes(names, self.original.iou, self.forced.iou)


def forced_effect(
    net: RoutingNetwork,
    dataset: Any,
    route: ForcedRoute,
    *,
    images: Sequence[str] | None = None,
    resize: tuple[int, int] | None = None,
    progress: bool = False,
) -> ForcedEffect:
    """Run a dataset's images twice: the original, as the network takes them, and under a forced route.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    dataset : dataset
        As of `routeviz.trace`; images that cannot be read are left out.
    route : ForcedRoute
        Gates that it is silent of are asked, and may answer otherwise than without it.
    images : sequence of str, optional
        Ids of the images to take; by default all.
    resize : (height, width), optional
        As of `routeviz.trace`.
    progress : bool

    Returns
    -------
    ForcedEffect

    Raises
    ------
    InputError
        If the dataset lacks an image, or the route does not suit the network.
    DatasetError
        If no image can be read.
    """
    chosen = dataset if images is None else Chosen(dataset, images)
    reader, scored = Reader(chosen, None), scorable(net, dataset)
    rows, tables, remarks = [], [], Counter()
    for index in Bar(range(len(chosen)), desc="forcing", unit="image", delay=2, disable=not progress):
        reading = reader[index]
        if not isinstance(reading, Reading):
            continue
        label = reading.label if scored else None
        found = rerun(net, reading.image, route, label=label, ignore_index=dataset.ignore_index, resize=resize)
        rows.append({"id": reading.facts["id"]} | _row(found))
        if label is not None:
            tables.append([one.confusion for one in (found.original, found.forced)])
        remarks.update(found.remarks)
    if not rows:
        raise DatasetError("no image could be read; give a dataset that holds some")
    original, forced = None, None
    if np.any(tables):  # an image may have a label of ignored pixels alone
        original, forced = (ClassCounts.of(np.array(side)) for side in zip(*tables, strict=True))
    return ForcedEffect(route, pd.DataFrame(rows), dict(remarks.most_common()), original, forced)


def _row(found: Rerun) -> dict[str, Any]:
    gates = np.nan_to_num(np.stack([found.original.gates, found.forced.gates]))
    opened, opened_forced = open_paths(found.net.space, gates).sum(axis=1).tolist()
    row = {
        "changed": float(found.changed.mean()),
        "answers": int((~found.paths["forced"]).sum()),
        "open_original": opened,
        "open_forced": opened_forced,
        "miou_original": found.original.miou,
        "miou_forced": found.forced.miou,
    }
    for convention in CONVENTIONS:
        row[f"macs_{convention}_original"], row[f"macs_{convention}_forced"] = found.macs(convention)
    return row
