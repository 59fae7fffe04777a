"""Sweeping a trained network's thresholds over a labelled dataset, point by point, each kept when it is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from routeviz.costs import CONVENTIONS
from routeviz.counterfactual.front import POINTS, UNSWEPT, Front, load_front, new_front, read_front, write_front
from routeviz.counterfactual.greedy import next_closed
from routeviz.errors import InputError, LogError
from routeviz.network import RoutingNetwork, thresholded_network
from routeviz.progress import Bar
from routeviz.routelog import RouteLog
from routeviz.routelog.header import plain
from routeviz.space import OPEN_THRESHOLD, open_paths
from routeviz.stats import counts_of, miou_difference, miou_interval
from routeviz.tracing.reading import Reader, Reading
from routeviz.tracing.recorder import Recorder
from routeviz.tracing.source import source_of
from routeviz.tracing.trace import record

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8)
ROUNDS, SHARE, RANKED = 12, 0.01, 16
RESAMPLES = 1999
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_GREEDY = "greedy-{:02d}"
_OWN = (UNSWEPT, "threshold-", "greedy-")


class Plan(NamedTuple):
    """A point before it is evaluated; ``open_threshold`` is None for another network."""

    name: str
    kind: str
    net: RoutingNetwork
    open_threshold: float | tuple[float, ...] | None
    threshold: float | None = None
    closed: int | None = None


def budget_front(
    net: RoutingNetwork,
    dataset: Any,
    *,
    out: str | Path,
    thresholds: Sequence[float] = THRESHOLDS,
    rounds: int = ROUNDS,
    share: float = SHARE,
    rank_on: Any = None,
    rank_images: int = RANKED,
    others: Mapping[str, RoutingNetwork] | None = None,
    resize: tuple[int, int] | None = None,
    batch_size: int = 8,
    workers: int = 1,
    progress: bool = False,
) -> Front:
    """Trace mIoU against MACs as more paths of a trained network are closed; no weight changes.

    Paths are closed in two ways. Under a threshold, every path shuts for the images that open it no further than that.
    Greedily, paths shut for all images: each round closes those whose closing alone does least for the MACs it saves
    (Kullback-Leibler divergence of the class probabilities), and then measures all that is left anew. Every point is a
    setting of the network, `NetworkConfig.open_threshold`, and is evaluated like any network: whole images, each on its
    own route.

    Killed and called again with the same settings, it goes on with the point it was at; called with more thresholds,
    rounds or others, it adds these.

    Parameters
    ----------
    net : RoutingNetwork
        With gates, in eval mode, on any device.
    dataset : dataset
        Labelled, with the network's classes.
    out : path
        Folder: ``front.json``, and a route log for each point in ``points``.
    thresholds : sequence of float
        Each above `OPEN_THRESHOLD`, at most 1.
    rounds : int
        Most greedy rounds; they end early where no closing saves anything.
    share : float
        Of the MACs (conv) as trained, what a round is to save.
    rank_on : dataset, optional
        On which paths are ranked; by default `dataset` itself, which makes the greedy points look better than they
        are on new images. Labels are not used.
    rank_images : int
        How many of its images, evenly spread.
    others : mapping of str to RoutingNetwork, optional
        Further networks, evaluated alike, to compare with.
    resize, batch_size, workers, progress
        As of `routeviz.trace`.

    Returns
    -------
    Front

    Raises
    ------
    InputError
        If a setting cannot be used, or the images have no labels of the network's classes.
    DatasetError
        If no image to rank paths on can be read.
    WriteError, LogError
        If the folder holds a front of other settings, or cannot be written.
    """
    values = _apart(thresholds)
    if any(not OPEN_THRESHOLD < value <= 1 for value in values):
        raise InputError(
            f"thresholds {', '.join(f'{v:g}' for v in values)}; give each above {OPEN_THRESHOLD:g}, up to 1"
        )
    if rounds < 0 or not 0 < share <= 1 or rank_images < 1:
        raise InputError(f"rounds {rounds}, share {share:g}, rank_images {rank_images}; give at least 0, above 0 and 1")
    if net.config.fixed_gates is not None:
        raise InputError("a static network has no gates that a threshold could shut; give the network it was cut from")
    others = dict(others or {})
    if net.training or any(other.training for other in others.values()):
        raise InputError("a front is of networks at inference; call net.eval() first")
    if wrong := [name for name in others if not _NAME.fullmatch(name) or name.startswith(_OWN)]:
        raise InputError(
            f"another network is called {wrong[0]!r}; take letters, digits, dots, dashes, and not the name of a point"
        )
    folder, rank_on = Path(out), dataset if rank_on is None else rank_on
    chosen = np.unique(np.linspace(0, len(rank_on) - 1, min(rank_images, len(rank_on))).round().astype(int)).tolist()
    settings = _settings(net, dataset, resize) | {"ranking": _ranking(rank_on, chosen, share)}
    data = _begun(folder, settings, rounds=rounds)
    evaluate = _evaluator(folder, dataset, resize=resize, batch_size=batch_size, workers=workers, progress=progress)

    def rank(current: RoutingNetwork, goal: float) -> dict[int, dict[str, float]]:
        return next_closed(current, _readings(rank_on, chosen, resize, progress), goal=goal)

    total = 1 + len(values) + rounds + len(others)
    with Bar(desc="points", total=total, unit="point", delay=2, disable=not progress) as bar:
        trained = None
        for plan in _plans(net, values, rounds, share, others, data, folder, rank):
            log = evaluate(plan)
            trained = log if trained is None else trained
            known = [record["figures"]["name"] for record in data["points"]]
            figures = None if plan.name in known else _figures(plan, log, trained)
            if figures is not None:
                setting = plan.open_threshold
                data["points"].append({"open_threshold": setting, "figures": figures})
                write_front(folder, data)
            bar.update()
        bar.update(bar.total - bar.n)
    return load_front(folder)


def point_names(thresholds: Sequence[float] = THRESHOLDS, rounds: int = ROUNDS) -> list[str]:
    """Names of the points of one network that `budget_front` comes to, where no round ends it early."""
    greedy = [_GREEDY.format(number) for number in range(1, rounds + 1)]
    return [UNSWEPT, *(_threshold_name(value) for value in _apart(thresholds)), *greedy]


def _apart(thresholds: Sequence[float]) -> list[float]:
    """Thresholds in their order, one of each name."""
    return sorted({_threshold_name(value): float(value) for value in thresholds}.values())


def _threshold_name(value: float) -> str:
    """The name of a threshold's point: networks hold float32, whose shortest digits tell any two of them apart."""
    return f"threshold-{np.format_float_positional(np.float32(value), trim='-')}"


