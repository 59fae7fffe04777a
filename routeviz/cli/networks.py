"""From what a command line names, such as a route log or a checkpoint, to facts of networks that can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from routeviz.costs import asked_cells, cost_table, macs, parameters
from routeviz.errors import InputError
from routeviz.network import NetworkConfig, RoutingNetwork, load_checkpoint
from routeviz.quantities import count
from routeviz.routelog import load_log
from routeviz.stats import NetworkFacts
from routeviz.training import checkpoint_paths, read_config, read_metrics, read_network

if TYPE_CHECKING:
    from routeviz.routelog import RouteLog
    from routeviz.space import Route

Size = tuple[int, int]


@dataclass(frozen=True)
class Named:
    """One network of the table, before anything is counted.

    Attributes
    ----------
    name, published : str
        For people, and under which it may have been published.
    net : RoutingNetwork
    dynamic : bool
    route : Route, optional
        The part of the network that is meant, where it is not the whole.
    gates : ndarray, (image, path), optional
        Activations of images, or of the one fixed route.
    with_gates : bool or ndarray (cell,)
        Which cells compute their gates, as for `routeviz.macs`.
    known : dict
        MACs over images by convention, as an evaluation left them.
    size : (H, W), optional
        Of the images that gates and known MACs are of.
    facts : dict
        mIoU, dataset and notes, as `NetworkFacts` takes them.
    """

    name: str
    net: RoutingNetwork
    dynamic: bool
    facts: dict[str, Any]
    published: str = ""
    route: Route | None = None
    gates: np.ndarray | None = None
    with_gates: bool | np.ndarray = True
    known: dict[str, dict[str, int]] | None = None
    size: Size | None = None

    def count(self, image_size: Size, convention: str) -> NetworkFacts:
        """Count MACs and parameters for one size of image."""
        net, config, notes = self.net, self.net.config, tuple(self.facts.get("notes", ()))
        if self.gates is not None:
            values = macs(net, self.gates, image_size, convention=convention, with_gates=self.with_gates)
            costs = float(values.mean()), int(values.max()), int(values.min())
        elif self.known is not None and self.size == image_size:
            costs = tuple(self.known[convention][key] for key in ("avg", "max", "min"))
        else:
            every = np.ones((1, net.space.n_paths), np.float32)
            costs = None, int(macs(net, every, image_size, convention=convention)[0]), None
            notes += ("only the cost with every path open is known; for the images' own give a log: routeviz trace",)
        operation = cost_table(net, image_size, convention).operation
        return NetworkFacts(
            name=self.name,
            dynamic=self.dynamic,
            layers=config.layers,
            width=config.width,
            num_classes=config.num_classes,
            parameters=parameters(net, self.route),
            **dict(zip(("macs_avg", "macs_max", "macs_min"), costs, strict=True)),
            published=self.published,
            cell_macs=float(operation[operation > 0].mean()) if operation.any() else None,
            **self.facts | {"notes": notes},
        )


@dataclass(frozen=True)
class Recorded:
    """A recorded log in the table: its MACs are those of its own inputs, and no network of it can be built here."""

    name: str
    log: RouteLog
    size: Size | None = None

    def count(self, image_size: Size | None, convention: str) -> NetworkFacts:
        """Take MACs, and what the log says of its rows, from the log itself."""
        log, column = self.log, f"macs_{convention}"
        if column not in log.columns:
            raise InputError(
                f"the log {self.name} holds no MACs in the convention {convention}: choose --convention conv"
            )
        macs, numbers = log.facts(column)[column], [name for name in log.columns if not name.startswith("macs_")]
        facts = log.facts(*numbers)
        told = [name for name in numbers if facts[name].dtype.kind == "f" or facts[name].isin((0, 1)).all()]
        means = [f"{name} {facts[name].mean():.4g}" for name in told]
        about = f"{count(len(log), log.rows_are)} of a recorded {log.source['model']}, MACs of its own inputs"
        return NetworkFacts(
            name=self.name,
            # A row that is an architecture decides nothing.
            dynamic=log.rows_are != "architectures",
            layers=log.space.layers,
            width=0,
            num_classes=0,
            parameters=None,
            macs_avg=float(macs.mean()),
            macs_max=int(macs.max()),
            macs_min=int(macs.min()),
            notes=("; ".join([about, *(["means: " + ", ".join(means)] if means else [])]),),
        )


def open_network(text: str, *, small_gate: bool | None = None) -> Named | Recorded:
    """Open what an argument names: ``[NAME=]PATH`` of a route log, a run's folder or a checkpoint.

    Raises
    ------
    InputError
        If there is no such file or folder, or it is none of these.
    """
    label, sign, rest = text.partition("=")
    path = Path(rest if sign and not Path(text).exists() else text)
    label = label if path != Path(text) else ""
    if not path.exists():
        raise InputError(f"there is no {path}; give a route log, the folder of a run or a checkpoint")
    if path.is_file():
        return _of_checkpoint(path, label or path.name, small_gate)
    if (path / "config.json").exists():
        return _of_run(path, label or path.name)
    if (path / "log.json").exists():
        return _of_log(path, label)
    raise InputError(f"{path} is neither a route log (log.json) nor the folder of a run (config.json)")


def static_network(net: RoutingNetwork, known: Mapping[str, Route], key: str) -> Named:
    """One of the static architectures of a network's space, of its width."""
    route = known[key]
    return Named(route.name, net, False, {}, key, route=route, gates=route.activations[None], with_gates=False)


