"""Images whose routes are looked at: those of a route log, or those of a dataset that a checkpoint runs on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from routeviz.dashboard import caches, running
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import OWN_SUFFIX, Item
from routeviz.dashboard.table import Facts
from routeviz.dashboard.uploads import checkpoints_of
from routeviz.dashboard.words import explain
from routeviz.datasets import Sample
from routeviz.errors import DatasetError
from routeviz.quantities import of_rows
from routeviz.routelog import RouteLog
from routeviz.space import RoutingSpace

if TYPE_CHECKING:
    from routeviz.counterfactual import ForcedRoute, Importance, Original, Rerun
    from routeviz.network import RoutingNetwork

AS_THEY_ARE = running.How()
PROCEDURAL = "scenes"
DIGITS = "digits"


@dataclass(frozen=True, kw_only=True, eq=False)
class Collection:
    """Images, what is known of each, and what can be done with them.

    Attributes
    ----------
    key : tuple
        What caches know it by.
    space : RoutingSpace
    facts : DataFrame, or Facts, which is used like one
        One row an image: ``id``, and what is known before anything is computed.
    log : RouteLog or None
        Where the routes are read from; without one the checkpoint computes them.
    dataset : dataset or None
        Where the pictures are read from, with its key; without one, `no_pictures` says what to do.
    checkpoint : Item or None
        What segments; without one, `no_network` says what to do.
    class_names, class_colors, ignore_index
        Of the labels and the segmentation.
    network_config, network_settings : str
        JSON: the network's configuration, and as much of it as its checkpoint may not say itself.
    how : How
        How images enter the network.
    """

    key: caches.Key
    space: RoutingSpace
    facts: pd.DataFrame | Facts
    log: RouteLog | None = None
    dataset: Any = None
    dataset_key: caches.Key = ()
    no_pictures: str = ""
    checkpoint: Item | None = None
    no_network: str = ""
    class_names: Sequence[str] = ()
    class_colors: Sequence[Sequence[int]] = ()
    ignore_index: int | None = None
    network_config: str = ""
    network_settings: str = "{}"
    how: running.How = AS_THEY_ARE

    def sample(self, row: int) -> Sample | None:
        """Picture and label of an image; None where the pictures are not at hand. Raises DatasetError on a bad file."""
        index = self.index(row)
        return None if index is None else caches.sample(self.dataset_key, index, self.dataset)

    def index(self, row: int) -> int | None:
        """Position in the dataset of the image in a row of `facts`; None where the dataset does not have it."""
        if self.dataset is None:
            return None
        positions = caches.positions(self.dataset_key, self.dataset)
        # A token's row names the image that it is of.
        names = [self.facts[column].iat[row] for column in ("id", "image") if column in self.facts]
        return next((positions[name] for name in names if name in positions), None)

    @property
    def missing(self) -> str:
        """What to do where nothing can be run: for the checkpoint, else for the pictures."""
        return self.no_network if self.checkpoint is None else self.no_pictures

    @property
    def recorded(self) -> str:
        """What the model is called that the log was recorded from; empty where a routing network was traced."""
        return str((self.log.source if self.log is not None else {}).get("model") or "")

    @property
    def rows_are(self) -> str:
        """What is looked at, in the plural: images, or what the log's rows are."""
        return "images" if self.log is None else self.log.rows_are

    def say(self, text: str) -> str:
        """Say of the rows of this log what a text says of images."""
        return of_rows(text, self.rows_are)

    def explain(self, term: str) -> str:
        """The explanation of a word on the screen, in the words of this space and these rows."""
        return explain(term, self.space, self.rows_are)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width of most of the images, as they enter the network; None where it is not known."""
        if self.how.resize is not None:
            return self.how.resize
        if "height" in self.facts and len(self.facts):
            sizes = self.facts[["height", "width"]].groupby(["height", "width"]).size()
            return tuple(int(end) for end in sizes.idxmax())
        sample = self.sample(0) if len(self.facts) else None
        return None if sample is None else sample.image.shape[:2]

    def run(self, row: int) -> running.Pass | None:
        """Route and segmentation of an image, computed now; None where the picture or the checkpoint is not at hand."""
        sample = self.sample(row)
        if sample is None or self.checkpoint is None:
            return None
        return caches.run_image(self._image_key(row), self.how, self.network(), sample.image)

    def features(self, row: int, cell: int) -> np.ndarray | None:
        """What an open cell computes on an image, ``(channel, height, width)``; None where it cannot be computed."""
        sample = self.sample(row)
        if sample is None or self.checkpoint is None:
            return None
        return caches.features(self._image_key(row), self.how, cell, self.network(), sample.image)

    def original(self, row: int) -> Original | None:
        """An image's pass, kept to be run again under forced routes; None where it cannot be computed."""
        sample = self.sample(row)
        if sample is None or self.checkpoint is None:
            return None
        net = self.network()
        label = running.label_for(net, self.dataset, sample)
        return caches.original(self._image_key(row), self.how, self.ignore_index, net, sample.image, label)

    def importance(self, row: int) -> Importance | None:
        """What closing each path alone does to an image: kept, or computed now; None where it cannot be."""
        kept = self.kept_importance()
        if kept is not None:
            return kept.select([row])
        sample = self.sample(row)
        if sample is None or self.checkpoint is None:
            return None
        net = self.network()
        label = running.label_for(net, self.dataset, sample)
        key, id_ = self._image_key(row), self.facts["id"].iat[row]
        return caches.importance(key, self.how, self.ignore_index, id_, net, sample.image, label)

    @property
    def keeps_importance(self) -> bool:
        """Whether the log holds what closing each path alone does to its images."""
        return self.log is not None and "closed_kl" in self.log.columns

    def kept_importance(self) -> Importance | None:
        """What closing each path alone does to all images, where the log holds it."""
        if not self.keeps_importance:
            return None
        return caches.kept_importance(self.log.digest, self.log)

    def rescaled(self, row: int, factors: tuple[float, ...]) -> RouteLog | None:
        """The routes of an image at several sizes; None where they cannot be computed."""
        sample = self.sample(row)
        if sample is None or self.checkpoint is None:
            return None
        return caches.rescaled(self._image_key(row), self.how, factors, self.network(), sample)

    def rerun(self, row: int, forced: ForcedRoute) -> Rerun | None:
        """An image under a forced route; None where it cannot be computed."""
        original = self.original(row)
        if original is None:
            return None
        return caches.rerun(self._image_key(row), self.how, forced.to_text(), original, forced)

    def command(self, name: str) -> list[str]:
        """Words of a command, such as trace, that sends these images through the checkpoint, but for its own."""
        data = (self.log.source if self.log is not None else {}).get("dataset") or {}
        recorded = (*map(data.get, ("name", "root", "split")), json.dumps(data.get("options") or {}))
        dataset, root, split, options = self.dataset_key or recorded
        words = ["routeviz", name, str(self.checkpoint.path), "--dataset", str(dataset or "folder")]
        for flag, value in (("--root", root), ("--split", split)):
            words += [flag, value] if value is not None else []
        for option, value in json.loads(options).items():
            words += ["--option", f"{option}={json.dumps(value)}"]
        if self.how.resize is not None:
            words += ["--resize", "{}x{}".format(*self.how.resize)]
        return words + self.gate_flag()

    def gate_flag(self) -> list[str]:
        """What a command is told of the checkpoint's gates, where its file does not say it."""
        small_gate = json.loads(self.network_settings).get("small_gate")
        if self.checkpoint.path.suffix == OWN_SUFFIX or small_gate is None:
            return []
        return ["--small-gate" if small_gate else "--full-gate"]

    def without_starved(self, rows: Sequence[int]) -> dict[str, Any] | None:
        """Some images with starved cells and without, as `Starvation.summary` tells it; None where nothing is run."""
        if self.dataset is None or self.checkpoint is None:
            return None
        key = (*self._image_key(rows[0]), *(self.index(row) for row in rows))
        return caches.without_starved(key, self.how, self.network(), _Some(self, rows))

    def network(self) -> RoutingNetwork:
        """The checkpoint's network."""
        return caches.network(self.checkpoint, self.network_settings)

    def gates(self, row: int) -> np.ndarray:
        """Activations of an image, ``(path,)``: logged, or computed now."""
        # Of a stored log one shard is read, not all gates.
        return self.log.select([row]).gates[0] if self.log is not None else self.run(row).gates

    def about(self, row: int, convention: str) -> dict[str, Any]:
        """Facts of one image: those of its row, and without a log what its route and segmentation tell now."""
        known = self.facts.iloc[row].to_dict()
        if self.log is not None:
            return known
        sample, (gates, prediction) = self.sample(row), self.run(row)
        size = self.how.resize or sample.image.shape[:2]
        cost = caches.image_macs(self._image_key(row), convention, self.network(), gates, size)
        known |= {f"macs_{convention}": cost, "height": size[0], "width": size[1]}
        label = running.label_for(self.network(), self.dataset, sample)
        if label is not None:
            known |= running.scores(label, prediction, self.class_names, self.ignore_index)
        return known

    def _image_key(self, row: int) -> caches.Key:
        checkpoint = caches.key_of(self.checkpoint.path, self.checkpoint.stamp)
        return (*checkpoint, self.network_settings, *self.dataset_key, self.index(row))


