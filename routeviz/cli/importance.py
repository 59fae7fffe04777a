"""``routeviz importance``: what closing each path does to segmentations and MACs; paths that cost and do nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from routeviz.cli.formats import FORMATS, UNKNOWN, table_text
from routeviz.cli.options import (
    RANKINGS,
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
from routeviz.quantities import quantity
from routeviz.writing import whole_file

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from routeviz.counterfactual import Importance, Limits

SHOWN = 15

ONE = (
    ("activation", "of the path in this image"),
    ("pixels", "share of the pixels whose class changes when the path is closed"),
    ("KL", "divergence of the class probabilities from the original's, in nats, mean over pixels"),
    ("mIoU", "change of this image's mIoU, in points"),
    ("MACs", "change, convention {convention}; above 0 where gates further on then open more"),
)
MANY = (
    ("open", "share of the images that open the path; they alone count for pixels, KL and MACs"),
    ("pixels", "share of the pixels whose class changes when the path is closed, mean over images"),
    ("KL", "divergence of the class probabilities from the original's, in nats, mean over pixels and images"),
    ("mIoU", "change of the mIoU over all images, from counts that are added up, in points"),
    ("MACs", "change, convention {convention}; above 0 where gates further on then open more"),
)


def _limit(name: str, default: float, text: str) -> Any:
    return click.option(name, type=click.FloatRange(0, 1), default=default, show_default=True, help=text)


@click.command(
    epilog=example(
        "routeviz importance step-006000.safetensors --dataset scenes --out importance",
        "routeviz importance step-005600.safetensors --dataset camvid --root CamVid --resize 180x240 --out importance",
        "routeviz importance step-006000.safetensors --dataset scenes --image val-00001 --rank kl",
    )
)
@checkpoint_argument
@dataset_options()
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the result; a started one goes on.")
@click.option("--image", "image_id", metavar="ID", help="Only this image; --out may be left out then.")
@click.option("--resize", type=ImageSize(), help="Bring images to this size first; labels keep theirs.")
@click.option(
    "--route",
    "route_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Force this on the original already (JSON, as ForcedRoute.save writes it).",
)
@click.option(
    "--rank",
    type=click.Choice(RANKINGS),
    default=RANKINGS[0],
    show_default=True,
    help="What paths are ranked by: changed pixels, KL, mIoU (largest fall first) or MACs (largest saving first).",
)
@click.option("--top", type=click.IntRange(min=0), default=SHOWN, show_default=True, help="Paths shown; --csv has all.")
@convention_option
@_limit("--often", 0.5, "Least share of images that open a path for it to be often open.")
@_limit("--costly", 0.001, "Least share of MACs that closing a path saves for it to be costly.")
@_limit("--useless-pixels", 0.005, "Largest share of pixels that closing a path changes for it to be useless.")
@_limit("--useless-miou", 0.001, "Largest fall of mIoU for it to be useless; 0.001 is 0.1 points.")
@click.option(
    "--workers", type=click.IntRange(min=0), default=1, show_default=True, help="Processes that decode images."
)
@click.option("--small-gate/--full-gate", default=None, help="For a checkpoint in the released layout.")
@device_option
@click.option("--format", "style", type=click.Choice(FORMATS), default="terminal", show_default=True)
@click.option("--csv", type=click.Path(dir_okay=False, path_type=Path), help="Also write every path and column here.")
@json_option
def command(
    checkpoint: Path,
    dataset: DatasetChoice,
    out: Path | None,
    image_id: str | None,
    resize: tuple[int, int] | None,
    route_file: Path | None,
    rank: str,
    top: int,
    convention: str,
    often: float,
    costly: float,
    useless_pixels: float,
    useless_miou: float,
    workers: int,
    small_gate: bool | None,
    device: torch.device,
    style: str,
    csv: Path | None,
    as_json: bool,
) -> None:
    """Close each path of CHECKPOINT's routes in turn, and see which matter.

    For every image and every path that it opens: changed pixels, KL divergence, mIoU where there are labels, and MACs;
    over the dataset, the paths that are costly, often open and useless. Stopped at any moment and called again, the
    same command goes on where it was.
    """
    if out is None and image_id is None:
        raise click.UsageError("give --out, the folder in which the result is kept, or --image for one image alone")
    from routeviz.counterfactual import ForcedRoute, Limits, flag_paths, importance, ranked
    from routeviz.network import load_checkpoint

    images = dataset.open()
    net = load_checkpoint(checkpoint, small_gate=small_gate)
    found = importance(
        net.to(device),
        images,
        images=None if image_id is None else [image_id],
        out=out,
        resize=resize,
        route=None if route_file is None else ForcedRoute.load(route_file),
        workers=workers if image_id is None else 0,
        progress=not as_json,
    )
    if os.environ.get("RANK", "0") != "0":
        return
    limits = Limits(often=often, costly=costly, pixels=useless_pixels, miou=useless_miou)
    table = flag_paths(found.table(), limits, convention=convention)
    best = ranked(table, rank, convention=convention)
    if csv:
        with whole_file(csv) as draft:
            table.to_csv(draft, index=False)
    if as_json:
        data = _described(found, checkpoint, out) | {"convention": convention, "limits": vars(limits)}
        click.echo(json.dumps(data | {"paths": json.loads(table.to_json(orient="records"))}, indent=2))
    elif style == "terminal":
        click.echo(_report(found, table, best[:top], limits, checkpoint, convention, rank))
        for path, what in ((out, "what each path does to each image"), (csv, "one row a path")):
            if path:
                click.echo(f"wrote {path}: {what}")
    elif style == "csv":
        click.echo(best.to_csv(index=False).rstrip("\n"))
    else:
        header, rows = _rows(best[:top], len(found), convention)
        notes = [f"{word}: {text}." for word, text in _words(len(found), convention)]
        click.echo(table_text(header, rows, style, align="<" + ">" * (len(header) - 2) + "<", notes=notes))


def _described(found: Importance, checkpoint: Path, out: Path | None) -> dict[str, Any]:
    own = {name: float(counts[:, 0].mean()) for name, counts in found.macs.items()}
    return {
        "checkpoint": str(checkpoint),
        "out": None if out is None else str(out),
        "images": len(found),
        "miou": found.miou(),
        "macs": own,
    }


def _report(
    found: Importance,
    table: pd.DataFrame,
    best: pd.DataFrame,
    limits: Limits,
    checkpoint: Path,
    convention: str,
    rank: str,
) -> str:
    n = len(found)
    opened = int((table["open"] > 0).sum())
    what = f"image {found.images['id'][0]}" if n == 1 else f"{n} images"
    facts = [f"{opened} of {len(table)} paths are open{'' if n == 1 else ' in any of them'}"]
    facts += [f"mIoU {100 * miou:.1f} %"] if (miou := found.miou()) is not None else []
    facts += [f"MACs ({convention}) {quantity(float(found.macs[convention][:, 0].mean()))}"]
    header, rows = _rows(best, n, convention)
    by = {"changed": "changed pixels", "kl": "KL", "miou": "fall of mIoU", "macs": "saved MACs"}[rank]
    labelled = miou is not None
    words = list(_words(n, convention)) if labelled else [one for one in _words(n, convention) if one[0] != "mIoU"]
    words += [one for one in limits.words(convention, labelled=labelled).items() if n > 1 or one[0] != "often open"]
    parts = [
        _wrapped(f"{checkpoint.name}, {what}: {'; '.join(facts)}."),
        f"Paths that matter most, by {by}, closed one at a time\n\n"
        + columns([header, *rows], "<" + ">" * (len(header) - 2) + "<"),
        columns(words, "<<", wrap_last=True),
        _flagged(table[table["flagged"]], n, convention),
    ]
    return "\n\n".join(parts)


def _words(n_images: int, convention: str) -> list[tuple[str, str]]:
    return [(word, text.format(convention=convention)) for word, text in (ONE if n_images == 1 else MANY)]


def _rows(table: pd.DataFrame, n_images: int, convention: str) -> tuple[list[str], list[list[str]]]:
    one = n_images == 1
    header = ["path", "activation" if one else "open, %", "pixels, %", "KL", "mIoU, points", "MACs, %", ""]
    rows = []
    for row in table.to_dict("records"):
        words = [word for word in ("often open", "costly", "useless") if row[word.replace(" ", "_")]]
        words = words if not one else [word for word in words if word != "often open"]
        rows.append(
            [
                row["path"],
                f"{row['activation']:.3f}" if one else f"{100 * row['open']:.1f}",
                f"{100 * row['changed_open']:.2f}",
                f"{row['kl_open']:.2g}",
                UNKNOWN if row["miou"] != row["miou"] else _signed(row["miou"]),
                _signed(-row[f"saved_{convention}"]),
                ", ".join(words),
            ]
        )
    return header, rows


def _signed(share: float) -> str:
    """A change in percent or points; one that is nearly nothing has no minus."""
    return f"{round(100 * share, 2) + 0:+.2f}"


def _flagged(table: pd.DataFrame, n_images: int, convention: str) -> str:
    words = "Costly and useless here" if n_images == 1 else "Costly, often open and useless"
    if table.empty:
        return f"{words}: no path."
    table = table.sort_values(f"saved_{convention}", ascending=False, kind="stable")
    header, rows = _rows(table, n_images, convention)
    note = "Each was closed alone; together they may do more."
    return f"{words}: {len(table)} paths. {note}\n\n" + columns(
        [header[:-1], *(row[:-1] for row in rows)], "<" + ">" * (len(header) - 2)
    )


def _wrapped(text: str) -> str:
    return fill(text, get_terminal_size().columns)
