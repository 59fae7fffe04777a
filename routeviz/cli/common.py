"""``routeviz common``: the static network that most images of a log share, what it costs, fits and cuts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeviz.cli.options import ImageSize, convention_option, example, json_option
from routeviz.cli.tables import columns
from routeviz.quantities import quantity

if TYPE_CHECKING:
    import pandas as pd

    from routeviz.cli.logcosts import LogCosts
    from routeviz.routelog import RouteLog
    from routeviz.stats import CommonNetwork

MOST_CUT = 40


@click.command(
    epilog=example(
        "routeviz common log --keep 0.95",
        "routeviz common log --sweep --plot common.pdf",
        "routeviz common log --checkpoint step-005600.safetensors --out common.safetensors",
    )
)
@click.argument("log", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--keep", type=float, default=0.95, show_default=True, help="Least share of images that open a path.")
@click.option(
    "--factors",
    type=click.Choice(("mean", "ones")),
    default="mean",
    show_default=True,
    help="Activation of a kept path: the mean over the images that open it, or 1.",
)
@click.option("--image-size", type=ImageSize(), help="Of which all MACs are.  [default: that of the log's images]")
@convention_option
@click.option("--sweep", is_flag=True, help="Instead of one network, a table of thresholds from 0.01 to 1.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the sweep: *.pdf, *.svg or *.png.")
@click.option(
    "--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Of the network that was traced."
)
@click.option("--small-gate/--full-gate", default=None, help="For a checkpoint in the released layout.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="With --checkpoint: where the network goes."
)
@json_option
def command(
    log: Path,
    keep: float,
    factors: str,
    image_size: tuple[int, int] | None,
    convention: str,
    sweep: bool,
    plot: Path | None,
    checkpoint: Path | None,
    small_gate: bool | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Keep the paths that are open in at least a share of LOG's images (tokens, architectures): the common network.

    It is static: no gates, the same paths for every one. With --checkpoint and --out it is written with the weights
    of the network that was traced. They were trained behind gates, whose mean activations they need as factors;
    --factors ones leaves the factors out, and such a network has to be trained before it segments anything.
    """
    if (checkpoint is None) != (out is None):
        raise click.UsageError("--checkpoint and --out belong together: whose weights, and where to write them")
    if out is not None and out.suffix != ".safetensors":
        raise click.UsageError(f"--out {out}: name it *.safetensors")
    if sweep and out is not None:
        raise click.UsageError("--sweep is a table of several networks; write one of them, with --keep")
    from routeviz.cli.logcosts import log_costs
    from routeviz.errors import InputError
    from routeviz.routelog import load_log
    from routeviz.stats import common_network, common_sweep

    routes = load_log(log)
    if checkpoint and (model := routes.source.get("model")):
        raise InputError(
            f"a {model} is no routing network, whose weights could be cut: leave out --checkpoint and --out"
        )
    common = common_network(routes, keep=keep, factors=factors)
    costs = log_costs(routes, image_size, convention)
    table = None
    if sweep or plot:
        table = common_sweep(routes)
        table["macs"] = [int(costs.fixed(route.activations[None])[0]) for route in table.route]
    described = {
        "log": str(log),
        "images": len(routes),
        "rows": routes.rows_are,
        "image_size": costs.size,
        "convention": convention,
    }
    if sweep:
        figures = described | {
            "macs_average": float(costs.own.mean()),
            "networks": _records(table.drop(columns="route")),
        }
        text = _swept(table, described, float(costs.own.mean()), routes.rows_are)
    else:
        figures = described | _figures(common, costs)
        text = _one(common, figures, routes.rows_are)
    click.echo(json.dumps(figures, indent=2) if as_json else text)
    if plot:
        _draw(table, plot, float(costs.own.mean()), convention, routes.rows_are)
        click.echo(f"\nwrote {plot}", err=as_json)
    if checkpoint:
        click.echo(f"\n{_write(common, routes, checkpoint, small_gate, out, factors)}", err=as_json)


def _figures(common: CommonNetwork, costs: LogCosts) -> dict[str, Any]:
    gates, cut = common.route.activations[None], common.cut
    cut = cut.assign(macs=costs.path[cut.index], path=[common.route.space.path_names[at] for at in cut.index])
    return {
        "keep": common.keep,
        "paths": int(common.route.open.sum()),
        "cells": int((common.route.cell_states.state == "open").sum()),
        "macs": int(costs.fixed(gates)[0]),
        "macs_image_blind": int(costs.blind(gates)[0]),
        "macs_average_of_images": float(costs.own.mean()),
        "parameters": costs.parameters(common.route),
        "parameters_of_the_network": costs.parameters(None),
        "images_within": int(common.covered.sum()),
        "images_that_open_all": int(common.complete.sum()),
        "blind_paths": int(common.blind.sum()),
        "cut": _records(cut[["path", "layer", "scale", "move", "open", "activation_open", "macs"]]),
    }


