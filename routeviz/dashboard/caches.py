"""Everything the dashboard keeps in memory, in one place and each with a bound, so that memory stays flat.

Large things are never hashed: caches are keyed by digests, paths with their time of change, and positions. Arguments
that begin with an underscore are passed along without being part of the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import filters, pictures, running, runs
from routeviz.dashboard.drawings import small
from routeviz.dashboard.filters import Evidence
from routeviz.dashboard.means import Mean, mean_of_log
from routeviz.dashboard.population import Population
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import LOG_FILE, Item, find
from routeviz.dashboard.table import Facts
from routeviz.datasets import Sample, open_dataset
from routeviz.errors import DatasetError
from routeviz.plots import Sheet, render_figure
from routeviz.routelog import RouteLog, load_log
from routeviz.space import RoutingSpace, architectures

if TYPE_CHECKING:
    from routeviz.costs import CostTable, TimeTable
    from routeviz.counterfactual import ForcedRoute, Front, Importance, Original, Rerun
    from routeviz.dashboard.spending import Spending
    from routeviz.network import RoutingNetwork
    from routeviz.stats import Figure, Prediction

Key = tuple[Any, ...]

OBJECT_FACTS = ("count", "median_area", "share_small", "share_medium", "share_large")


FRESH_S = 5
"""So long may what is new in a folder go unseen."""


@st.cache_resource(ttl=FRESH_S, max_entries=4, show_spinner=False)
def items(settings_text: str) -> list[Item]:
    """All logs, checkpoints and runs; looked for anew after `FRESH_S`."""
    return find(Settings.from_environment().folders)


@st.cache_resource(max_entries=4, show_spinner="Reading the route log")
def _log(path: str, stamp: Key) -> RouteLog:
    return load_log(path)


def log(item: Item) -> RouteLog:
    """Open the log of an item; raises LogError where it cannot be read."""
    return _log(str(item.path), item.stamp)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _made_by(path: str, stamp: Key) -> str | None:
    try:
        return json.loads(Path(path).joinpath(LOG_FILE).read_bytes())["source"]["checkpoint"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def made_by(item: Item) -> str | None:
    """Hash of the checkpoint that a log names, without opening it; None where it names none."""
    return _made_by(str(item.path), item.stamp)


@st.cache_resource(max_entries=4, show_spinner=False)
def facts(digest: str, _log: RouteLog) -> Facts:
    """Facts of each image that the screen can show or sort by: not the object facts of single classes, nor lists."""
    names = [str(name) for name in (_log.source.get("dataset") or {}).get("class_names", ())]
    of_classes = {f"objects_{fact}_{name}" for fact in OBJECT_FACTS for name in names}
    return Facts(
        _log, [column for column in _log.columns if column not in of_classes and not column.startswith("closed_")]
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def path_usage(digest: str, _log: RouteLog) -> pd.DataFrame:
    """Use of each path over a log's images."""
    from routeviz.stats import path_usage

    return path_usage(_log)


@st.cache_resource(max_entries=4, show_spinner=False)
def cell_usage(digest: str, _log: RouteLog) -> pd.DataFrame:
    """State and input of each cell over a log's images."""
    from routeviz.stats import cell_usage

    return cell_usage(_log)


@st.cache_resource(max_entries=8, show_spinner=False)
def figures(key: Key, _log: RouteLog) -> list[Figure]:
    """A log, or the part of it that ``key`` names, in figures."""
    from routeviz.stats import summary

    return summary(_log)


@st.cache_resource(max_entries=8, show_spinner=False)
def correlation(
    key: Key, of: str, facts: tuple[str, ...] | None, permutations: int, sequence: bool, _log: RouteLog
) -> pd.DataFrame:
    """How ``paths``, or the whole ``route``, go with facts; by default the scale of objects (InputError: unknown)."""
    from routeviz.stats import path_correlation, route_correlation

    test = path_correlation if of == "paths" else route_correlation
    return test(_log, facts=facts, permutations=permutations, sequence=sequence)


