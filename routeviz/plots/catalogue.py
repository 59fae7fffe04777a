"""The figures of a paper, each drawn from whatever is at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from routeviz.errors import InputError, place_of
from routeviz.plots.expense import plot_accuracy, plot_macs, plot_training_budget
from routeviz.plots.experts import plot_experts
from routeviz.plots.grouping import scale_groups
from routeviz.plots.importance import plot_importance
from routeviz.plots.lattices import plot_architectures, plot_route, plot_route_differences, plot_space
from routeviz.plots.likeness import plot_embedding, plot_similarity
from routeviz.plots.sheet import Sheet
from routeviz.plots.tried import plot_against_macs
from routeviz.plots.usage import plot_activations, plot_training_activations, plot_usage
from routeviz.quantities import count, of_rows
from routeviz.routelog import RouteLog, label_columns
from routeviz.space.kinds import is_lattice


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The images behind a log.

    Attributes
    ----------
    sample : function of str to Sample
        Image and label of an id; raises DatasetError where it cannot be read.
    segment : function of ndarray (H, W, 3) uint8 to ndarray (H, W), optional
        Class of each pixel, as the log's checkpoint gives it.
    class_names, class_colors
        Of labels and segmentation.
    """

    sample: Callable[[str], Any]
    segment: Callable[[np.ndarray], np.ndarray] | None = None
    class_names: Sequence[str] = ()
    class_colors: Sequence[Sequence[int]] = ()


@dataclass(frozen=True, kw_only=True)
class Material:
    """What figures can be drawn from; only the log is always there.

    Attributes
    ----------
    log : RouteLog
    name : str
        What the log is called where several are drawn.
    others : mapping of str to RouteLog
        Further logs over the same space, such as of other budgets.
    pictures : Pictures, optional
    image : str
        Id of the image whose route is drawn; the first one by default.
    runs : mapping of str to list of dict
        Metrics of training runs, as `routeviz.training.read_metrics` gives them; the first one made the log's network.
    steps : function, optional
        Gives the logs of that run's checkpoints over some images, by step.
    importance : function, optional
        Gives what closing each path alone changes over the log's images, as `routeviz.flag_paths` does.
    convention : str
        Of the MACs.
    by : str
        Column that groups the rows. By default the scale of objects does, or else the first column that names a class.
    """

    log: RouteLog
    name: str = "log"
    others: Mapping[str, RouteLog] = field(default_factory=dict)
    pictures: Pictures | None = None
    image: str = ""
    runs: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    steps: Callable[[], Mapping[int, RouteLog]] | None = None
    importance: Callable[[], pd.DataFrame] | None = None
    convention: str = "conv"
    by: str = ""

    @property
    def logs(self) -> RouteLog | dict[str, RouteLog]:
        """The log, or all logs by name."""
        return {self.name: self.log, **self.others} if self.others else self.log


@dataclass(frozen=True)
class Figure:
    """One figure of the catalogue.

    Attributes
    ----------
    name : str
        Of its files.
    title, caption : str
        Of a log over the lattice, whose rows are images; see `words`.
    call : str
        What draws it, with ``log`` for the route log.
    describe : function of Material to Sheet
        Raises InputError, saying what is missing, where it cannot be drawn.
    elsewhere : (str, str), optional
        Title and caption of a log over another space.
    """

    name: str
    title: str
    caption: str
    call: str
    describe: Callable[[Material], Sheet]
    elsewhere: tuple[str, str] | None = None

    def words(self, log: RouteLog) -> tuple[str, str]:
        """Title and caption in the words of a log's space and rows."""
        given = (self.title, self.caption) if is_lattice(log.space) else self.elsewhere or (self.title, self.caption)
        title, caption = (of_rows(text, log.rows_are) for text in given)
        return title, caption


def _space(material: Material) -> Sheet:
    return replace(plot_space.describe(material.log.space), width="text")


def _route(material: Material) -> Sheet:
    log, pictures = material.log, material.pictures
    ids = log.facts("id")["id"].tolist()
    if not ids:
        raise InputError(of_rows("a log without images; there is no route to draw", log.rows_are))
    route = log.route(place_of(material.image, ids, "the log") if material.image else 0)
    if pictures is None:
        return plot_route.describe(route)
    sample = pictures.sample(route.name)
    return plot_route.describe(
        route,
        image=sample.image,
        label=sample.label if len(pictures.class_colors) else None,
        prediction=pictures.segment(sample.image) if pictures.segment and len(pictures.class_colors) else None,
        class_names=pictures.class_names,
        class_colors=pictures.class_colors,
    )