def _plans(
    net: RoutingNetwork,
    thresholds: list[float],
    rounds: int,
    share: float,
    others: Mapping[str, RoutingNetwork],
    data: dict[str, Any],
    folder: Path,
    rank: Callable[[RoutingNetwork, float], dict[int, dict[str, float]]],
) -> Iterator[Plan]:
    """All points in their order; a greedy round is ranked, and kept, when its turn comes."""
    own = net.config.open_threshold
    yield Plan(UNSWEPT, "trained", net, own)
    for name, other in others.items():
        yield Plan(name, "other", other, None)
    for value in thresholds:
        setting = tuple(max(value, one) for one in own) if isinstance(own, tuple) else max(value, own)
        yield Plan(_threshold_name(value), "threshold", thresholded_network(net, setting), setting, threshold=value)
    current, least = net, np.broadcast_to(own, net.space.n_paths)
    closed: list[int] = []
    for number in range(1, rounds + 1):
        if number > len(data["rounds"]):
            whole = data["points"][0]["figures"]["macs_conv"]
            data["rounds"].append([{"path": path} | what for path, what in rank(current, share * whole).items()])
            write_front(folder, data)
        if not data["rounds"][number - 1]:
            return
        closed += [one["path"] for one in data["rounds"][number - 1]]
        setting = np.array(least, float)
        setting[closed] = 1
        current = thresholded_network(net, setting.tolist())
        yield Plan(_GREEDY.format(number), "greedy", current, tuple(setting.tolist()), closed=len(closed))


