"""What figures show that takes a network to find out: costs of static architectures, routes along training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from routeviz.costs import macs
from routeviz.network import NetworkConfig, RoutingNetwork, load_checkpoint
from routeviz.network.logits import classes_at
from routeviz.routelog import RouteLog
from routeviz.space import architectures
from routeviz.tracing import trace


def static_macs(log: RouteLog, *, convention: str = "conv") -> dict[str, int]:
    """Count the MACs of every static architecture in a log's network, without gates.

    Parameters
    ----------
    log : RouteLog
        Traced, so that it says how its network is built.
    convention : str

    Returns
    -------
    dict of str to int
        By the architecture's name, for the size that most of the log's images have; nothing where the log does not say
        how its network is built, or how large its images are.
    """
    config = log.source.get("network")
    if not config or not {"height", "width"} <= {*log.columns}:
        return {}
    net = RoutingNetwork(NetworkConfig.from_dict(config | {"fixed_gates": None})).eval()
    size = log.facts("height", "width").value_counts().index[0]
    return {
        route.name: int(macs(net, route.activations[None], size, convention=convention, with_gates=False)[0])
        for route in architectures(log.space).values()
    }


def trace_steps(
    checkpoints: Mapping[int, Path],
    dataset: Any,
    *,
    images: int = 8,
    most: int = 8,
    resize: tuple[int, int] | None = None,
) -> dict[int, RouteLog]:
    """Record the routes that a few images take at the checkpoints of a run.

    Parameters
    ----------
    checkpoints : mapping of step to path
        As `routeviz.training.checkpoint_paths` gives them.
    dataset : dataset
    images, most : int
        How many images, spread evenly over the dataset, through how many checkpoints, spread evenly over the steps.
    resize : (height, width), optional
        As of `routeviz.trace`.

    Returns
    -------
    dict of int to RouteLog
        By step.
    """
    few = _Few(dataset, spread(range(len(dataset)), images))
    steps = spread(sorted(checkpoints), most)
    return {step: trace(load_checkpoint(checkpoints[step]), few, resize=resize, workers=0) for step in steps}


def spread(items: Iterable[int], most: int) -> list[int]:
    """At most so many of some items, evenly spread, the first and the last among them."""
    items = list(items)
    if len(items) <= most:
        return items
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, most)]


def segment(
    net: RoutingNetwork, image: np.ndarray, *, resize: tuple[int, int] | None = None, route: np.ndarray | None = None
) -> np.ndarray:
    """Segment one image as a trace does it.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode.
    image : ndarray, (H, W, 3) uint8 RGB
    resize : (height, width), optional
    route : ndarray, (path,), optional
        Activations to use instead of the gates'; NaN asks the gate.

    Returns
    -------
    ndarray, (H, W)
        Class of each pixel of the image as it was given.
    """
    size = image.shape[:2]
    if resize is not None:
        image = np.asarray(Image.fromarray(image).resize(resize[::-1], Image.Resampling.BILINEAR))
    with torch.inference_mode():
        return classes_at(net(net.preprocess(image)[None], route=route).logits, size)[0]


class _Few:
    """Some images of a dataset, as a dataset."""

    def __init__(self, dataset: Any, rows: list[int]) -> None:
        self._dataset, self._rows = dataset, rows
        self.ids = [dataset.ids[row] for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        return self._dataset[self._rows[index]]

    def facts(self, index: int) -> dict[str, Any]:
        return self._dataset.facts(self._rows[index])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)