@st.cache_resource(max_entries=8, show_spinner=False)
def neighbour_likeness(key: Key, facts: tuple[str, ...] | None, _log: RouteLog) -> float:
    """How alike neighbouring images are in facts, as for `correlation`."""
    from routeviz.stats import neighbour_likeness

    return neighbour_likeness(_log, facts=facts)


@st.cache_resource(max_entries=8, show_spinner=False)
def prediction(key: Key, column: str, features: str, permutations: int, _log: RouteLog) -> Prediction:
    """How well a class is told from routes alone; raises InputError where a class has too few images."""
    from routeviz.stats import predict_groups

    return predict_groups(_log, _log.facts(column)[column], features=features, permutations=permutations)


@st.cache_resource(max_entries=8, show_spinner=False)
def rescaled(
    image: Key, how: running.How, factors: tuple[float, ...], _net: RoutingNetwork, _sample: Sample
) -> RouteLog:
    """Routes of one image at several sizes; ``image`` is that of `run_image`."""
    return running.rescaled(_net, _sample, how, factors)


@st.cache_resource(max_entries=2, show_spinner="Laying out the routes")
def population(digest: str, _log: RouteLog) -> Population:
    """The routes of a log, laid out so that any part of its images is described in little time."""
    return Population(_log)


@st.cache_resource(max_entries=8, show_spinner="Comparing routes with static architectures")
def nearest(digest: str, metric: str, _log: RouteLog) -> pd.DataFrame:
    """The static architecture that each image's route is nearest to."""
    from routeviz.stats import nearest_architecture

    return nearest_architecture(_log, metric=metric)


@st.cache_resource(max_entries=16, show_spinner="Counting the architectures' costs")
def architecture_costs(config: str, image_size: tuple[int, int], convention: str) -> pd.DataFrame:
    """MACs and parameters of the static architectures that fit a network of a configuration (JSON), by their keys."""
    from routeviz.costs import macs, parameters
    from routeviz.network import NetworkConfig, RoutingNetwork

    net = RoutingNetwork(NetworkConfig.from_dict(json.loads(config) | {"fixed_gates": None})).eval()
    routes = architectures(net.space)
    values = np.array([route.activations for route in routes.values()])
    return pd.DataFrame(
        {
            "macs": macs(net, values, image_size, convention=convention, with_gates=False),
            "parameters": [parameters(net, route) for route in routes.values()],
        },
        index=list(routes),
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def architecture_drawings(digest: str, theme: str, _space: RoutingSpace) -> dict[str, str]:
    """Each static architecture in a space as a small picture, a data URI, by its key."""
    return {name: small(route, theme=theme) for name, route in architectures(_space).items()}


@st.cache_resource(max_entries=64, show_spinner=False)
def passing(key: Key, conditions: tuple[str, ...], _evidence: Evidence) -> tuple[np.ndarray, list[str]]:
    """Which images of a collection meet some conditions, and which of these say nothing about them."""
    return filters.passing(conditions, _evidence)


@st.cache_resource(max_entries=256, show_spinner=False)
def _sha256(path: str, stamp: Key) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256(item: Item) -> str:
    """Hash of an item's file."""
    return _sha256(str(item.path), item.stamp)


def checkpoint_like(wanted: str, name: str, candidates: Sequence[Item]) -> Item | None:
    """Find the checkpoint of a hash; files of the name that the log recorded are read first."""
    for item in sorted(candidates, key=lambda item: item.path.name != name):
        if _sha256(str(item.path), item.stamp) == wanted:
            return item
    return None


@st.cache_resource(max_entries=3, show_spinner="Loading the checkpoint")
def _network(path: str, stamp: Key, settings: str) -> RoutingNetwork:
    return running.load(Path(path), json.loads(settings))


def network(item: Item, settings: str) -> RoutingNetwork:
    """Load the checkpoint of an item, in eval mode; ``settings`` is JSON. Raises CheckpointError where it cannot be."""
    return _network(str(item.path), item.stamp, settings)


@st.cache_resource(max_entries=8, show_spinner=False)
def dataset(name: str, root: str | None, split: str, options: str) -> Any:
    """Open a dataset; ``options`` is JSON. Raises DatasetError where its folder is not as it should be."""
    chosen = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(options).items()}
    return open_dataset(name, root, split, **chosen)