class _Some:
    """Some images of a collection as a dataset; each is read as for the screen, which asks whether it may be."""

    def __init__(self, collection: Collection, rows: Sequence[int]) -> None:
        self._collection, self._rows = collection, rows
        self.class_names, self.ignore_index = collection.dataset.class_names, collection.dataset.ignore_index

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        sample = self._collection.sample(self._rows[index])
        if sample is None:
            raise DatasetError(self._collection.no_pictures)
        return sample


def of_log(item: Item, shelf: Sequence[Item], settings: Settings) -> Collection:
    """The images of a route log, with whatever of its dataset and checkpoint lies in the folders that may be read."""
    log = caches.log(item)
    source = log.source
    data, made_by, network = (source.get(part) or {} for part in ("dataset", "checkpoint", "network"))
    dataset, dataset_key, no_pictures = _pictures(data, settings)
    if log.rows_are == "architectures":
        dataset, dataset_key, no_pictures = None, (), "An architecture has no picture."
    checkpoint, no_network = None, "The log names no checkpoint, so there is no segmentation."
    if model := source.get("model"):
        no_network = (
            f"This log was recorded from a {model}, which only its own program runs: nothing is run again here. "
            "To see what other routes do, force them in that program with rv.force_paths, record it again, and compare "
            "the two logs; rv.close_paths says there what closing each path changes."
        )
    if made_by.get("sha256"):
        candidates = [other for other in shelf if other.kind == "checkpoint"] + checkpoints_of(item)
        checkpoint = caches.checkpoint_like(made_by["sha256"], made_by.get("file", ""), candidates)
        no_network = (
            f"No segmentation: the checkpoint {made_by.get('file')} is in none of the folders given."
            if checkpoint is None
            else "No segmentation without the picture."
        )
    return Collection(
        key=("log", log.digest),
        space=log.space,
        facts=caches.facts(log.digest, log),
        log=log,
        dataset=dataset,
        dataset_key=dataset_key,
        no_pictures=no_pictures,
        checkpoint=checkpoint,
        no_network=no_network,
        class_names=data.get("class_names") or network.get("class_names") or (),
        class_colors=data.get("class_colors") or network.get("class_colors") or (),
        ignore_index=data.get("ignore_index"),
        network_config=json.dumps(network, sort_keys=True) if network else "",
        network_settings=json.dumps(network, sort_keys=True),
        how=_how(source.get("settings") or {}),
    )


