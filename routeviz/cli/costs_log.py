"""``routeviz costs LOG``: what the images of a log cost, what of it starved cells cost, and what they are good for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from routeviz.cli.costs_recorded import recorded_costs
from routeviz.cli.measured import measured_figures, measured_text, part_rows, parts_text
from routeviz.cli.networks import described, log_gates, log_network, log_size
from routeviz.cli.tables import columns
from routeviz.costs import (
    CONVENTION_NOTES,
    CONVENTIONS,
    PARTS,
    cost_table,
    executed_parts,
    image_blind_macs,
    macs_by_part,
    measure_times,
    starved_macs,
)
from routeviz.errors import InputError
from routeviz.quantities import quantity
from routeviz.routelog import load_log

if TYPE_CHECKING:
    from routeviz.counterfactual import Starvation
    from routeviz.network import RoutingNetwork
    from routeviz.routelog import RouteLog

NAMED = 12


def show_log(
    folder: Path,
    image_size: tuple[int, int] | None,
    checkpoint: Path | None,
    root: Path | None,
    small_gate: bool | None,
    *,
    table: bool,
    rounds: int,
    as_json: bool,
) -> None:
    """Print what the images of a log cost; ``rounds`` above 0 measures times, a checkpoint runs them without starved
    cells too."""
    log = load_log(folder)
    if not len(log):
        raise InputError(f"the log {folder} has no {log.rows_are}; there is nothing to count")
    if model := log.source.get("model"):
        if image_size or checkpoint or rounds:
            raise InputError(
                f"the log was recorded from a {model}, which only its own program runs: its costs are those it was "
                "recorded with; leave out --image-size, --measure and --starved"
            )
        click.echo(recorded_costs(folder, log, table=table, as_json=as_json))
        return
    net, asked, size = log_network(log), log_gates(log), image_size or log_size(log)
    parts = {name: _mean(macs_by_part, net, log, asked, size, name) for name in CONVENTIONS}
    blind = {
        name: {
            "starved": _mean(starved_macs, net, log, asked, size, name),
            "image_blind": _mean(image_blind_macs, net, log, asked, size, name),
        }
        for name in CONVENTIONS
    }
    states = log.states
    figures: dict[str, Any] = {
        "log": str(folder),
        "images": len(log),
        "image_size": size,
        "macs": {
            name: {**dict(zip(PARTS, map(float, parts[name]), strict=True)), "total": float(parts[name].sum())}
            | {key: float(value) for key, value in blind[name].items()}
            for name in CONVENTIONS
        },
        "cells": {"starved": float(states.starved.sum(axis=1).mean())}
        | {"image_blind": float(states.image_blind.sum(axis=1).mean())},
        "starved_in": {
            name: float(share)
            for name, share in zip(log.space.cell_names, states.starved.mean(axis=0), strict=True)
            if share
        },
    }
    times = measure_times(net, size, rounds=rounds, progress=not as_json) if rounds else None
    executed = executed_parts(net, log.gates, with_gates=asked)
    if times is not None:
        image_blind = times.of(executed_parts(net, log.gates, with_gates=asked, image_blind=True)).mean()
        figures["time"] = measured_figures(times) | {
            "parts_of_an_image": float(times.of(executed).mean()),
            "image_blind": float(image_blind),
        }
    effect = None if checkpoint is None else _run(log, checkpoint, root, small_gate, progress=not as_json)
    if effect is not None:
        figures["without_starved"] = effect.summary()
    tables = {name: cost_table(net, size, name) for name in CONVENTIONS}
    rows = part_rows(tables, executed, times) if table else None
    if rows is not None:
        figures["table"] = json.loads(rows.to_json(orient="records"))
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    click.echo(f"{folder}: {len(log)} images of {size[0]}x{size[1]}; {described(net.config)}\n")
    click.echo(_costs(figures["macs"]))
    click.echo(f"\n{_starved(figures)}")
    if times is not None:
        mine = figures["time"]
        click.echo(f"\n{measured_text(times)}")
        click.echo(
            f"\nThe parts that an image of this log runs take {1e3 * mine['parts_of_an_image']:,.2f} ms on average, "
            f"{1e3 * mine['image_blind']:,.2f} ms of it ({mine['image_blind'] / mine['parts_of_an_image']:.1%}) in "
            "image-blind cells."
        )
    if effect is not None:
        click.echo(f"\n{_effect_text(figures['without_starved'])}")
    if rows is not None:
        click.echo(f"\n{parts_text(rows)}")


def _mean(count: Any, net: RoutingNetwork, log: RouteLog, asked: Any, size: tuple[int, int], convention: str) -> Any:
    return np.asarray(count(net, log.gates, size, convention=convention, with_gates=asked)).mean(axis=0)


def _costs(macs: dict[str, dict[str, float]]) -> str:
    rows = [["MACs an image, mean", *CONVENTIONS]]
    names = {"starved": "of it in starved cells", "image_blind": "and in those that only they feed"}
    for part in (*PARTS, "total", *names):
        rows.append([names.get(part, part), *(quantity(macs[key][part]) for key in CONVENTIONS)])
    for key, words in (("starved", "starved, share"), ("image_blind", "both, share")):
        rows.append([words, *(f"{macs[name][key] / macs[name]['total']:.2%}" for name in CONVENTIONS)])
    # The second row of the two is what is added: together they are the image-blind cells.
    place = [row[0] for row in rows].index(names["image_blind"])
    rows[place][1:] = [quantity(macs[name]["image_blind"] - macs[name]["starved"]) for name in CONVENTIONS]
    notes = [(key, f"Counts {counts}. Leaves out {left}.") for key, (counts, left) in CONVENTION_NOTES.items()]
    return f"{columns(rows, '<>>>')}\n\n{columns(notes, '<<', wrap_last=True)}"


def _starved(figures: dict[str, Any]) -> str:
    cells = figures["starved_in"]
    if not cells:
        return "No cell is starved in any image: every cell that runs was sent something."
    listed = [f"{name} ({share:.0%} of the images)" for name, share in list(cells.items())[:NAMED]]
    more = f" and {len(cells) - NAMED} more" if len(cells) > NAMED else ""
    return columns(
        [
            (
                f"Starved: {figures['cells']['starved']:.1f} cells an image run although only zeros were sent to them: "
                f"{', '.join(listed)}{more}. With those that only they feed, {figures['cells']['image_blind']:.1f} "
                "cells an image compute the same for every image.",
            )
        ],
        "<",
        wrap_last=True,
    )


def _run(log: RouteLog, checkpoint: Path, root: Path | None, small_gate: bool | None, *, progress: bool) -> Starvation:
    from routeviz.cli.material import log_dataset
    from routeviz.counterfactual import without_starved
    from routeviz.network import load_checkpoint

    dataset, notes = log_dataset(log, root)
    if dataset is None:
        raise InputError(f"the images of the log are needed, and {notes[0]}")
    settings = log.source.get("settings") or {}
    if settings.get("route"):
        raise InputError("the routes of this log were forced; trace one in which the gates were asked")
    net, resize = load_checkpoint(checkpoint, small_gate=small_gate), settings.get("resize")
    wanted = (log.source.get("checkpoint") or {}).get("sha256")
    if wanted not in (None, net.provenance["sha256"]):
        raise InputError(f"{checkpoint} is not the checkpoint that was traced: its SHA-256 is not {wanted}")
    return without_starved(net, dataset, resize=resize and tuple(resize), progress=progress)


def _effect_text(found: dict[str, Any]) -> str:
    rows = [(f"Starved cells left unreached, {found['images']} images", "with", "without", "difference")]
    for name in CONVENTIONS:
        before, after = found[f"macs_{name}"], found[f"macs_{name}_without"]
        rows.append((f"MACs ({name}), mean", quantity(before), quantity(after), f"{100 * (after / before - 1):+.2f} %"))
    saved = found["time_saved"]
    rows.append(
        (
            "time of a forward pass, median",
            f"{1e3 * found['seconds']:,.1f} ms",
            f"{1e3 * found['seconds_without']:,.1f} ms",
            f"{-100 * saved['median']:+.1f} % [{-100 * saved['high']:+.1f}, {-100 * saved['low']:+.1f}]",
        )
    )
    apart = found["miou_difference"]
    if apart is not None:
        rows.append(
            (
                "mIoU of all images",
                f"{100 * found['miou']:.2f} %",
                f"{100 * found['miou_without']:.2f} %",
                f"{100 * apart['value']:+.2f} [{100 * apart['low']:+.2f}, {100 * apart['high']:+.2f}] points",
            )
        )
    said = (
        f"Logits: {found['kl']:.3g} nats (Kullback-Leibler divergence of the class probabilities), "
        f"{100 * found['changed']:.2f} % of the pixels change class, in {found['images_changed']} of {found['images']} "
        f"images; {found['gates']:.1f} gates an image answer otherwise. In brackets: quartiles over images of "
        "the time, the paired 95 % interval of mIoU."
    )
    return f"{columns(rows, '<>>>')}\n\n{columns([(said,)], '<', wrap_last=True)}".replace("+-", "-")
