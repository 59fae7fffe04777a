"""What the figures of a log can be drawn from, brought together from the files that a command is given."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routeviz.errors import DatasetError, InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from routeviz.plots.catalogue import Material, Pictures
    from routeviz.routelog import RouteLog

HINTS = {
    "accuracy": ": give --run for each network",
    "training_activations": ": give --run and --root",
    "training_budget": ": give --run",
}
"""What to give for a figure that lacks its run; follows the reason why it is left out."""


def hint(name: str, material: Material) -> str:
    """What to give for a figure that is left out; nothing where a run is given, or can have made no such log."""
    return "" if material.runs or material.log.source.get("model") else HINTS.get(name, "")


def gather_material(
    path: Path,
    runs: Sequence[Path],
    root: Path | None,
    checkpoint: Path | None,
    *,
    others: Sequence[Path] = (),
    image: str = "",
    convention: str = "conv",
    by: str = "",
) -> tuple[Material, list[str]]:
    """Bring together what figures can be drawn from, and say what some of them will lack.

    Parameters
    ----------
    path : Path
        The route log.
    runs, others : sequence of Path
        Training runs, of which the first made the checkpoint; other logs.
    root : Path, optional
        The dataset's folder, where the log's own does not hold.
    checkpoint : Path, optional
        What was traced; by default it is looked for in the first run.
    image, convention, by : str
        As of `Material`.

    Returns
    -------
    material : Material
    notes : list of str

    Raises
    ------
    InputError
        If something given is not what it should be, such as another checkpoint than was traced.
    """
    from routeviz.counterfactual import flag_paths, is_importance, load_importance
    from routeviz.plots.catalogue import Material
    from routeviz.plots.networks import trace_steps
    from routeviz.routelog import load_log
    from routeviz.training import checkpoint_paths, read_config, read_metrics

    log = load_log(path)
    if checkpoint and (model := log.source.get("model")):
        raise InputError(f"this log was recorded from a {model}, which no checkpoint is of; leave out --checkpoint")
    for run in runs:
        read_config(run)
    steps = checkpoint_paths(runs[0]) if runs else {}
    dataset, notes = log_dataset(log, root)
    pictures, resize = None, (log.source.get("settings") or {}).get("resize")
    if dataset is not None:
        found = _checkpoint(log, checkpoint, list(steps.values()))
        if found is None and not log.source.get("model"):
            notes.append("pictures have no segmentation: give --checkpoint with the file that was traced")
        pictures = _pictures(log, dataset, found)

    def importance() -> pd.DataFrame:
        return flag_paths(load_importance(path).table(), convention=convention)

    return Material(
        log=log,
        name=path.resolve().name,
        others={other.resolve().name: load_log(other) for other in others},
        pictures=pictures,
        image=image,
        runs={run.resolve().name: read_metrics(run) for run in runs},
        steps=(lambda: trace_steps(steps, dataset, resize=resize and tuple(resize))) if dataset and steps else None,
        importance=importance if is_importance(log.source) else None,
        convention=convention,
        by=by,
    ), notes


def log_dataset(log: RouteLog, root: Path | None) -> tuple[Any, list[str]]:
    """The log's dataset, where its pictures are at hand; and what is to be said of that."""
    from routeviz.datasets import open_dataset

    made_of = log.source.get("dataset") or {}
    if log.rows_are == "architectures":
        return None, []
    if not made_of.get("name"):
        if root is not None:
            raise InputError("this log does not say which dataset its images are from; leave out --root")
        return None, ["the route has no pictures: this log does not say which dataset its images are from"]
    place = root or made_of.get("root")
    try:
        return open_dataset(made_of["name"], place, made_of.get("split") or "val", **(made_of.get("options") or {})), []
    except (DatasetError, InputError):
        if root is not None:
            raise
        return None, [f"the route has no pictures: give --root with the folder of {made_of['name']}"]


def _checkpoint(log: RouteLog, given: Path | None, candidates: Sequence[Path]) -> Path | None:
    """The file that was traced, known by its hash."""
    wanted = (log.source.get("checkpoint") or {}).get("sha256")
    for path in [given] if given else candidates[::-1]:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == wanted:
                return path
    if given:
        raise InputError(f"{given} is not the checkpoint that was traced: its SHA-256 is not {wanted}")
    return None


def _pictures(log: RouteLog, dataset: Any, checkpoint: Path | None) -> Pictures:
    import numpy as np

    from routeviz.network import load_checkpoint
    from routeviz.plots.catalogue import Pictures
    from routeviz.plots.networks import segment

    rows = {id_: row for row, id_ in enumerate(dataset.ids)}
    if "image" in log.columns:  # rows are tokens, which say which image they are of
        known = log.facts("id", "image")
        rows |= {id_: rows[image] for id_, image in zip(known["id"], known["image"], strict=True) if image in rows}
    made_by, settings = log.source.get("network") or {}, log.source.get("settings") or {}
    forced = settings.get("route")

    def sample(id_: str) -> Any:
        if id_ not in rows:
            raise InputError(f"the image {id_} of the log is not in the dataset's folder")
        return dataset[rows[id_]]

    def segmented(image: np.ndarray) -> np.ndarray:
        route = None if forced is None else np.array(forced["activations"], float)
        size = settings.get("resize")
        net = load_checkpoint(checkpoint, small_gate=made_by.get("small_gate"))
        return segment(net, image, resize=size and tuple(size), route=route)

    return Pictures(
        sample=sample,
        segment=None if checkpoint is None else segmented,
        class_names=dataset.class_names,
        class_colors=dataset.class_colors,
    )