def _evaluator(folder: Path, dataset: Any, *, resize: Any, **settings: Any) -> Callable[[Plan], RouteLog]:
    def evaluate(plan: Plan) -> RouteLog:
        source = source_of(plan.net, dataset, resize=resize, route=None, forced=None)
        return record(
            plan.net,
            dataset,
            lambda: Recorder(plan.net, dataset, None, counts=True),
            source,
            what=plan.name,
            out=folder / POINTS / plan.name,
            resize=resize,
            **settings,
        )

    return evaluate


def _figures(plan: Plan, log: RouteLog, trained: RouteLog) -> dict[str, Any]:
    """A point's row, fit for JSON."""
    if "miou" not in log.columns:
        raise InputError(
            f"{plan.name} cannot be scored: the images have no labels, or other classes than the network; "
            "a front needs a labelled split of what it was trained on"
        )
    counts, reference = counts_of(log), counts_of(trained)
    own = miou_interval(counts, resamples=RESAMPLES)
    apart = miou_difference(counts, reference, resamples=RESAMPLES)
    macs = log.facts(*(f"macs_{convention}" for convention in CONVENTIONS)).mean()
    return {
        "name": plan.name,
        "kind": plan.kind,
        "threshold": plan.threshold,
        "closed": plan.closed,
        "open": float(open_paths(log.space, log.gates).sum(axis=1).mean()),
        "images": len(log),
        "miou": own.value,
        "miou_low": own.low,
        "miou_high": own.high,
        "difference": apart.value,
        "difference_low": apart.low,
        "difference_high": apart.high,
    } | macs.to_dict()


def _settings(net: RoutingNetwork, dataset: Any, resize: tuple[int, int] | None) -> dict[str, Any]:
    source = source_of(net, dataset, resize=resize, route=None, forced=None)
    dataset_settings = {key: value for key, value in source["dataset"].items() if key != "root"}
    return plain(
        {
            "checkpoint": source["checkpoint"],
            "weights": source["weights"],
            "network": source["network"],
            "dataset": dataset_settings,
            "resize": source["settings"]["resize"],
        }
    )


def _ranking(dataset: Any, chosen: list[int], share: float) -> dict[str, Any]:
    name = getattr(dataset, "name", type(dataset).__name__)
    return {"dataset": name, "split": getattr(dataset, "split", None), "images": len(chosen), "share": share}


def _begun(folder: Path, settings: dict[str, Any], *, rounds: int) -> dict[str, Any]:
    """What the folder holds of this front already; raises LogError where it holds another one."""
    found, wanted = read_front(folder), new_front(settings)
    if found is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(f"cannot write {folder}: {error.strerror}; choose another folder") from error
        write_front(folder, wanted)
        return wanted
    # How paths are ranked is the front's own from its first greedy round on.
    free = {"checkpoint"} if rounds and found["rounds"] else {"checkpoint", "ranking"}
    if different := [key for key in settings if found["settings"].get(key) != settings[key] and key not in free]:
        raise LogError(
            f"{folder} holds a front of other settings: {', '.join(different)}; use the same to go on, or choose "
            "another folder"
        )
    if rounds and not found["rounds"]:
        found["settings"]["ranking"] = settings["ranking"]
    return found


def _readings(dataset: Any, chosen: list[int], resize: Any, progress: bool) -> Iterator[Reading]:
    reader = Reader(dataset, resize)
    for index in Bar(chosen, desc="ranking paths", unit="image", delay=2, disable=not progress, leave=False):
        reading = reader[index]
        if isinstance(reading, Reading):
            yield reading
