"""``routeviz front``: mIoU against MACs as a trained network's paths are closed, any point a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING

import click

from routeviz.cli.formats import FORMATS, UNKNOWN, table_text
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
from routeviz.quantities import quantity, unit_of

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from routeviz.counterfactual import Front


def _numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    try:
        return None if value is None else tuple(float(part) for part in value.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{value!r}: write numbers with commas between, as in 0.1,0.2,0.4") from None


@click.command(
    epilog=example(
        "routeviz front step-005600.safetensors --dataset camvid --root CamVid --resize 180x240 --out front",
        "routeviz front step-005600.safetensors --out front --write greedy-03 --to smaller.safetensors",
        "routeviz front model.safetensors --dataset scenes --out front --other small=o.safetensors --plot front.pdf",
    )
)
@checkpoint_argument
@dataset_options(required=False)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The front's folder; a started one goes on."
)
@click.option("--resize", type=ImageSize(), help="Bring images to this size first; labels keep theirs.")
@click.option(
    "--thresholds", callback=_numbers, metavar="T,T,...", help="Each shuts the paths that are open no further."
)
@click.option("--rounds", type=click.IntRange(min=0), help="Most greedy rounds.  [default: 12]")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    help="Of the MACs (conv) as trained, what a round is to save.",
)
@click.option("--rank-split", default="train", show_default=True, help="Split on which greedy rounds rank the paths.")
@click.option(
    "--rank-images", type=click.IntRange(min=1), default=16, show_default=True, help="How many of its images."
)
@click.option("--other", "others", multiple=True, metavar="NAME=CHECKPOINT", help="Another network to compare with.")
@convention_option
@click.option("--write", "point", metavar="POINT", help="Write this point's network as a checkpoint; needs --to.")
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="Where: *.safetensors.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it: *.pdf, *.svg, *.png or *.html.")
@click.option("--format", "style", type=click.Choice(FORMATS), default="terminal", show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Images a batch.")
@click.option(
    "--workers", type=click.IntRange(min=0), default=1, show_default=True, help="Processes that decode images."
)
@click.option("--small-gate/--full-gate", default=None, help="For checkpoints in the released layout.")
@device_option
@json_option
def command(
    checkpoint: Path,
    dataset: DatasetChoice | None,
    out: Path,
    resize: tuple[int, int] | None,
    thresholds: tuple[float, ...] | None,
    rounds: int | None,
    share: float,
    rank_split: str,
    rank_images: int,
    others: tuple[str, ...],
    convention: str,
    point: str | None,
    target: Path | None,
    plot: Path | None,
    style: str,
    batch_size: int,
    workers: int,
    small_gate: bool | None,
    device: torch.device,
    as_json: bool,
) -> None:
    """Close more and more paths of CHECKPOINT, without training, and trace mIoU against MACs.

    Under a threshold, a path shuts for the images that open it no further than that; greedily, rounds shut for all
    images the paths that do least for the MACs they save. mIoU is that of all images together. Efficient points, which
    no other beats, are marked. Stopped and called again, the command goes on; without --dataset it shows, draws and
    writes what is there.
    """
    if (point is None) != (target is None):
        raise click.UsageError("--write and --to belong together: which point, and where to write it")
    if target is not None and target.suffix != ".safetensors":
        raise click.UsageError(f"--to {target}: name it *.safetensors")
    if target is not None and target.exists() and target.samefile(checkpoint):
        raise click.UsageError(f"--to {target} is the checkpoint itself; name another file")
    if plot is not None and plot.suffix not in (".pdf", ".svg", ".png", ".html"):
        raise click.UsageError(f"--plot {plot}: name it *.pdf, *.svg, *.png or *.html")
    from routeviz.counterfactual import budget_front, load_front
    from routeviz.counterfactual.front import read_front
    from routeviz.counterfactual.sweep import ROUNDS, THRESHOLDS, point_names
    from routeviz.network import load_checkpoint, save_checkpoint

    thresholds, rounds = THRESHOLDS if thresholds is None else thresholds, ROUNDS if rounds is None else rounds
    if dataset is None:
        front = load_front(out)
    else:
        kept = (read_front(out) or {"points": ()})["points"]
        own = [one["figures"]["name"] for one in kept if one["open_threshold"] is not None]
        possible = dict.fromkeys([*point_names(thresholds, rounds), *own])
        if point is not None and point not in possible:
            raise click.UsageError(f"--write {point}: there will be no such point, but {', '.join(possible)}")
        networks = dict(_named(text) for text in others)
        images = dataset.open()
        front = budget_front(
            load_checkpoint(checkpoint, small_gate=small_gate).to(device),
            images,
            out=out,
            thresholds=thresholds,
            rounds=rounds,
            share=share,
            rank_on=dataset.open(split=rank_split) if rounds != 0 else None,
            rank_images=rank_images,
            others={name: load_checkpoint(path, small_gate=small_gate).to(device) for name, path in networks.items()},
            resize=resize,
            batch_size=batch_size,
            workers=workers,
            progress=not as_json,
        )
    table = front.table(convention)
    if as_json:
        click.echo(json.dumps(_figures(front, table, out, convention), indent=2))
    elif style == "csv":
        click.echo(table.to_csv(index=False).rstrip("\n"))
    else:
        click.echo(_text(front, table, out, convention, style))
    if plot:
        _draw(front, plot, convention)
        click.echo(f"\nwrote {plot}", err=as_json)
    if target:
        net = load_checkpoint(checkpoint, small_gate=small_gate)
        extra = {"front": {"point": point, "checkpoint": net.provenance["sha256"]}}
        save_checkpoint(front.network(net, point), target, step=net.provenance["step"] or 0, extra=extra)
        click.echo(f"\nwrote {target}: the weights of {checkpoint.name} with the thresholds of {point}", err=as_json)


def _named(text: str) -> tuple[str, Path]:
    name, sign, rest = text.partition("=")
    path = Path(rest if sign else text)
    if not path.is_file():
        raise click.UsageError(f"--other {text}: there is no checkpoint {path}; write NAME=CHECKPOINT")
    return (name if sign else path.stem), path


def _figures(front: Front, table: pd.DataFrame, out: Path, convention: str) -> dict[str, object]:
    points = json.loads(table.to_json(orient="records"))
    for row in points:
        row["open_threshold"] = front.thresholds.get(row["name"])
    settings = {key: front.settings[key] for key in ("checkpoint", "dataset", "resize", "ranking")}
    return {
        "front": str(out),
        "convention": convention,
        **settings,
        "points": points,
        "verdict": front.verdict(convention),
    }


def _text(front: Front, table: pd.DataFrame, out: Path, convention: str, style: str) -> str:
    unit, letter = unit_of(table[f"macs_{convention}"].max())
    header = [
        "point",
        "efficient",
        "open paths",
        "mIoU, % [95 %]",
        "difference [95 %, paired]",
        f"MACs, {letter}".removesuffix(", "),
        "saved, %",
    ]
    rows = [
        [
            row["name"],
            "yes" if row["efficient"] else UNKNOWN if row["kind"] == "other" else "",
            f"{row['open']:.1f}",
            _interval(row, "miou"),
            "" if row["kind"] == "trained" else _interval(row, "difference", "+"),
            f"{row[f'macs_{convention}'] / unit:,.1f}",
            f"{100 * row['saved']:.1f}",
        ]
        for row in table.to_dict("records")
    ]
    text = table_text(header, rows, style, align="<<>>>>>")
    about = (
        f"MACs on average, convention {convention}; intervals are over images (bootstrap), differences to as-trained."
    )
    if (table.kind == "greedy").any():
        on = "{images} images of {dataset}, {split}".format(**front.settings["ranking"])
        about += f" Paths were ranked for the greedy rounds on {on}."
    if style != "terminal":
        comment = "% " if style == "latex" else ""
        return "\n".join([f"{comment}{about}", "", text, "", *(comment + one for one in front.verdict(convention))])
    width = get_terminal_size().columns
    said = [fill(one, width, initial_indent="- ", subsequent_indent="  ") for one in front.verdict(convention)]
    images = int(table.images.max())
    head = f"{out}: {len(table)} points, each on {images} images; {quantity(table[f'macs_{convention}'].max())} at most"
    return "\n".join([head, fill(about, width), "", text, "", *said])


def _interval(row: dict[str, float], name: str, sign: str = "") -> str:
    value, low, high = (f"{100 * row[key]:{sign}.1f}" for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} [{low}, {high}]".replace("-", "−")


def _draw(front: Front, path: Path, convention: str) -> None:
    from routeviz.plots import plot_front, save_figure

    kind = path.suffix.removeprefix(".")
    drawn = plot_front(front.points, convention=convention, backend="screen" if kind == "html" else "paper")
    save_figure(drawn, path.with_suffix(""), formats=[kind])
