"""A log in figures, each with its unit and its definition in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import entropy

from routeviz.quantities import of_rows, percent, quantity
from routeviz.routelog import RouteLog
from routeviz.routelog.log import SIZE
from routeviz.stats.dynamics import PERMUTATIONS, image_groups, mutual_information
from routeviz.stats.usage import cell_usage, path_usage, route_counts

MACS = {"macs_conv": "conv", "macs_fvcore": "fvcore", "macs_released": "released"}
"""Columns of a log that hold MACs, and their convention."""

EXPECTED = "expected_macs_released"

LEVEL = 0.05
"""What a p-value is below where a path is said to tell something."""


@dataclass(frozen=True)
class Figure:
    """One number about a log.

    Attributes
    ----------
    key : str
        Name for scripts.
    name : str
        Name for people.
    value : int or float
    unit : str
        ``"images"``, ``"share"`` (0 to 1), ``"bits"``, ``"MACs, <convention>"`` and so on.
    definition : str
        What was counted, in words.
    topic : str
        What it is about; figures of one topic stand together.
    """

    key: str
    name: str
    value: float
    unit: str
    definition: str
    topic: str = ""

    @property
    def convention(self) -> str:
        """In which MACs are counted; empty where it is not about MACs."""
        return self.unit.rpartition(", ")[2] if self.key.startswith(tuple(MACS)) else ""

    @property
    def text(self) -> str:
        """The value as people read it: a share in percent, MACs with their unit."""
        if self.unit.startswith("share"):
            return percent(self.value)
        if self.unit.startswith("MACs"):
            return quantity(self.value)
        return f"{self.value:,}" if isinstance(self.value, int) else f"{self.value:,.3f}"


def summary(log: RouteLog) -> list[Figure]:
    """Describe a log in figures.

    Parameters
    ----------
    log : RouteLog
        MACs are described where its images have them.

    Returns
    -------
    list of Figure

    Raises
    ------
    InputError
        If the log has no images.
    """
    topics = {
        "How dynamic is it?": (_routes, _paths, _information, _varying),
        "What runs": (_cells,),
        "What it costs": (_macs,),
    }
    return [
        _worded(replace(figure, topic=topic), log.rows_are)
        for topic, parts in topics.items()
        for describe in parts
        for figure in describe(log)
    ]


def _worded(figure: Figure, rows: str) -> Figure:
    """A figure in the words of a log whose rows are no images."""
    name = figure.name
    if rows == "architectures":  # an architecture decides nothing: it is what was decided
        name = name.replace("decided by the image", "that differ between images")
    return replace(
        figure, name=of_rows(name, rows), unit=of_rows(figure.unit, rows), definition=of_rows(figure.definition, rows)
    )


def _routes(log: RouteLog) -> Iterator[Figure]:
    counts = route_counts(log)
    yield Figure("images", "images", len(log), "images", "images in the log")
    yield Figure(
        "distinct_routes",
        "distinct routes",
        len(counts),
        "routes",
        "different sets of open paths; never more than there are images",
    )
    yield Figure(
        "effective_routes",
        "effective number of routes",
        float(np.exp(entropy(counts))),
        "routes",
        "exp of the Shannon entropy of the routes' frequencies: so many equally frequent routes would be as diverse; "
        "too low as long as new images take new routes",
    )
    yield Figure(
        "new_route",
        "next image on a new route",
        float((counts == 1).sum() / len(log)),
        "share",
        "share of the images whose route no other image takes: the Good-Turing estimate of the chance that one more "
        "image takes a route not seen yet",
    )
    yield Figure(
        "top_route",
        "most frequent route",
        float(counts[0] / len(log)),
        "share",
        "share of the images that take this one route",
    )


def _paths(log: RouteLog) -> Iterator[Figure]:
    usage, n = path_usage(log), len(log)
    share = usage.open.to_numpy()
    yield Figure(
        "open_paths", "open paths", float(share.mean()), "share", "share of all paths that are open, mean over images"
    )
    yield Figure(
        "decided_paths",
        "paths decided by the image",
        int(((share > 0) & (share < 1)).sum()),
        "paths",
        "paths that are open for some images and not for others",
    )
    yield Figure("always_open", "paths always open", int((share == 1).sum()), "paths", "paths open for every image")
    yield Figure("never_open", "paths never open", int((share == 0).sum()), "paths", "paths open for no image")
    yield Figure(
        "gate_entropy",
        "entropy of a gate",
        float(usage.entropy.mean()),
        "bits",
        "entropy over images of whether a path is open, mean over paths: 0 if images agree, 1 if they split evenly",
    )
    if n > 1:
        yield Figure(
            "route_distance",
            "distance of two routes",
            float((2 * share * (1 - share)).mean() * n / (n - 1)),
            "share",
            "share of paths that are open in one route only, mean over all pairs of images",
        )


def _information(log: RouteLog) -> Iterator[Figure]:
    whose = {
        "scale class": "the class of scale that the dataset gives the image",
        "object scale": "the median area of the image's objects, in thirds of the images",
        "classes": "whether the image holds a class, mean over classes",
    }
    for theme, groups in image_groups(log).items():
        table = mutual_information(log, groups)
        key = theme.replace(" ", "_")
        yield Figure(
            f"information_{key}",
            f"gates and {theme}",
            float(table.bits.mean()) if len(table) else 0.0,
            "bits",
            f"mutual information of whether a path is open and {whose[theme]}; mean over the paths decided by the "
            "image, as any other tells nothing; biased upward, to be held against the next figure",
        )
        yield Figure(
            f"information_{key}_chance",
            f"gates and {theme}, by chance",
            float(table.chance.mean()) if len(table) else 0.0,
            "bits",
            f"the same with the images shuffled, mean over {PERMUTATIONS} shuffles: what no relation at all would give",
        )
        yield Figure(
            f"paths_telling_{key}",
            f"paths that tell {theme}",
            int(table[table.p < LEVEL].path.nunique()),
            "paths",
            f"paths whose mutual information is beyond chance: p < {LEVEL} of the largest of all paths in a shuffle "
            "(max-statistic), with images taken as independent",
        )


def _varying(log: RouteLog) -> Iterator[Figure]:
    size = [name for name in ("height", "width", SIZE) if name in log.columns]
    counted = [column for column in MACS if column in log.columns]
    facts = log.facts(*size, *counted)
    sizes = facts.groupby(size).ngroup() if size else np.zeros(len(log))
    for column, convention in MACS.items():
        if column in counted:
            of_size = facts[column].astype(float).groupby(np.asarray(sizes))
            most = of_size.transform("max")
            yield Figure(
                f"{column}_varying",
                "MACs that vary",
                float(((most - of_size.transform("min")) / most.where(most != 0, 1)).mean()),
                f"share, {convention}",
                "share of the most expensive image's MACs that the cheapest one of the same size does without; mean "
                "over images, so that differences of size do not count",
            )


def _cells(log: RouteLog) -> Iterator[Figure]:
    usage, space = cell_usage(log), log.space
    passes = space.passes.any() or space.bypass
    closed = "pass their input on unchanged" if passes else "open none of their paths"
    for state, meaning in (
        ("open", "share of all cells whose operation runs, mean over images"),
        ("closed", f"share of all cells that are reached and {closed}, mean over images"),
        ("unreached", "share of all cells to which nothing is sent, mean over images"),
    ):
        yield Figure(f"{state}_cells", f"{state} cells", float(usage[state].mean()), "share", meaning)
    if not space.zeros:  # no cell is sent anything but what comes of the image
        return
    reached = 1 - usage.unreached.sum() / len(usage)
    yield Figure(
        "starved_cells",
        "starved cells",
        float(usage.zeros.mean() / reached),
        "share",
        "share of the reached cells, over all images, to which only zeros are sent",
    )
    yield Figure(
        "image_blind_cells",
        "image-blind cells",
        float(usage.image_blind.mean() / reached),
        "share",
        "share of the reached cells, over all images, whose input holds nothing of the image: starved, or fed by "
        "starved cells alone",
    )


def _macs(log: RouteLog) -> Iterator[Figure]:
    known = [column for column in (*MACS, EXPECTED) if column in log.columns]
    facts = log.facts(*known)
    for column, convention in MACS.items():
        if column not in known:
            continue
        macs, unit = facts[column].to_numpy(np.float64), f"MACs, {convention}"
        yield Figure(f"{column}_mean", "MACs, average", float(macs.mean()), unit, "mean over images")
        yield Figure(f"{column}_max", "MACs, maximum", int(macs.max()), unit, "of the most expensive image")
        yield Figure(f"{column}_min", "MACs, minimum", int(macs.min()), unit, "of the cheapest image")
        yield Figure(f"{column}_std", "MACs, spread", float(macs.std()), unit, "standard deviation over images")
    if EXPECTED in known:
        yield Figure(
            f"{EXPECTED}_mean",
            "expected MACs, average",
            float(facts[EXPECTED].mean()),
            "MACs, released",
            "cells weighted by their largest activation, paths by theirs, without stem, gates and decoder: what the "
            "budget of training steers, not what is computed",
        )