def _one(common: CommonNetwork, found: dict[str, Any], rows_are: str) -> str:
    n, convention = found["images"], f"({_counted(found)})"
    rows = [
        ("paths kept", f"{found['paths']}", f"of {len(common.paths)} in the space"),
        ("cells open", f"{found['cells']}", f"of {common.route.space.n_cells}"),
        (f"MACs {convention}", quantity(found["macs"]), f"the same for every {rows_are.removesuffix('s')}, no gates"),
        (f"MACs of the {rows_are}' own routes", quantity(found["macs_average_of_images"]), "average, with their gates"),
        *_parameters(found),
        (f"{rows_are} within it", f"{found['images_within']}", f"of {n}: all paths they open are kept"),
        (f"{rows_are} that open all of it", f"{found['images_that_open_all']}", f"of {n}"),
    ]
    if found["macs_image_blind"]:
        blind = "of the MACs, in cells that the image does not come to any more"
        rows.append(("image-blind", quantity(found["macs_image_blind"]), blind))
    lines = [f"{common.route.name}: paths open in at least {100 * common.keep:g} %\n", columns(rows, "<><")]
    cut = found["cut"]
    if not cut:
        return "\n".join([*lines, f"\nNothing is cut that any {rows_are.removesuffix('s')} opens."])
    lines.append(f"\nCut: {len(cut)} paths that some {rows_are} open, most used first")
    header = ("path", f"% of {rows_are}", "activation where open", "MACs")
    listed = [
        (
            row["path"],
            f"{100 * row['open']:.1f}",
            f"{row['activation_open']:.3f}",
            quantity(row["macs"]),
        )
        for row in cut[:MOST_CUT]
    ]
    lines.append(columns([header, *listed], "<>>>"))
    return "\n".join(lines + ([f"and {len(cut) - MOST_CUT} more (--json lists all)"] if len(cut) > MOST_CUT else []))


def _swept(table: pd.DataFrame, described: dict[str, Any], average: float, rows_are: str) -> str:
    rows = [("keep, %", "paths", "cells", "MACs", f"{rows_are} within, %", f"{rows_are} that open all, %")]
    rows += [
        (
            f"{100 * row.keep:g}",
            f"{row.paths}",
            f"{row.cells}",
            quantity(row.macs),
            f"{100 * row.covered:.1f}",
            f"{100 * row.complete:.1f}",
        )
        for row in table.itertuples()
    ]
    what = f"{described['images']} {rows_are}, {quantity(average)} on average"
    head = f"{described['log']}: {what}; MACs {_counted(described)}"
    return f"{head}\n\n{columns(rows, '>>>>>>')}"


def _counted(described: dict[str, Any]) -> str:
    """Convention and size of image of the MACs."""
    size = described["image_size"]
    return described["convention"] + (f", {size[0]}x{size[1]}" if size else ", as recorded")


def _parameters(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    if found["parameters"] is None:
        return []
    every = quantity(found["parameters_of_the_network"])
    return [("parameters", quantity(found["parameters"]), f"of {every} in the network")]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records"))


def _draw(table: pd.DataFrame, path: Path, average: float, convention: str, rows_are: str) -> None:
    from routeviz.plots import plot_common, save_figure

    kind = path.suffix.removeprefix(".")
    if kind not in ("pdf", "svg", "png"):
        raise click.UsageError(f"--plot {path}: name it *.pdf, *.svg or *.png")
    drawn = plot_common(table, average=average, convention=convention, rows=rows_are)
    save_figure(drawn, path.with_suffix(""), formats=[kind])


def _write(
    common: CommonNetwork, log: RouteLog, checkpoint: Path, small_gate: bool | None, out: Path, factors: str
) -> str:
    from routeviz.network import fixed_network, load_checkpoint, save_checkpoint

    if out.exists() and out.samefile(checkpoint):
        raise click.UsageError(f"--out {out} is the checkpoint itself; name another file")
    net = load_checkpoint(checkpoint, small_gate=small_gate)
    traced = (log.source.get("checkpoint") or {}).get("sha256")
    warning = ""
    if traced not in (None, net.provenance["sha256"]):
        warning = f"\nnote: the log was traced with another file than {checkpoint.name}; the weights may not be its own"
    fixed = fixed_network(net, common.route)
    extra = {"common": {"keep": common.keep, "factors": factors, "images": len(log), "log": log.digest}}
    save_checkpoint(fixed, out, step=net.provenance["step"] or 0, extra=extra)
    return (
        f"wrote {out}: {common.route.name}, {quantity(sum(p.numel() for p in fixed.parameters()))} parameters{warning}"
    )
