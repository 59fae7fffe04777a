"""Edge importance: what closing each path alone does to images, kept for every image, and over a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from routeviz.costs import CONVENTIONS
from routeviz.counterfactual.chosen import Chosen
from routeviz.counterfactual.closing import Closings, close_each
from routeviz.errors import InputError, LogError, place_of
from routeviz.metrics import mean_iou_of
from routeviz.network import RoutingNetwork
from routeviz.network.forcing import RouteLike, forced_gates
from routeviz.routelog import RouteLog, load_log
from routeviz.routelog.log import rows_of
from routeviz.space import RoutingSpace, open_paths
from routeviz.tracing.recorder import Recorder
from routeviz.tracing.source import source_of
from routeviz.tracing.trace import record

CLOSES, EACH_PATH = "closes", "each path"
"""The setting that tells a log of importance from others."""

SHARDS = 256
"""A kill costs at most one shard, and an image takes as long as a hundred do in a trace."""


@dataclass(frozen=True, eq=False)
class Importance:
    """What closing each path alone does to images.

    Attributes
    ----------
    space : RoutingSpace
    images : DataFrame
        Facts, one row an image, as in a route log: ``id``, ``height``, ``width``, ``macs_conv``, ``miou``, ...
    gates : ndarray, (image, path) float32
        Of the original; NaN where the cell is unreached. Closing a path changes nothing where this is 0.
    kl, changed : ndarray, (image, path) float64
        See `Closings`.
    macs : dict of str to ndarray, (image, 1 + path) int64
        By convention, of the original first.
    hits, labelled, predicted : ndarray, (image, 1 + path, class) int64, or None
        What an IoU is made of, of the original first; all 0 for an image without a label, None where none has one.
    source : dict
        Where it comes from, as in a route log.
    """

    space: RoutingSpace
    images: pd.DataFrame
    gates: np.ndarray
    kl: np.ndarray
    changed: np.ndarray
    macs: Mapping[str, np.ndarray]
    hits: np.ndarray | None = None
    labelled: np.ndarray | None = None
    predicted: np.ndarray | None = None
    source: Mapping[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def opens(self) -> np.ndarray:
        """Paths that are open, ``(image, path)`` bool."""
        return open_paths(self.space, np.nan_to_num(self.gates))

    def select(self, index: Any) -> Importance:
        """The same for some images; index and errors as of `RouteLog.select`."""
        rows = rows_of(index, len(self))
        counts = {name: self._counts(name, rows) for name in ("hits", "labelled", "predicted")}
        return Importance(
            self.space,
            self.images.iloc[rows].reset_index(drop=True),
            self.gates[rows],
            self.kl[rows],
            self.changed[rows],
            {name: values[rows] for name, values in self.macs.items()},
            source=self.source,
            **counts,
        )

    def image(self, id_: str) -> Importance:
        """The same for one image, by its id; raises InputError where there is none of this id."""
        return self.select([place_of(id_, self.images["id"].tolist(), "the log")])

    def miou_changes(self) -> np.ndarray:
        """Change of each image's own mIoU, ``(image, path)`` float64; NaN where it has no label."""
        if self.hits is None:
            return np.full(self.kl.shape, np.nan)
        own = mean_iou_of(self.hits, self.labelled, self.predicted)
        return own[:, 1:] - own[:, :1]

    def miou_change(self) -> np.ndarray:
        """Change of the mIoU over all images, from counts that are added up first, ``(path,)``; NaN without labels."""
        if self.hits is None:
            return np.full(self.space.n_paths, np.nan)
        whole = mean_iou_of(*(counts.sum(axis=0) for counts in (self.hits, self.labelled, self.predicted)))
        return whole[1:] - whole[0]

    def miou(self) -> float | None:
        """The mIoU over all images with every path as it is, in [0, 1]; None without labels."""
        if self.hits is None:
            return None
        return float(mean_iou_of(*(counts[:, 0].sum(axis=0) for counts in (self.hits, self.labelled, self.predicted))))

    def table(self) -> pd.DataFrame:
        """Describe every path over the images.

        Returns
        -------
        DataFrame
            One row a path, in the space's order: ``path`` (short name), ``layer``, ``scale``, ``move``,
            ``target_layer``, ``target_scale``; ``open``, share of images that open it; ``activation``, mean, 0 where
            its cell is unreached. What closing it does, means over all images (0 where its activation is): ``kl`` in
            nats, ``changed`` as a share of pixels, and the change of ``macs_conv``, ``macs_fvcore``, ``macs_released``.
            The same where it is open, NaN where it never is: ``kl_open``, ``changed_open``, and ``saved_conv``,
            ``saved_fvcore``, ``saved_released``, saved MACs as a share of those of the images that open it. Of labelled
            images: ``miou``, change of the mIoU over all of them, and ``miou_images``, mean change of each one's own.
        """
        space, opens = self.space, self.opens
        n_open = opens.sum(axis=0)

        def where_open(values: np.ndarray, by: np.ndarray = n_open) -> np.ndarray:
            total = np.where(opens, values, 0).sum(axis=0)
            return np.divide(total, by, out=np.full(len(total), np.nan), where=n_open > 0)

        table = space.paths.assign(
            open=opens.mean(axis=0),
            activation=np.nan_to_num(self.gates).mean(axis=0, dtype=np.float64),
            kl=self.kl.mean(axis=0),
            changed=self.changed.mean(axis=0),
            kl_open=where_open(self.kl),
            changed_open=where_open(self.changed),
            miou=self.miou_change(),
            miou_images=_mean_known(self.miou_changes()),
        )
        table.insert(0, "path", space.path_names)
        for name, counts in self.macs.items():
            own, closed = counts[:, :1], counts[:, 1:]
            table[f"macs_{name}"] = (closed - own).mean(axis=0)
            table[f"saved_{name}"] = where_open(own - closed, np.where(opens, own, 0).sum(axis=0))
        return table

    def _counts(self, name: str, rows: np.ndarray) -> np.ndarray | None:
        values = getattr(self, name)
        return None if values is None else values[rows]


