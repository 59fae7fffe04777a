"""What a forced route does to a whole dataset: every image as its gates decide, and along the route."""

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
from routeviz.counterfactual.rerun import Rerun, rerun
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
    """Images as their gates decide, and under a forced route.

    Attributes
    ----------
    forced : ForcedRoute
    images : DataFrame
        One row an image: ``id``; ``changed``, share of its pixels whose class changes; ``answers``, number of paths
        that are not forced and whose gates answer otherwise; and, each followed by the same ``_forced``, ``open``
        (number of open paths), ``miou`` (its own; NaN without a label), ``macs_conv``, ``macs_fvcore``,
        ``macs_released``.
    remarks : mapping of str to int
        What the route cuts off, in sentences, and in how many images.
    before, after : ClassCounts, or None
        As the gates decide, and forced, of the labelled images; None where there is none, or of other classes.
    """

    forced: ForcedRoute
    images: pd.DataFrame
    remarks: Mapping[str, int]
    before: ClassCounts | None
    after: ClassCounts | None

    @property
    def difference(self) -> Interval | None:
        """mIoU when forced less that as the gates decide, and its paired interval over images; None without two."""
        return known_difference(self.after, self.before)

    def classes(self, names: Sequence[str] = ()) -> pd.DataFrame:
        """One row a class, over all labelled images: name, iou_before, iou_after, change; no row without a label.

        The IoU is NaN where no pixel is labelled with the class.
        """
        if self.before is None:
            return pd.DataFrame(columns=["name", "iou_before", "iou_after", "change"])
        before, after = self.before.iou, self.after.iou
        names = list(names) or [f"class {index}" for index in range(len(before))]
        return pd.DataFrame({"name": names, "iou_before": before, "iou_after": after, "change": after - before})


def forced_effect(
    net: RoutingNetwork,
    dataset: Any,
    forced: ForcedRoute,
    *,
    images: Sequence[str] | None = None,
    resize: tuple[int, int] | None = None,
    progress: bool = False,
) -> ForcedEffect:
    """Run a dataset's images as the network takes them, and under a forced route.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    dataset : dataset
        As of `routeviz.trace`; images that cannot be read are left out.
    forced : ForcedRoute
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
        found = rerun(net, reading.image, forced, label=label, ignore_index=dataset.ignore_index, resize=resize)
        rows.append({"id": reading.facts["id"]} | _row(found))
        if label is not None:
            tables.append([one.confusion for one in (found.before, found.after)])
        remarks.update(found.remarks)
    if not rows:
        raise DatasetError("no image could be read; give a dataset that holds some")
    before, after = None, None
    if np.any(tables):  # an image may have a label of ignored pixels alone
        before, after = (ClassCounts.of(np.array(side)) for side in zip(*tables, strict=True))
    return ForcedEffect(forced, pd.DataFrame(rows), dict(remarks.most_common()), before, after)


def _row(found: Rerun) -> dict[str, Any]:
    gates = np.nan_to_num(np.stack([found.before.gates, found.after.gates]))
    opened, opened_forced = open_paths(found.net.space, gates).sum(axis=1).tolist()
    row = {
        "changed": float(found.changed.mean()),
        "answers": int((~found.paths["forced"]).sum()),
        "open": opened,
        "open_forced": opened_forced,
        "miou": found.before.miou,
        "miou_forced": found.after.miou,
    }
    for convention in CONVENTIONS:
        row[f"macs_{convention}"], row[f"macs_{convention}_forced"] = found.macs(convention)
    return row
