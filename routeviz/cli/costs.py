"""``routeviz costs``: the MACs of a network or of a fixed route, in three conventions side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeviz.cli.options import ImageSize, example, json_option
from routeviz.cli.tables import columns, quantity

if TYPE_CHECKING:
    import pandas as pd

    from routeviz.network import NetworkConfig, RoutingNetwork
    from routeviz.space import Route

SETTINGS = {"layers": 16, "width": 64, "num_classes": 19, "stem_width": 64}


@click.command(
    epilog=example(
        "routeviz costs step-008000.safetensors --image-size 360x480",
        "routeviz costs --layers 16 --width 64 --image-size 1024x2048 --architecture deeplabv3",
    )
)
@click.argument("checkpoint", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--image-size", required=True, type=ImageSize(), help="Of the images; the padding is added.")
@click.option("--layers", type=int, help="Without a checkpoint: number of the last layer.  [default: 16]")
@click.option("--width", type=int, help="Without a checkpoint: channels at scale 0.  [default: 64]")
@click.option("--classes", "num_classes", type=int, help="Without a checkpoint.  [default: 19]")
@click.option("--stem-width", type=int, help="Without a checkpoint: channels inside the stem.  [default: 64]")
@click.option("--small-gate/--full-gate", default=None, help="Where no checkpoint says it.  [default: full]")
@click.option(
    "--route", "route_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Route as JSON."
)
@click.option("--architecture", metavar="NAME", help="A static architecture: fcn32s, unet, hrnetv2, ...")
@click.option("--table", is_flag=True, help="Also list every cell and path.")
@json_option
def command(
    checkpoint: Path | None,
    image_size: tuple[int, int],
    small_gate: bool | None,
    route_file: Path | None,
    architecture: str | None,
    table: bool,
    as_json: bool,
    **settings: int | None,
) -> None:
    """Count the MACs of CHECKPOINT, or of a network with the settings given, for one image.

    By default every path is open and every gate computed: the most that an image can cost. With --route or
    --architecture it is that route, fixed: no gate is computed.
    """
    from routeviz.costs import CONVENTION_NOTES, CONVENTIONS, PARTS, cost_table, image_blind_macs, macs_by_part

    if route_file and architecture:
        raise click.UsageError("--route and --architecture exclude each other")
    net = _network(checkpoint, small_gate, {name: value for name, value in settings.items() if value is not None})
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
    listed = _listed(tables) if table else None
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
        if listed is not None:
            data["table"] = json.loads(listed.to_json(orient="records"))
        click.echo(json.dumps(data, indent=2))
        return
    click.echo(f"{_described(net.config)}: {parameters / 1e6:.3f} M parameters")
    pads = "" if padded == image_size else f", padded to {padded[0]}x{padded[1]}"
    click.echo(f"image {image_size[0]}x{image_size[1]}{pads}; {name}\n")
    rows = [[part, *(quantity(counted[key][part]) for key in CONVENTIONS)] for part in (*PARTS, "total")]
    if any(counted[key]["image_blind"] for key in CONVENTIONS):
        rows.append(["of it image-blind", *(quantity(counted[key]["image_blind"]) for key in CONVENTIONS)])
    click.echo(columns([["MACs, by convention", *CONVENTIONS], *rows], "<>>>"))
    click.echo()
    notes = [(key, f"Counts {counts}. Leaves out {left}.") for key, (counts, left) in CONVENTION_NOTES.items()]
    click.echo(columns(notes, "<<", wrap_last=True))
    if listed is not None:
        click.echo("\nOf every part where it runs, whatever the route:\n")
        texts = listed.astype({"layer": "string", "scale": "string"}).fillna("")
        numbers = texts[list(CONVENTIONS)].map("{:,}".format)
        rows = texts.assign(**{key: numbers[key] for key in CONVENTIONS}).to_numpy().tolist()
        click.echo(columns([list(listed.columns), *rows], "<>><>>>"))


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


def _described(config: NetworkConfig) -> str:
    gate = "fixed gates" if config.fixed_gates is not None else "small gate" if config.small_gate else "full gate"
    return f"{config.layers} layers, width {config.width}, {config.num_classes} classes, {gate}"


def _listed(tables: dict[str, Any]) -> pd.DataFrame:
    """One row a part, one column a convention."""
    frames = {convention: table.frame() for convention, table in tables.items()}
    first = next(iter(frames.values())).drop(columns="macs")
    return first.assign(**{convention: frame.macs for convention, frame in frames.items()})