def of_checkpoint(
    item: Item, name: str, split: str, settings: Settings, *, small_gate: bool | None = None
) -> Collection:
    """The images of a dataset, whose routes a checkpoint computes when they are looked at.

    Raises DatasetError or CheckpointError where one of the two cannot be read.
    """
    network_settings = json.dumps({"small_gate": small_gate})
    net = caches.network(item, network_settings)
    root = settings.roots.get(name)
    dataset, key = _open(name, root, split, {})
    return Collection(
        key=("checkpoint", *caches.key_of(item.path, item.stamp), *key),
        space=net.space,
        facts=caches.dataset_facts(key, dataset),
        dataset=dataset,
        dataset_key=key,
        checkpoint=item,
        class_names=net.config.class_names or dataset.class_names,
        class_colors=net.config.class_colors or dataset.class_colors,
        ignore_index=dataset.ignore_index,
        network_config=json.dumps(net.config.to_dict(), sort_keys=True),
        network_settings=network_settings,
    )


def dataset_names(settings: Settings) -> list[str]:
    """Datasets of scenes whose pictures can be read: those whose folder was given, and the one that needs none."""
    return [*settings.roots, PROCEDURAL]


def _pictures(data: dict[str, Any], settings: Settings) -> tuple[Any, caches.Key, str]:
    name = data.get("name")
    if not name:
        return None, (), "The log does not say which dataset its images are from."
    root = _root(name, data.get("root"), settings)
    if root is None and name not in (PROCEDURAL, DIGITS):
        return None, (), f"To see the pictures, start the dashboard with --root {name}=FOLDER."
    try:
        dataset, key = _open(name, root, data.get("split") or "val", data.get("options") or {})
    except DatasetError as error:
        return None, (), str(error)
    return dataset, key, "This image is not in the dataset's folder."


def _how(settings: dict[str, Any]) -> running.How:
    resize, route = settings.get("resize"), settings.get("route")
    return running.How(tuple(resize) if resize else None, tuple(route["activations"]) if route else None)


def _root(name: str, recorded: str | None, settings: Settings) -> Path | None:
    """The folder given for a dataset, or the recorded one where it lies in a folder that may be read."""
    if name in settings.roots:
        return settings.roots[name]
    return Path(recorded) if recorded and settings.may_read(Path(recorded)) else None


def _open(name: str, root: Path | None, split: str, options: dict[str, Any]) -> tuple[Any, caches.Key]:
    key = (name, None if root is None else str(root), split, json.dumps(options, sort_keys=True))
    return caches.dataset(*key), key
