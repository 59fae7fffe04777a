"""``routeviz force``: a dataset's images run again along a forced route, and what that changes."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeviz.cli.formats import UNKNOWN
from routeviz.cli.options import (
    DatasetChoice,
    ImageSize,
    checkpoint_argument,
    convention_option,
    dataset_options,
    device_option,
    example,
    json_option,
)
from routeviz.cli.tables import columns
from routeviz.quantities import count, percent, quantity
from routeviz.writing import whole_file

if TYPE_CHECKING:
    import torch

    from routeviz.counterfactual import ForcedEffect, ForcedRoute
    from routeviz.network import RoutingNetwork

REMARKS = 6

_percent = partial(percent, unit="", unknown=UNKNOWN)
_points = partial(_percent, written="+.1f")


@click.command(
    epilog=example(
        'routeviz force step-006000.safetensors "L9 s1=closed" "L4 s1 down=0.5" --dataset scenes',
        "routeviz force step-006000.safetensors --route forced.json --dataset scenes --image val-00001",
        'routeviz force step-006000.safetensors "L5 s2=open" --dataset scenes --save forced.json',
    )
)
@checkpoint_argument
@click.argument("changes", nargs=-1, metavar="[CHANGE]...")
@dataset_options()
@click.option(
    "--route",
    "route_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A route (JSON, as ForcedRoute.save or Route.save writes it); changes are laid over it.",
)
@click.option("--image", "image_id", metavar="ID", help="Only this image.")
@click.option("--resize", type=ImageSize(), help="Bring images to this size first; labels keep theirs.")
@convention_option
@click.option("--small-gate/--full-gate", default=None, help="For a checkpoint in the released layout.")
@device_option
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="Also keep the forced route here, as JSON."
)
@click.option("--csv", type=click.Path(dir_okay=False, path_type=Path), help="Also write a row for each image here.")
@json_option
def command(
    checkpoint: Path,
    changes: tuple[str, ...],
    dataset: DatasetChoice,
    route_file: Path | None,
    image_id: str | None,
    resize: tuple[int, int] | None,
    convention: str,
    small_gate: bool | None,
    device: torch.device,
    save: Path | None,
    csv: Path | None,
    as_json: bool,
) -> None:
    """Force paths and cells of CHECKPOINT, and see what that changes.

    A CHANGE names a path or a cell (all its paths) and what it is forced to: an activation from 0 to 1, open or closed.
    All other gates are asked again. Of every image: changed pixels, MACs and the gates that answer otherwise; of the
    labelled ones also the IoU of each class.
    """
    from routeviz.counterfactual import forced_effect
    from routeviz.network import load_checkpoint

    images = dataset.open()
    net = load_checkpoint(checkpoint, small_gate=small_gate).to(device)
    route = _route(net, changes, route_file)
    chosen = None if image_id is None else [image_id]
    found = forced_effect(net, images, route, images=chosen, resize=resize, progress=not as_json)
    classes = found.classes(images.class_names)
    if save:
        route.save(save)
    if csv:
        with whole_file(csv) as draft:
            found.images.to_csv(draft, index=False)
    figures = _figures(found, convention)
    if as_json:
        told = {"checkpoint": str(checkpoint), "route": dict(route.changes), **figures, "remarks": found.remarks}
        click.echo(json.dumps(told | {"classes": json.loads(classes.to_json(orient="records"))}, indent=2))
        return
    of = f"image {image_id}" if image_id else f"{count(len(found.images), 'images')} of {dataset.name} {dataset.split}"
    click.echo(columns([(f"{checkpoint.name}, {of}. Forced: {route.to_text()}.",)], "<", wrap_last=True))
    click.echo(f"\n{_table(figures)}")
    if len(classes):
        rows = [
            (row.name, _percent(row.iou_original), _percent(row.iou_forced), _points(row.change))
            for row in classes.itertuples(index=False)
        ]
        click.echo("\n" + columns([("IoU, %", "original", "forced", "change, points"), *rows], "<>>>"))
    for remark, n in list(found.remarks.items())[:REMARKS]:
        where = f" ({n} of {len(found.images)} images)" if len(found.images) > 1 else ""
        click.echo("\n" + columns([("-", f"{remark}{where}")], "<<", wrap_last=True))
    for path, what in ((save, "the forced route, for routeviz trace --route"), (csv, "a row for each image")):
        if path:
            click.echo(f"\nwrote {path}: {what}")


def _route(net: RoutingNetwork, changes: tuple[str, ...], file: Path | None) -> ForcedRoute:
    from routeviz.counterfactual import ForcedRoute

    if not changes and file is None:
        raise click.UsageError('say what is forced: a change such as "L9 s1=closed", or --route FILE')
    forced = ForcedRoute.from_text(net.space, ";".join(changes))
    return forced if file is None else forced.over(ForcedRoute.load(file))


def _figures(found: ForcedEffect, convention: str) -> dict[str, Any]:
    """Means over the images, the convention's MACs among them, and the mIoU of all labelled images."""
    table, apart = found.images, found.difference
    own = {name: float(table[name].mean()) for name in ("changed", "answers", "open_original", "open_forced")}
    return own | {
        "images": len(table),
        "images_changed": int((table["changed"] > 0).sum()),
        "convention": convention,
        "macs_original": float(table[f"macs_{convention}_original"].mean()),
        "macs_forced": float(table[f"macs_{convention}_forced"].mean()),
        "miou_original": None if found.original is None else found.original.miou,
        "miou_forced": None if found.forced is None else found.forced.miou,
        "miou_difference": None if apart is None else apart._asdict(),
    }


def _table(found: dict[str, Any]) -> str:
    apart, original, forced = found["miou_difference"], found["macs_original"], found["macs_forced"]
    rows = [("", "original", "forced", "change")]
    changed = percent(found["changed"], ".2f")
    if found["images"] > 1:
        changed += f", in {found['images_changed']} of {found['images']} images"
    rows.append(("pixels that change class", "", "", changed))
    if found["miou_original"] is not None:
        points = _points(found["miou_forced"] - found["miou_original"])
        ends = "" if apart is None else f" [{_points(apart['low'])}, {_points(apart['high'])}]"
        rows.append(
            ("mIoU, %", _percent(found["miou_original"]), _percent(found["miou_forced"]), f"{points}{ends} points")
        )
    relative = percent(forced / original - 1, "+.2f")
    rows.append((f"MACs ({found['convention']})", quantity(original), quantity(forced), relative))
    opens = found["open_forced"] - found["open_original"]
    rows.append(("open paths", f"{found['open_original']:.1f}", f"{found['open_forced']:.1f}", f"{opens:+.1f}"))
    rows.append(("gates that answer otherwise", "", "", f"{found['answers']:.1f}"))
    words = "In brackets the paired 95 % interval over images." if apart is not None else ""
    return columns(rows, "<>>>") + (f"\n\n{words}" if words else "")