def whole_network(net: RoutingNetwork) -> Named:
    """A dynamic network none of whose images closes a path."""
    kind = "small" if net.config.small_gate else "full"
    every = np.ones((1, net.space.n_paths), np.float32)
    return Named(f"Dynamic, all open, {kind} gate", net, True, {}, f"all-open-{kind}-gate", gates=every)


def _of_checkpoint(path: Path, name: str, small_gate: bool | None) -> Named:
    run = path.parent.parent
    net = load_checkpoint(path, small_gate=small_gate)
    if path.parent.name == "checkpoints" and (run / "config.json").exists():
        return _evaluated(run, net, name, net.provenance["step"])
    return _of_network(net, name)


def _of_run(run: Path, name: str) -> Named:
    paths = checkpoint_paths(run)
    if paths:
        net = load_checkpoint(paths[max(paths)])
        return _evaluated(run, net, name, net.provenance["step"])
    # Its settings are enough to count, and what its evaluations found is in its metrics.
    steps = [line["step"] for line in read_metrics(run) if line["kind"] == "evaluation"]
    if not steps:
        raise InputError(f"{run} has neither a checkpoint nor an evaluation yet; wait for the first")
    return _evaluated(run, RoutingNetwork(read_network(run)).eval(), name, steps[-1])


def _evaluated(run: Path, net: RoutingNetwork, name: str, step: int) -> Named:
    """A run's network with what the evaluation of a step says."""
    config = read_config(run)
    evaluations = {line["step"]: line for line in read_metrics(run) if line["kind"] == "evaluation"}
    if step not in evaluations:
        return _of_network(net, name, published=config.architecture or "")
    line = evaluations[step]
    facts = {"miou": line["miou"], "dataset": config.dataset}
    return _of_network(net, name, facts, config.architecture or "", known=line["macs"], size=config.resize)


def _of_network(
    net: RoutingNetwork, name: str, facts: dict[str, Any] | None = None, published: str = "", **known: Any
) -> Named:
    fixed = net.config.fixed_gates
    gates = None if fixed is None else np.array([fixed], np.float32)
    return Named(name, net, fixed is None, facts or {}, name, gates=gates, **known)


def _of_log(folder: Path, label: str) -> Named | Recorded:
    log, name = load_log(folder), label or folder.name
    if not len(log):
        raise InputError(f"the log {folder} has no {log.rows_are}")
    if log.source.get("model"):
        # The folder that holds it says more than log, which is what such folders are called.
        return Recorded(label or (name if name != "log" else folder.resolve().parent.name), log)
    net, asked = log_network(log), log_gates(log)
    facts: dict[str, Any] = {"dataset": (log.source.get("dataset") or {}).get("name", "")}
    if "miou" in log.columns:
        facts |= {
            "miou": float(log.facts("miou").miou.mean()),
            "notes": ("mIoU is the mean of the images' own, which is not that of the whole dataset",),
        }
    dynamic = net.config.fixed_gates is None and bool(np.any(asked))
    return Named(name, net, dynamic, facts, name, gates=log.gates, with_gates=asked, size=_size(log))


def log_network(log: RouteLog) -> RoutingNetwork:
    """A network of a log's settings, with random weights: enough to count; raises InputError where it has none."""
    settings = log.source.get("network")
    if model := log.source.get("model"):
        raise InputError(
            f"the log was recorded from a {model}, which only its own program runs: this takes logs of routing networks"
        )
    if not settings:
        raise InputError("the log does not say which network it is of; trace it again: routeviz trace")
    return RoutingNetwork(NetworkConfig.from_dict(settings)).eval()


def log_gates(log: RouteLog) -> bool | np.ndarray:
    """Which cells computed their gate when a log was traced, as `routeviz.macs` takes it: all but those forced."""
    forced = ((log.source.get("settings") or {}).get("route") or {}).get("activations")
    return True if forced is None else asked_cells(log.space, np.array(forced, np.float64))


def log_size(log: RouteLog) -> Size:
    """The one size of a log's images; raises InputError where they have several."""
    size = _size(log)
    if size is None:
        raise InputError("the images of this log have no one size; say with --image-size of which the MACs are to be")
    return size


def _size(log: RouteLog) -> Size | None:
    if not {"height", "width"} <= set(log.columns):
        return None
    sizes = log.facts("height", "width").drop_duplicates()
    return tuple(int(length) for length in sizes.iloc[0]) if len(sizes) == 1 else None


def described(config: NetworkConfig) -> str:
    """What a network is, in a few words."""
    gate = "fixed gates" if config.fixed_gates is not None else "small gate" if config.small_gate else "full gate"
    return f"{config.layers} layers, width {config.width}, {config.num_classes} classes, {gate}"
