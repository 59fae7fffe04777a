"""``routeviz costs``: MACs of a network, a fixed route or a log, in three conventions, and what time they take here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeviz.cli.options import ImageSize, example, json_option
from routeviz.cli.tables import columns
from routeviz.quantities import quantity

if TYPE_CHECKING:
    from routeviz.network import RoutingNetwork
    from routeviz.space import Route

SETTINGS = {"layers": 16, "width": 64, "num_classes": 19, "stem_width": 64}


@click.command(
    epilog=example(
        "routeviz costs step-008000.safetensors --image-size 360x480",
        "routeviz costs --layers 16 --width 64 --image-size 1024x2048 --architecture deeplabv3",
        "routeviz costs step-008000.safetensors --image-size 360x480 --measure",
        "routeviz costs log --starved --checkpoint step-008000.safetensors",
    )
)
@click.argument("source", metavar="[CHECKPOINT|LOG]", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--image-size", type=ImageSize(), help="Of the images; the padding is added. A log knows its own.")
@click.option("--layers", type=int, help="Without a checkpoint: number of the last layer.  [default: 16]")
@click.option("--width", type=int, help="Without a checkpoint: channels at scale 0.  [default: 64]")
@click.option("--classes", "num_classes", type=int, help="Without a checkpoint.  [default: 19]")
@click.option("--stem-width", type=int, help="Without a checkpoint: channels inside the stem.  [default: 64]")
@click.option("--small-gate/--full-gate", default=None, help="Where no checkpoint says it.  [default: full]")
@click.option(
    "--route", "route_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Route as JSON."
)
@click.option("--architecture", metavar="NAME", help="A static architecture: fcn32s, unet, hrnetv2, ...")
@click.option("--table", is_flag=True, help="Also list every cell and path, and whether it runs.")
@click.option("--measure", is_flag=True, help="Also measure the time of every part on this machine.")
@click.option(
    "--rounds",
    type=click.IntRange(min=3),
    default=20,
    show_default=True,
    help="With --measure: times each is measured.",
)
@click.option("--starved", is_flag=True, help="With a LOG and --checkpoint: run its images without starved cells too.")
@click.option(
    "--checkpoint",
    "traced",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With a LOG: of the network that was traced.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="With --starved: the dataset's folder, where it has moved."
)
@json_option
def command(
    source: Path | None,
    image_size: tuple[int, int] | None,
    small_gate: bool | None,
    route_file: Path | None,
    architecture: str | None,
    table: bool,
    measure: bool,
    rounds: int,
    starved: bool,
    traced: Path | None,
    root: Path | None,
    as_json: bool,
    **settings: int | None,
) -> None:
    """Count the MACs of CHECKPOINT, of a network with the settings given, or of the images of a LOG.

    By default every path is open and every gate computed: the most that an image can cost. With --route or
    --architecture it is that route, fixed: no gate is computed. Of a LOG it is what its images cost on average, with
    what starved cells cost: those that run although only zeros were sent to them.
    """
    if route_file and architecture:
        raise click.UsageError("--route and --architecture exclude each other")
    given = {name: value for name, value in settings.items() if value is not None}
    rounds = rounds if measure else 0
    if measure or starved:
        from routeviz.network import keep_freed_memory

        keep_freed_memory()  # as a trace does, whose times these are
    if source is not None and source.is_dir():
        if given or route_file or architecture:
            raise click.UsageError("a log says itself which network and routes it is of; give --image-size at most")
        if starved != (traced is not None):
            raise click.UsageError("--starved and --checkpoint belong together: the images are run anew")
        from routeviz.cli.costs_log import show_log

        show_log(source, image_size, traced, root, small_gate, table=table, rounds=rounds, as_json=as_json)
        return
    if starved or traced or root:
        raise click.UsageError("--starved, --checkpoint and --root are for a log: routeviz costs LOG --starved ...")
    if image_size is None:
        raise click.UsageError("missing option '--image-size': MACs are of images of a size")
    checkpoint = source
    from routeviz.cli.measured import measured_figures, measured_text, part_rows, parts_text
    from routeviz.cli.networks import described
    from routeviz.costs import (
        CONVENTION_NOTES,
        CONVENTIONS,
        PARTS,
        cost_table,
        executed_parts,
        image_blind_macs,
        macs_by_part,
        measure_times,
    )

    net = _network(checkpoint, small_gate, given)
    name, gates, fixed = _route(net, route_file, architecture)
    tables = {convention: cost_table(net, image_size, convention, progress=True) for convention in CONVENTIONS}
    counted: dict[str, dict[str, int]] = {}
    for convention in CONVENTIONS:
        how: dict[str, Any] = {"convention": convention, "with_gates": not fixed}
        parts = macs_by_part(net, gates, image_size, **how).iloc[0].astype(int).to_dict()
        counted[convention] = {
            **parts,
            "total": sum(parts.values()),
            "image_blind": int(image_blind_macs(net, gates, image_size, **how)[0]),
        }
    times = None
    if measure:
        own = gates[0] if fixed else None
        times = measure_times(net.eval(), image_size, activations=own, rounds=rounds, progress=not as_json)
    executed = executed_parts(net, gates, with_gates=not fixed)
    listed = part_rows(tables, executed, times) if table else None
    parameters = sum(parameter.numel() for parameter in net.parameters())
    padded = tables["conv"].image_size
    if as_json:
        notes = {
            key: {"counts": counts, "leaves_out": left_out} for key, (counts, left_out) in CONVENTION_NOTES.items()
        }
        data = {
            "network": net.config.to_dict(),
            "parameters": parameters,
            "image_size": image_size,
            "padded_size": padded,
            "route": name,
            "with_gates": not fixed,
            "macs": counted,
            "conventions": notes,
        }
        if times is not None:
            data["time"] = measured_figures(times)
        if listed is not None:
            data["table"] = json.loads(listed.to_json(orient="records"))
        click.echo(json.dumps(data, indent=2))
        return
    click.echo(f"{described(net.config)}: {parameters / 1e6:.3f} M parameters")
    pads = "" if padded == image_size else f", padded to {padded[0]}x{padded[1]}"
    click.echo(f"image {image_size[0]}x{image_size[1]}{pads}; {name}\n")
    rows = [[part, *(quantity(counted[key][part]) for key in CONVENTIONS)] for part in (*PARTS, "total")]
    if any(counted[key]["image_blind"] for key in CONVENTIONS):
        rows.append(["of it image-blind", *(quantity(counted[key]["image_blind"]) for key in CONVENTIONS)])
    click.echo(columns([["MACs, by convention", *CONVENTIONS], *rows], "<>>>"))
    click.echo()
    notes = [(key, f"Counts {counts}. Leaves out {left}.") for key, (counts, left) in CONVENTION_NOTES.items()]
    click.echo(columns(notes, "<<", wrap_last=True))
    if times is not None:
        click.echo(f"\n{measured_text(times)}")
    if listed is not None:
        click.echo(f"\n{parts_text(listed)}")


def _network(checkpoint: Path | None, small_gate: bool | None, settings: dict[str, int]) -> RoutingNetwork:
    if checkpoint is None:
        from routeviz.network import NetworkConfig, RoutingNetwork

        return RoutingNetwork(NetworkConfig(**{**SETTINGS, **settings}, small_gate=bool(small_gate)))
    if settings:
        given = next(iter(settings)).replace("num_classes", "classes").replace("_", "-")
        raise click.UsageError(f"--{given} cannot be given with a checkpoint, which says it itself")
    from routeviz.network import load_checkpoint

    return load_checkpoint(checkpoint, small_gate=small_gate)


def _route(net: RoutingNetwork, file: Path | None, architecture: str | None) -> tuple[str, Any, bool]:
    """Name of what is counted, its activations (1, path), and whether it is fixed."""
    import numpy as np

    from routeviz.errors import InputError
    from routeviz.space import Route, architectures

    if architecture is not None:
        fixed = architectures(net.space)[architecture]
        return f"the fixed route of {fixed.name}", fixed.activations[None], True
    if file is not None:
        route: Route = Route.load(file)
        if route.space != net.space:
            raise InputError(f"{file} is a route of {route.space}; this network has {net.space}")
        return f"the fixed route {route.name or file.name}", route.activations[None], True
    if net.config.fixed_gates is not None:
        return "its own fixed route", np.array([net.config.fixed_gates], np.float32), True
    return "every path open, every gate computed", np.ones((1, net.space.n_paths), np.float32), False
