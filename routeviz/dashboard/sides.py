"""What two sides of a comparison are: a route, or the mean of several, with what it costs; no widgets."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from routeviz.dashboard import caches, running
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.facts import own_means
from routeviz.dashboard.means import Mean, mean_of
from routeviz.dashboard.shelf import Item
from routeviz.errors import InputError
from routeviz.quantities import count
from routeviz.space import Route, RoutingSpace, architecture, route_distance

HALF = 0.5
ROUNDED = 1e-5  # what batches of other sizes round differently
MOST_RUN = 24
MOST_DIFFERING = 10
KEPT_FACTS = ("id", "file", "scale_class")


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One of the two that are compared.

    Attributes
    ----------
    name : str
        What the screen calls it.
    space : RoutingSpace
    mean : Mean
        Of one route: its activations, and 0 or 1.
    n_images : int
        0 for an architecture.
    macs, miou : float
        Of the image, or the mean over images; NaN where not known.
    facts : mapping of str to float
        Numbers that whoever recorded the log gave its rows: of the row, or their mean.
    rows : str
        What the rows of its log are.
    note : str
        What has to be said about the numbers.
    row : int, optional
        Of the image in its collection.
    """

    name: str
    space: RoutingSpace
    mean: Mean
    n_images: int = 1
    macs: float = math.nan
    miou: float = math.nan
    facts: Mapping[str, float] = field(default_factory=dict)
    rows: str = "images"
    note: str = ""
    row: int | None = None

    @property
    def is_open(self) -> np.ndarray:
        """Paths that at least half of the images open, ``(path,)`` bool."""
        return self.mean.opens >= HALF

    @property
    def route(self) -> Route:
        """The mean activations of the paths that at least half of the images open, as a route."""
        return Route(self.space, np.where(self.is_open, self.mean.activations, 0), name=self.name)


def of_image(collection: Collection, row: int, convention: str, source: str = "") -> Side:
    """One image's route, named with its `source`; raises RoutevizError where it has to be computed and cannot be."""
    if collection.log is None and collection.sample(row) is None:
        raise InputError(f"the route of {collection.facts['id'].iat[row]} has to be computed: {collection.no_pictures}")
    facts = collection.about(row, convention)
    gates = collection.gates(row)
    return Side(
        name=f"{facts['id']}{source}",
        space=collection.space,
        mean=mean_of(collection.space, gates[None]),
        macs=facts.get(f"macs_{convention}", math.nan),
        miou=facts.get("miou", math.nan),
        facts=own_means(collection.facts.iloc[[row]]),
        rows=collection.rows_are,
        row=row,
    )


def of_group(collection: Collection, mask: np.ndarray, name: str, convention: str) -> Side:
    """The mean of some of a log's images."""
    if not mask.any():
        raise InputError(collection.say(f"no image is in the group {name}; ask for less"))
    facts, log = collection.facts[mask], collection.log
    mean = caches.mean_route((log.digest, hashlib.sha256(mask.tobytes()).hexdigest()), log, mask)
    macs, miou = (facts[name].mean() if name in facts else math.nan for name in (f"macs_{convention}", "miou"))
    return Side(
        name=name,
        space=collection.space,
        mean=mean,
        n_images=len(facts),
        macs=macs,
        miou=miou,
        facts=own_means(facts),
        rows=log.rows_are,
        note=f"mean of {count(len(facts), log.rows_are)}; a path counts as open where at least half of them open it",
    )


def of_checkpoint(collection: Collection, name: str, convention: str, *, progress: Callable[[float], None]) -> Side:
    """The mean of some images that a checkpoint runs now, spread evenly over the dataset."""
    total = len(collection.facts)
    rows = np.unique(np.linspace(0, total - 1, min(total, MOST_RUN)).astype(int))
    sides = []
    for done, row in enumerate(rows):
        progress(done / len(rows))
        sides.append(of_image(collection, int(row), convention))
    mean = Mean(*(np.mean([getattr(side.mean, part) for side in sides], axis=0) for part in Mean._fields))
    scores = [side.miou for side in sides if not math.isnan(side.miou)]
    note = f"mean of {len(rows)} of {total:,} images, spread evenly and run now"
    return Side(
        name=name,
        space=collection.space,
        mean=mean,
        n_images=len(rows),
        macs=float(np.mean([side.macs for side in sides])),
        miou=float(np.mean(scores)) if scores else math.nan,
        note=f"{note}; routeviz trace records all" if len(rows) < total else note,
    )


def of_architecture(collection: Collection, key: str, convention: str) -> Side:
    """A static architecture in a collection's space; its MACs are those at the size of the collection's images."""
    route = architecture(collection.space, key)
    macs, note = math.nan, "MACs are not known: the log does not say how the network is built"
    size = collection.image_size
    if collection.network_config and size is not None:
        macs = float(caches.architecture_costs(collection.network_config, size, convention)["macs"][key])
        note = f"a fixed route computes no gates; MACs at {size[1]} × {size[0]} and this network's width"
    mean = mean_of(collection.space, route.activations[None])
    return Side(name=route.name, space=collection.space, mean=mean, n_images=0, macs=macs, note=note)


def under(collection: Collection, item: Item) -> Collection:
    """The same images under another checkpoint, which computes their routes when they are looked at."""
    if collection.recorded:
        raise InputError(collection.say("no checkpoint runs an image of a recorded log: choose a route log"))
    settings = json.dumps({"small_gate": None})
    net = caches.network(item, settings)
    facts = collection.facts
    return replace(
        collection,
        key=("under", *caches.key_of(item.path, item.stamp), *collection.key),
        space=net.space,
        facts=facts[[name for name in KEPT_FACTS if name in facts]],
        log=None,
        checkpoint=item,
        network_config=json.dumps(net.config.to_dict(), sort_keys=True),
        network_settings=settings,
        how=running.How(collection.how.resize),
    )


def comparable(one: RoutingSpace, other: RoutingSpace) -> bool:
    """Whether two spaces have the same cells and paths, whatever their channels."""
    return one.path_names == other.path_names and np.array_equal(one.target, other.target)


def distance(left: Side, right: Side, metric: str) -> float:
    """Distance of two sides' mean activations (jaccard), or of the paths that half of their images open (hamming)."""
    sides = [side.mean.activations if metric == "jaccard" else side.route.activations for side in (left, right)]
    one, other = (Route(left.space, np.clip(values, 0, 1)) for values in sides)
    return route_distance(one, other, metric=metric)


def differing(left: Side, right: Side, most: int = MOST_DIFFERING) -> pd.DataFrame:
    """The paths whose activations are furthest apart.

    Columns: path, left, right and difference (right - left) of the mean activation, open_left and open_right (shares).
    """
    gap = right.mean.activations.astype(float) - left.mean.activations
    order = np.argsort(-np.abs(gap), kind="stable")[:most]
    table = pd.DataFrame(
        {
            "path": np.array(left.space.path_names)[order],
            "left": left.mean.activations[order],
            "right": right.mean.activations[order],
            "difference": gap[order],
            "open_left": left.mean.opens[order],
            "open_right": right.mean.opens[order],
        }
    )
    return table[table["difference"].abs() > ROUNDED].reset_index(drop=True)


def group_name(conditions: Sequence[str], rows: str = "images") -> str:
    """Words for the rows that meet some conditions."""
    return "; ".join(conditions) or f"all {rows}"


def names_apart(names: Iterable[str]) -> tuple[str, str]:
    """Two names that differ: equal ones are told apart by their side."""
    left, right = names
    return (left, right) if left != right else (f"{left} (left)", f"{right} (right)")
