"""The budget front: what a trained network's accuracy and MACs become as more and more of its paths are closed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.network import RoutingNetwork, thresholded_network
from routeviz.network.digest import weights_digest
from routeviz.stats import front_verdict, pareto_front
from routeviz.writing import whole_file

FRONT_FILE = "front.json"
POINTS = "points"
FORMAT, SCHEMA = "routeviz front", 1
UNSWEPT = "as-trained"
KINDS = ("trained", "threshold", "greedy", "other")
"""Of points: the network as it was trained, under one threshold, with paths closed greedily; another network."""

Thresholds = float | Sequence[float]


@dataclass(frozen=True, eq=False)
class Front:
    """Points of one network, each another setting of its thresholds; see `budget_front`.

    Attributes
    ----------
    settings : dict
        What the points depend on: weights, network, dataset, resize, and how paths were ranked.
    points : DataFrame
        One row a point, the network as trained first: ``name``; ``kind``, one of `KINDS`; ``threshold``, of all paths
        (NaN where each has its own); ``closed``, number of paths closed for all images by the greedy rounds; ``open``,
        paths open for an image, mean; ``images``; ``miou`` of all images together in [0, 1], ``miou_low`` and
        ``miou_high`` (95 % bootstrap over images); ``difference``, ``difference_low`` and ``difference_high``, mIoU
        less that of the network as trained, with its paired interval; ``macs_conv``, ``macs_fvcore`` and
        ``macs_released``, mean over images.
    thresholds : dict of str to float or tuple of float
        Of each point, as `NetworkConfig` takes them; other networks have none.
    """

    settings: dict[str, Any]
    points: pd.DataFrame
    thresholds: dict[str, float | tuple[float, ...]]

    def table(self, convention: str = "conv") -> pd.DataFrame:
        """The points by MACs, with ``saved``, share of the MACs as trained, and ``efficient``: no point beats it."""
        column = f"macs_{convention}"
        if column not in self.points:
            raise InputError(f"unknown convention {convention!r}; valid: conv, fvcore, released")
        table = self.points.copy()
        own = np.flatnonzero(table.kind != "other")
        best = own[pareto_front(table[column].to_numpy(float)[own], table.miou.to_numpy(float)[own])]
        table["saved"] = 1 - table[column] / table[column].iloc[0]
        table["efficient"] = np.isin(np.arange(len(table)), best)
        return table.sort_values([column, "name"], ascending=False, kind="stable", ignore_index=True)

    def verdict(self, convention: str = "conv") -> list[str]:
        """What the front buys, in sentences; see `routeviz.stats.front_verdict`."""
        return front_verdict(self.points, convention=convention)

    def network(self, net: RoutingNetwork, name: str) -> RoutingNetwork:
        """The network of a point: that which was swept, with the point's thresholds.

        Parameters
        ----------
        net : RoutingNetwork
            As it was trained; it is left as it is.
        name : str
            Of a point.

        Raises
        ------
        InputError
            If there is no such point, it is another network's, or the weights are not those that were swept.
        """
        if name not in self.thresholds:
            raise InputError(f"there is no point {name!r} to write; there are {', '.join(self.thresholds)}")
        if weights_digest(net) != self.settings["weights"]:
            raise InputError("this front is of other weights; give the checkpoint that it was made with")
        return thresholded_network(net, self.thresholds[name])


def load_front(folder: str | Path) -> Front:
    """Read a front, finished or not.

    Parameters
    ----------
    folder : path
        That `budget_front` wrote.

    Raises
    ------
    InputError
        If the folder holds none, or not one that can be read.
    """
    data = read_front(Path(folder))
    if data is None:
        raise InputError(f"{folder} holds no front: it has no {FRONT_FILE}; make one: routeviz front")
    rows = [record["figures"] for record in data["points"]]
    if not rows:
        raise InputError(f"the front in {folder} has no point yet; wait for its first one, or go on with it")
    points = pd.DataFrame(rows)
    points[["threshold", "closed"]] = points[["threshold", "closed"]].astype(float)
    thresholds = {record["figures"]["name"]: record["open_threshold"] for record in data["points"]}
    return Front(
        data["settings"],
        points,
        {name: _as_setting(value) for name, value in thresholds.items() if value is not None},
    )


def read_front(folder: Path) -> dict[str, Any] | None:
    """Content of a front's file; None where there is none. Raises InputError where it is damaged or another's."""
    path = folder / FRONT_FILE
    try:
        data = json.loads(path.read_bytes())
        if (data["format"], data["schema"]) != (FORMAT, SCHEMA):
            raise InputError(f"{path} is of format {data['format']!r}, schema {data['schema']}; make the front again")
        if not all(isinstance(data[key], kind) for key, kind in _PARTS.items()):
            raise ValueError("a part is missing")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({' '.join(str(error).split())}); make the front again") from None
    return data


def write_front(folder: Path, data: Mapping[str, Any]) -> None:
    """Write a front's file, whole or not at all."""
    with whole_file(folder / FRONT_FILE) as draft:
        draft.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def new_front(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Content of the file of a front without points."""
    return {"format": FORMAT, "schema": SCHEMA, "settings": dict(settings), "rounds": [], "points": []}


_PARTS = {"settings": dict, "rounds": list, "points": list}


def _as_setting(value: float | list[float]) -> float | tuple[float, ...]:
    return tuple(value) if isinstance(value, list) else value