def importance(
    net: RoutingNetwork,
    dataset: Any,
    *,
    images: Sequence[str] | None = None,
    out: str | Path | None = None,
    resize: tuple[int, int] | None = None,
    route: RouteLike | None = None,
    workers: int = 1,
    shard_size: int | None = None,
    progress: bool = False,
) -> Importance:
    """Measure what closing each path alone does to the images of a dataset.

    For every image and every path that it opens: how far the class probabilities move, which pixels change their class,
    the mIoU where there is a label, and MACs. All other gates are asked as usual, so that those further on may answer
    otherwise. What comes before a path is computed once, and what comes behind it for several paths at a time:
    `run_closed`.

    Parameters
    ----------
    net : RoutingNetwork
        Used where it is (CPU or GPU), in eval mode.
    dataset : dataset
        As for `routeviz.trace`; an image that cannot be read is skipped.
    images : sequence of str, optional
        Ids of the images to take; by default all.
    out : path, optional
        Folder to keep it in, a route log of the images with further columns: `load_importance` opens it as what it is,
        `load_log` as any log. Killed at any moment and called again with the same settings, it goes on where it was,
        and the bytes are those of an undisturbed run.
    resize, route, workers, progress
        As for `routeviz.trace`.
    shard_size : int, optional
        Images per shard; a kill costs at most one shard. By default a 256th of the images.

    Returns
    -------
    Importance

    Raises
    ------
    InputError
        If the dataset is empty or lacks an image, a setting cannot be used, or the route does not fit the network.
    LogError
        If the folder cannot be used, or holds something else; if no image can be read.
    """
    if images is not None:
        dataset = Chosen(dataset, images)
    if len(dataset) == 0:
        raise InputError("there are no images; give at least one")
    if workers < 0 or (resize is not None and min(resize) < 1):
        raise InputError(f"workers {workers}, resize {resize}; give at least 0 and 1x1")
    forced = None if route is None else forced_gates(route, net.space, 1, None)[0].numpy()
    source = source_of(net, dataset, resize=resize, route=route, forced=forced)
    source["settings"][CLOSES] = EACH_PATH
    log = record(
        net,
        dataset,
        lambda: _ClosingRecorder(net, dataset, forced),
        source,
        what="closing paths",
        out=out,
        resize=resize,
        batch_size=1,
        workers=workers,
        shard_size=shard_size or max(1, -(-len(dataset) // SHARDS)),
        progress=progress,
    )
    return _of_log(log)


def load_importance(folder: str | Path) -> Importance:
    """Open what `importance` kept in a folder; raises LogError where it holds something else, or not all of it."""
    log = load_log(folder)
    if not is_importance(log.source):
        raise LogError(
            f"{folder} is a route log without importance of paths; give the folder that routeviz importance wrote"
        )
    return _of_log(log)


def is_importance(source: Mapping[str, Any]) -> bool:
    """Whether the log of a source holds importance of paths."""
    return (source.get("settings") or {}).get(CLOSES) == EACH_PATH


def image_importance(space: RoutingSpace, closings: Closings, facts: Mapping[str, Any]) -> Importance:
    """One image's closings as `Importance`; ``facts`` hold its ``id`` and whatever else is known."""
    row = facts | _columns(closings)
    return _of_rows(space, closings.gates[None], pd.DataFrame([row]))


class _ClosingRecorder(Recorder):
    """Records of each image, beside all that a trace does, what closing each of its paths does."""

    def measure(
        self, images: torch.Tensor, labels: list[np.ndarray | None]
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None, dict[str, Any]]]:
        for image, label in zip(images, labels, strict=True):
            found = close_each(self.net, image, label=label, ignore_index=self.ignore_index, route=self.forced)
            yield found.gates, found.confusion, _columns(found)


def _columns(found: Closings) -> dict[str, Any]:
    """One image's closings as columns of a log: lists over paths, or over paths and then classes."""
    columns = {"closed_kl": found.kl, "closed_changed": found.changed}
    columns |= {f"closed_macs_{name}": counts for name, counts in found.macs.items()}
    if found.confusion is not None:
        columns |= {"closed_hits": found.hits.ravel(), "closed_predicted": found.predicted.ravel()}
        columns["closed_labelled"] = found.confusion.sum(axis=1)
    return columns


def _of_log(log: RouteLog) -> Importance:
    return _of_rows(log.space, log.gates, log.images, log.source)


def _of_rows(
    space: RoutingSpace, gates: np.ndarray, rows: pd.DataFrame, source: Mapping[str, Any] | None = None
) -> Importance:
    """Inverse of `_columns`."""
    counts: dict[str, np.ndarray] = {}
    if "closed_labelled" in rows:
        known = rows["closed_labelled"].notna().to_numpy()
        n_classes = len(rows["closed_labelled"][known].iloc[0])
        counts = {name: np.zeros((len(rows), 1 + space.n_paths, n_classes), np.int64) for name in ("hits", "predicted")}
        for name, values in counts.items():
            values[known] = np.stack(rows[f"closed_{name}"][known].to_list()).reshape(-1, *values.shape[1:])
        labelled = np.zeros((len(rows), n_classes), np.int64)
        labelled[known] = np.stack(rows["closed_labelled"][known].to_list())
        counts["labelled"] = np.broadcast_to(labelled[:, None], counts["hits"].shape)
    own = [name for name in rows if not name.startswith("closed_")]
    return Importance(
        space,
        rows[own],
        gates,
        np.stack(rows["closed_kl"].to_list()),
        np.stack(rows["closed_changed"].to_list()),
        {name: np.stack(rows[f"closed_macs_{name}"].to_list()) for name in CONVENTIONS},
        source=source,
        **counts,
    )


def _mean_known(values: np.ndarray) -> np.ndarray:
    """Mean over the rows that are known, ``(image, path) -> (path,)``; NaN where none is."""
    known = ~np.isnan(values)
    n_known = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.divide(total, n_known, out=np.full(len(total), np.nan), where=n_known > 0)