@st.cache_resource(max_entries=8, show_spinner=False)
def positions(key: Key, _dataset: Any) -> dict[str, int]:
    """Position of each id in a dataset."""
    return {id_: index for index, id_ in enumerate(_dataset.ids)}


@st.cache_resource(max_entries=8, show_spinner=False)
def dataset_facts(key: Key, _dataset: Any) -> pd.DataFrame:
    """What a dataset tells of each image without decoding it: ``id``, and its own facts."""
    rows = [{"id": id_, **_dataset.facts(index)} for index, id_ in enumerate(_dataset.ids)]
    return pd.DataFrame(rows, columns=None if rows else ["id"])


@st.cache_resource(max_entries=12, show_spinner=False)
def sample(key: Key, index: int, _dataset: Any) -> Sample:
    """Decode one image with its label; raises DatasetError where a file cannot be read, or may not be."""
    return _decoded(_dataset, index)


@st.cache_resource(max_entries=2000, show_spinner=False)
def thumbnail(key: Key, index: int, _dataset: Any) -> str:
    """One image of a dataset as a small data URI."""
    return pictures.thumbnail(_decoded(_dataset, index).image)


def _decoded(dataset: Any, index: int) -> Sample:
    settings = Settings.from_environment()
    for path in dataset.files(index) if hasattr(dataset, "files") else ():
        if not settings.may_read(path):
            raise DatasetError(f"the link {path} leads out of the folders that the dashboard was started with")
    return dataset[index]


@st.cache_resource(max_entries=64, show_spinner=False)
def run_image(image: Key, how: running.How, _net: RoutingNetwork, _image: np.ndarray) -> running.Pass:
    """Run a network on one image; ``image`` names the checkpoint, the dataset and the position."""
    return running.run(_net, _image, how)


@st.cache_resource(max_entries=8, show_spinner=False)
def features(image: Key, how: running.How, cell: int, _net: RoutingNetwork, _image: np.ndarray) -> np.ndarray | None:
    """What an open cell computes on one image, ``(channel, height, width)`` float32; None where it does not run."""
    return running.features(_net, _image, how, cell)


@st.cache_resource(max_entries=4, show_spinner="Running the network")
def original(
    image: Key, how: running.How, ignored: int | None, _net: RoutingNetwork, _image: np.ndarray, _label: np.ndarray
) -> Original:
    """One image's pass, kept to be run again under forced routes; ``image`` is that of `run_image`."""
    return running.original(_net, _image, how, label=_label, ignore_index=ignored)


@st.cache_resource(max_entries=32, show_spinner="Closing each path in turn")
def importance(
    image: Key, how: running.How, ignored: int | None, id_: str, _net: RoutingNetwork, _image: np.ndarray, _label: Any
) -> Importance:
    """What closing each path alone does to one image; ``image`` is that of `run_image`."""
    return running.importance(_net, _image, how, label=_label, ignore_index=ignored, name=id_)


@st.cache_resource(max_entries=4, show_spinner=False)
def kept_importance(digest: str, _log: RouteLog) -> Importance:
    """What `routeviz importance` kept, of which the log is a part."""
    from routeviz.counterfactual import load_importance

    return load_importance(_log.folder)


@st.cache_resource(max_entries=64, show_spinner=False)
def rerun(image: Key, how: running.How, forced: str, _original: Original, _forced: ForcedRoute) -> Rerun:
    """One image under a forced route, of which ``forced`` is the text."""
    return _original.rerun(_forced)