def _macs(material: Material) -> Sheet:
    marks: dict[str, int] = {}
    with suppress(InputError):  # a space that holds no static architecture
        marks = import_module("routeviz.plots.networks").static_macs(material.log, convention=material.convention)
    return plot_macs.describe(material.logs, convention=material.convention, marks=marks)


def _accuracy(material: Material) -> Sheet:
    last = {
        name: [line for line in lines if line.get("kind") == "evaluation" and line.get("miou") is not None][-1:]
        for name, lines in material.runs.items()
    }
    rows = [
        {"name": name, "macs": line["macs"][material.convention]["avg"], "miou": line["miou"]}
        for name, lines in last.items()
        for line in lines
    ]
    log, convention = material.log, material.convention
    if not rows and _model(log) and "accuracy" in log.columns:
        by = next((name for name in ("role", *label_columns(log)) if name in log.columns), None)
        return plot_against_macs.describe(log, "accuracy", by=by, convention=convention)
    if not rows and _model(log):
        raise InputError("this log has no column accuracy; rv.plot_against_macs draws any other number of its rows")
    if not rows:
        raise InputError("accuracy of networks needs their training runs, with an evaluation in each")
    return plot_accuracy.describe(pd.DataFrame(rows), convention=material.convention)


def _similarity(material: Material) -> Sheet:
    if material.others:
        return plot_similarity.describe(material.logs)
    of_classes = any(name.startswith("objects_count_") for name in material.log.columns)
    return plot_similarity.describe(material.log, by="classes" if of_classes and not material.by else _groups(material))


def _embedding(material: Material) -> Sheet:
    by = material.by or None
    with suppress(InputError):  # without scales, clusters have the colours
        by = by or scale_groups(material.log)
    pictures = material.pictures
    shown = None if pictures is None else lambda name: pictures.sample(name).image
    return plot_embedding.describe(material.log, by=by, pictures=shown)


def _groups(material: Material) -> Any:
    """What groups the rows of a log: see `Material.by`."""
    log = material.log
    if material.by:
        return material.by
    labels = label_columns(log)
    try:
        return scale_groups(log)
    except InputError:
        if labels:
            return labels[0]
        if not _model(log):
            raise
    raise InputError("no column of this log names a class for each row; add one as it is recorded: add(label=labels)")


def _model(log: RouteLog) -> str:
    """What the model is called that a log was recorded from; empty where a routing network was traced."""
    return str(log.source.get("model") or "")


def _trained(log: RouteLog) -> None:
    """Raise InputError where a log is of a network that routeviz cannot have trained."""
    if model := _model(log):
        raise InputError(f"this log was recorded from a {model}, of whose training routeviz knows nothing")


def _training_activations(material: Material) -> Sheet:
    _trained(material.log)
    if material.steps is None:
        raise InputError("activations along training need the run that made the checkpoint, and the log's pictures")
    return plot_training_activations.describe(material.steps())


def _training_budget(material: Material) -> Sheet:
    _trained(material.log)
    if not material.runs:
        raise InputError("costs along training need a training run")
    return plot_training_budget.describe(material.runs)


def _importance(material: Material) -> Sheet:
    if model := _model(material.log):
        words = "whose paths only its own program can close, with rv.close_paths"
        raise InputError(f"this log was recorded from a {model}, {words}")
    if material.importance is None:
        raise InputError("this log holds no importance of paths: run routeviz importance, which keeps a log that does")
    log, convention = material.log, material.convention
    title = f"Closing each path alone, {count(len(log), log.rows_are)}"
    return plot_importance.describe(log.space, material.importance(), convention=convention, title=title)


def _experts(material: Material) -> Sheet:
    log = material.log
    named = (name for name in label_columns(log) if log.facts(name)[name].notna().all())
    return plot_experts.describe(log, by=material.by or next(named, None))


