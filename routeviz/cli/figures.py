"""``routeviz figures``: every figure of a paper that a route log permits, in files for print."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeviz.cli.material import gather_material, hint
from routeviz.cli.options import convention_option, example, json_option
from routeviz.errors import DatasetError, InputError
from routeviz.writing import draft_folder

if TYPE_CHECKING:
    from routeviz.routelog import RouteLog

# Named here because the catalogue costs an import; a test holds the two together.
NAMES = (
    *("routing_space", "route", "route_differences", "architectures", "usage", "activations"),
    *("macs", "accuracy", "similarity", "embedding", "training_activations", "training_budget"),
    *("importance", "experts"),
)
FORMATS = ("pdf", "svg", "png", "csv")

folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(
    epilog=example(
        "routeviz figures log --out figures",
        "routeviz figures log --out figures --root CamVid --run runs/budget --run runs/raw",
        "routeviz figures log --out figures --only route --image 0016E5_08159 --format pdf --width column",
    )
)
@click.argument("log", type=folder)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the files.")
@click.option("--run", "runs", multiple=True, type=folder, help="A training run; the first one made the checkpoint.")
@click.option("--other", "others", multiple=True, type=folder, help="Another route log, such as of another budget.")
@click.option("--root", type=folder, help="The dataset's folder, for the pictures.")
@click.option(
    "--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="What was traced, to segment."
)
@click.option("--image", default="", metavar="ID", help="Whose route is drawn; the log's first row by default.")
@click.option(
    "--by", default="", metavar="COLUMN", help="Column that groups the rows; the scale of objects by default."
)
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Draw this figure; several times for several.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMATS),
    help="Kind of file; several times for several. csv: the figure's data. By default pdf, svg and png.",
)
@click.option(
    "--width", metavar="column|text|INCHES", help="3.25 in, 6.875 in or a number; by default as suits each figure."
)
@convention_option
@json_option
def command(
    log: Path,
    out: Path,
    runs: tuple[Path, ...],
    others: tuple[Path, ...],
    root: Path | None,
    checkpoint: Path | None,
    image: str,
    by: str,
    only: tuple[str, ...],
    formats: tuple[str, ...],
    width: str | None,
    convention: str,
    as_json: bool,
) -> None:
    """Draw LOG, a route log: every figure of a paper that it permits, in PDF, SVG and PNG.

    Pictures come from the dataset's folder, segmentations from the checkpoint, and figures of the training from its
    run. What cannot be drawn is left out, and the reason said. Files in DIR are replaced when all are ready.
    """
    from tqdm import tqdm

    from routeviz.plots.catalogue import FIGURES
    from routeviz.plots.style import inches

    asked = [name for name in NAMES if name in only] or list(NAMES)
    size = None if width is None else inches(_number(width))
    material, notes = gather_material(
        log, runs, root, checkpoint, others=others, image=image, convention=convention, by=by
    )
    about = _about(log, material.log)
    left_out: dict[str, str] = {}
    with draft_folder(out) as part:
        for name in tqdm(asked, desc="drawing", unit="figure", disable=as_json, delay=2):
            try:
                sheet = FIGURES[name].describe(material)
            except (InputError, DatasetError) as error:
                left_out[name] = f"{error}{hint(name, material)}"
                if only:
                    raise InputError(f"cannot draw {name}: {left_out[name]}") from error
                continue
            _write(part / name, sheet, formats or FORMATS[:3], size, f"{FIGURES[name].call}; {about}")
        if not any(part.iterdir()):
            raise InputError(f"{log} permits no figure; {next(iter(left_out.values()))}")
        files = sorted(part.iterdir())
        out.mkdir(parents=True, exist_ok=True)
        for file in files:
            os.replace(file, out / file.name)
    written = [str(out / file.name) for file in files]
    if as_json:
        click.echo(json.dumps({"files": written, "left_out": left_out, "notes": notes}, indent=2))
        return
    drawn = [name for name in asked if name not in left_out]
    click.echo(f"wrote {len(written)} files of {len(drawn)} figures to {out}: {', '.join(drawn)}")
    for name, reason in left_out.items():
        click.echo(f"left out {name}: {reason}")
    for note in notes:
        click.echo(f"note: {note}")


def _number(width: str) -> str | float:
    try:
        return float(width)
    except ValueError:
        return width


def _write(path: Path, sheet: Any, formats: Sequence[str], width: float | None, about: str) -> None:
    from routeviz.plots import render_figure

    drawn = [name for name in formats if name != "csv"]
    if drawn:
        for suffix, data in render_figure(sheet, formats=drawn, width=width, about=about).items():
            path.with_suffix(f".{suffix}").write_bytes(data)
    if "csv" in formats:
        sheet.table().to_csv(path.with_suffix(".csv"), index=False)


def _about(path: Path, log: RouteLog) -> str:
    """Where the routes come from, for the files' own metadata."""
    made_by = log.source.get("checkpoint") or {}
    words = f"route log {path.resolve().name}, digest {log.digest}"
    return f"{words}, checkpoint {made_by['file']}, SHA-256 {made_by['sha256']}" if made_by.get("sha256") else words