@st.cache_resource(max_entries=256, show_spinner=False)
def image_macs(image: Key, convention: str, _net: RoutingNetwork, _gates: np.ndarray, _size: tuple[int, int]) -> int:
    """MACs of one image's route."""
    from routeviz.costs import macs

    return int(macs(_net, _gates[None], _size, convention=convention)[0])


@st.cache_resource(max_entries=64, show_spinner=False)
def mean_route(key: Key, _log: RouteLog, _mask: np.ndarray) -> Mean:
    """Mean of some routes of a log; ``key`` names both."""
    return mean_of_log(_log, _mask)


@st.cache_resource(max_entries=16, show_spinner="Counting the network's costs")
def costs(config: str, image_size: tuple[int, int], convention: str) -> CostTable:
    """Cost table of a network configuration (JSON); weights make no difference to it."""
    from routeviz.costs import cost_table
    from routeviz.network import NetworkConfig, RoutingNetwork

    return cost_table(RoutingNetwork(NetworkConfig.from_dict(json.loads(config))).eval(), image_size, convention)


@st.cache_resource(max_entries=64, show_spinner="Drawing")
def preview(key: Key, _make: Callable[[], Sheet]) -> bytes:
    """A figure as it will be on paper, as a PNG for the screen; raises what its description raises."""
    return render_figure(_make(), formats=("png",), dpi=200)["png"]


@st.cache_resource(max_entries=4, show_spinner=False)
def training_run(folder: str, stamp: Key) -> runs.Run:
    """A training run's settings, metrics and checkpoints; raises InputError or LogError where they cannot be read."""
    return runs.read(Path(folder))


@st.cache_resource(max_entries=64, show_spinner="Running the checkpoints")
def routes_along(image: Key, how: running.How, _checkpoints: Sequence[Path], _image: np.ndarray) -> runs.Routes:
    """Routes of one image along a training; ``image`` names the checkpoints, the dataset and the position."""
    return runs.routes(_checkpoints, _image, how)


@st.cache_resource(max_entries=8, show_spinner=False)
def front(folder: str, stamp: Key) -> Front:
    """A budget front; raises InputError where it cannot be read."""
    from routeviz.counterfactual import load_front

    return load_front(folder)


@st.cache_resource(max_entries=4, show_spinner=False)
def drift(key: Key, _paths: Mapping[int, str]) -> runs.Drift:
    """Routes of the same images at every checkpoint; raises InputError where the logs are not of the same ones."""
    return runs.follow(_paths)


@st.cache_resource(max_entries=4, show_spinner="Measuring the time of every cell and path")
def times(config: str, image_size: tuple[int, int], seconds: float) -> tuple[TimeTable, float]:
    """Times of the parts of a network of a configuration (JSON) on this machine, and the R² that MACs (conv) explain.

    Weights make no difference to them.
    """
    from routeviz.costs import measure_times
    from routeviz.network import NetworkConfig, RoutingNetwork
    from routeviz.stats import fit_times

    net = RoutingNetwork(NetworkConfig.from_dict(json.loads(config))).eval()
    table = measure_times(net, image_size, rounds=20, seconds=seconds)
    return table, fit_times(table.parts).r2


@st.cache_resource(max_entries=4, show_spinner=False)
def spending(
    key: Key, config: str, how: running.How, image_size: tuple[int, int], convention: str, _log: RouteLog
) -> Spending:
    """What a log, or the part of it that ``key`` names, spends where in a network of a configuration (JSON)."""
    from routeviz.dashboard.spending import Spending

    return Spending(_log, json.loads(config), how, image_size, convention)


@st.cache_resource(max_entries=8, show_spinner=False)
def without_starved(images: Key, how: running.How, _net: RoutingNetwork, _dataset: Any) -> dict[str, Any]:
    """Some images with starved cells and without, in figures; ``images`` names checkpoint, dataset and positions."""
    from routeviz.counterfactual import without_starved

    return without_starved(_net, _dataset, resize=how.resize).summary()


def key_of(path: Path, stamp: Key) -> Key:
    """The key under which what a file gave is kept."""
    return (str(path), *stamp)
