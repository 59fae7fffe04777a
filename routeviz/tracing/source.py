"""Where a log comes from: everything that its rows depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from routeviz import __version__
from routeviz.errors import InputError
from routeviz.network import RoutingNetwork
from routeviz.network.digest import weights_digest
from routeviz.network.forcing import NamedRoute
from routeviz.routelog import SCHEMA


def source_of(
    net: RoutingNetwork, dataset: Any, *, resize: tuple[int, int] | None, route: Any, forced: np.ndarray | None
) -> dict[str, Any]:
    """Describe a trace before its first image.

    Parameters
    ----------
    net : RoutingNetwork
    dataset : dataset
    resize : (height, width), optional
    route : Route, ForcedRoute or other, optional
        As given, for its name.
    forced : ndarray, (path,), optional
        Its activations; NaN asks the gate.

    Returns
    -------
    dict
        checkpoint, weights (SHA-256 of the weights as they are now), network, dataset, settings, routeviz and schema.
    """
    ids = getattr(dataset, "ids", None)
    root = getattr(dataset, "root", None)
    return {
        "checkpoint": getattr(net, "provenance", None),
        "weights": weights_digest(net),
        "network": net.config.to_dict(),
        "dataset": {
            "name": getattr(dataset, "name", type(dataset).__name__),
            "root": None if root is None else str(root),
            "split": getattr(dataset, "split", None),
            "options": dict(getattr(dataset, "options", None) or {}),
            "class_names": list(dataset.class_names),
            "class_colors": [list(color) for color in getattr(dataset, "class_colors", ())],
            "ignore_index": dataset.ignore_index,
            "ids_sha256": None if ids is None else _ids_digest(ids),
        },
        "settings": {
            "execution": net.execution,
            "resize": None if resize is None else list(resize),
            "route": None
            if forced is None
            else {
                "name": route.name if isinstance(route, NamedRoute) else "",
                "activations": [None if np.isnan(value) else float(value) for value in forced],
            },
        },
        "routeviz": __version__,
        "schema": SCHEMA,
    }


def _ids_digest(ids: Sequence[str]) -> str:
    if len(set(ids)) < len(ids):
        raise InputError(f"the dataset has {len(ids)} images but {len(set(ids))} ids; give each image its own")
    return hashlib.sha256("\n".join(ids).encode("utf-8", "surrogateescape")).hexdigest()