FIGURES = {
    figure.name: figure
    for figure in (
        Figure(
            "routing_space",
            "Routing space",
            "The routing space: candidate paths up, keep and down, told apart by dash.",
            'rv.plot_space(log.space, width="text")',
            _space,
            ("Routing space", "The routing space: its cells, and every path that may be open."),
        ),
        Figure(
            "route",
            "Route of one image",
            "One image, its labels, its segmentation and its route.",
            "rv.plot_route(log.route(row), image=image, label=label, prediction=prediction, class_names=names, "
            "class_colors=colors)",
            _route,
            ("Route of one image", "The route of one image."),
        ),
        Figure(
            "route_differences",
            "Routes by scale",
            "Routes of images with small, large and both sizes of objects: the paths that at least half of a group's "
            "images open. Red: what the groups do not share. Where the dataset does not name scales, they are thirds "
            "of the images by the share of labelled pixels in small objects.",
            "rv.plot_route_differences(log, by=rv.scale_groups(log))",
            lambda m: plot_route_differences.describe(m.log, by=_groups(m)),
            (
                "Routes of groups",
                "Routes of groups of images: the paths that at least half of a group's images open. Red: what the "
                "groups do not share.",
            ),
        ),
        Figure(
            "architectures",
            "Static architectures",
            "Static architectures as fixed routes of the routing space.",
            "rv.plot_architectures(log.space)",
            lambda m: plot_architectures.describe(m.log.space),
        ),
        Figure(
            "usage",
            "Use of paths",
            "Mean activation of each path, and share of images that open it, by layer, scale and move.",
            "rv.plot_usage(log)",
            lambda m: plot_usage.describe(m.log),
            ("Use of paths", "Mean activation of each path, and share of images that open it."),
        ),
        Figure(
            "activations",
            "Distribution of activations",
            "Distribution of the activations in each layer, over all images that reach their cells.",
            "rv.plot_activations(log)",
            lambda m: plot_activations.describe(m.logs),
        ),
        Figure(
            "macs",
            "MACs of images",
            "MACs of the images' routes with average, maximum and minimum, above those of the static architectures in "
            "the same network, without gates.",
            "rv.plot_macs(log, marks=rv.static_macs(log))",
            _macs,
            ("MACs of images", "MACs of the images' routes with average, maximum and minimum."),
        ),
        Figure(
            "accuracy",
            "Accuracy against MACs",
            "mIoU of trained networks at their last evaluation, against their average MACs; the dashed line joins "
            "those that no other beats in both.",
            "rv.plot_accuracy(networks)",
            _accuracy,
            ("Accuracy against MACs", "Accuracy of each image against its MACs."),
        ),
        Figure(
            "similarity",
            "Similarity of routes",
            "Weighted Jaccard similarity of routes, mean over all pairs of different images of two groups.",
            'rv.plot_similarity(log, by="classes")',
            _similarity,
        ),
        Figure(
            "embedding",
            "Routes in two dimensions",
            "Routes by the first two principal components of their activations, and the most typical image of each "
            "of three clusters (k-means).",
            "rv.plot_embedding(log, by=rv.scale_groups(log), pictures=image_of)",
            _embedding,
        ),
        Figure(
            "training_activations",
            "Activations along training",
            "Mean activation by layer, and share of open paths by move, at each checkpoint of a run.",
            "rv.plot_training_activations(logs)",
            _training_activations,
        ),
        Figure(
            "training_budget",
            "Expected and real MACs",
            "Expected MACs, which the budget steers, and real MACs, which an image costs, along training.",
            "rv.plot_training_budget(metrics)",
            _training_budget,
        ),
        Figure(
            "importance",
            "Importance of paths",
            "Share of the pixels whose class changes when a path alone is closed. Dashed, with a cross: paths that are "
            "costly, often open and useless.",
            "rv.plot_importance(found.space, rv.flag_paths(found.table()))",
            _importance,
        ),
        Figure(
            "experts",
            "Use of experts",
            "Use of experts, branches or channel groups: load, the share of what a layer is given that each takes; "
            "share of each class's images that open it; which of neighbouring layers are open together, and how much "
            "oftener than by chance (lift).",
            "rv.plot_experts(log, by=column)",
            _experts,
        ),
    )
}
"""The figures by name, in the order of a paper."""
