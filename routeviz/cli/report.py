"""``routeviz report``: a route log as one HTML file that opens anywhere."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from routeviz.cli.material import gather_material, hint
from routeviz.cli.options import example, json_option
from routeviz.quantities import count

folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(
    epilog=example(
        "routeviz report log --out report.html",
        "routeviz report log --out report.html --root CamVid --run runs/budget --title 'A budget of 0.1'",
    )
)
@click.argument("log", type=folder)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The HTML file.")
@click.option("--run", "runs", multiple=True, type=folder, help="A training run; the first one made the checkpoint.")
@click.option("--root", type=folder, help="The dataset's folder, for the pictures.")
@click.option(
    "--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="What was traced, to segment."
)
@click.option("--title", default="", help="Of the page; by default what was traced.")
@json_option
def command(
    log: Path,
    out: Path,
    runs: tuple[Path, ...],
    root: Path | None,
    checkpoint: Path | None,
    title: str,
    as_json: bool,
) -> None:
    """Write LOG, a route log, as one HTML file that needs no server and no network.

    It holds the routes of up to 200 images to hover, every figure of a paper that the log permits, what was measured
    with its definitions, the use of cells and paths, and the settings and hashes of all it comes from. The same log
    gives the same bytes.
    """
    from routeviz.report import write_report

    material, notes = gather_material(log, runs, root, checkpoint)
    # Without the file's own name: pages of one log are equal, whatever they are called.
    given = [*(("--run", run) for run in runs), ("--root", root), ("--checkpoint", checkpoint), ("--title", title)]
    words = ["routeviz", "report", log, "--out", "report.html", *(word for pair in given if pair[1] for word in pair)]
    again = shlex.join(map(str, words))
    report = write_report(material, out, title=title, command=again, progress=not as_json)
    left_out = {name: reason + hint(name, material) for name, reason in report.left_out.items()}
    if as_json:
        facts = {"images": len(report.images), "figures": report.figures, "left_out": left_out, "notes": notes}
        click.echo(json.dumps({"file": str(out), "bytes": len(report.html), **facts}, indent=2))
        return
    n, shown = len(material.log), len(report.images)
    every = count(n, material.log.rows_are)
    images = f"a sample of {shown} of {every}" if shown < n else every
    click.echo(f"wrote {out}, {len(report.html) / 1e6:.1f} MB: routes of {images}, {len(report.figures)} figures")
    for name, reason in left_out.items():
        click.echo(f"left out {name}: {reason}")
    for note in notes:
        click.echo(f"note: {note}")
