"""Greedy closing: which paths to close next, for all images, by what closing each alone does and saves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from routeviz.counterfactual.closing import close_each
from routeviz.errors import DatasetError
from routeviz.network import RoutingNetwork
from routeviz.tracing.reading import Reading


def next_closed(net: RoutingNetwork, readings: Iterable[Reading], *, goal: float) -> dict[int, dict[str, float]]:
    """Choose the paths whose closing does least for what it saves, until they save enough together.

    Each path is closed alone, on every image; what several do together can be more or less than the sum.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode, with the thresholds so far.
    readings : iterable of Reading
        Images to choose on; their labels are not looked at.
    goal : float
        MACs (conv) an image to be saved, by the sum of what each path alone saves.

    Returns
    -------
    dict of int to dict
        By path, in the order of choice: ``kl``, in nats, mean over images and pixels, and ``saved``, MACs (conv), mean
        over images. Empty where no closing saves anything.

    Raises
    ------
    DatasetError
        If there is no image.
    """
    kl, saved, n_images = np.zeros(net.space.n_paths), np.zeros(net.space.n_paths), 0
    device = next(net.parameters()).device
    for reading in readings:
        found = close_each(net, net.preprocess(reading.image).to(device))
        kl += found.kl
        saved += found.macs["conv"][0] - found.macs["conv"][1:]
        n_images += 1
    if not n_images:
        raise DatasetError("no image to rank paths on could be read; give a dataset that holds some")
    kl, saved = kl / n_images, saved / n_images
    useful = np.flatnonzero(saved > 0)
    chosen: dict[int, dict[str, float]] = {}
    for path in useful[np.argsort(kl[useful] / saved[useful], kind="stable")].tolist():
        chosen[path] = {"kl": float(kl[path]), "saved": float(saved[path])}
        if sum(one["saved"] for one in chosen.values()) >= goal:
            break
    return chosen
