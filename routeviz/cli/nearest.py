"""``routeviz nearest``: which static architecture each image's route is closest to."""

from __future__ import annotations

import json
from pathlib import Path

import click

from routeviz.cli.options import example, json_option
from routeviz.cli.tables import columns
from routeviz.quantities import count
from routeviz.writing import whole_file


@click.command(epilog=example("routeviz nearest log", "routeviz nearest log --metric hamming --out nearest.csv"))
@click.argument("log", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--metric",
    type=click.Choice(("jaccard", "hamming")),
    default="jaccard",
    show_default=True,
    help="jaccard: weighted, on activations; hamming: on open paths.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="CSV of every image and its architecture.")
@json_option
def command(log: Path, metric: str, out: Path | None, as_json: bool) -> None:
    """Find the static architecture that the route of each of LOG's images is closest to, and count them."""
    from routeviz.routelog import load_log
    from routeviz.space import architectures
    from routeviz.stats import METRICS, architecture_counts, nearest_architecture, route_distances

    routes = load_log(log)
    known = architectures(routes.space)
    nearest = nearest_architecture(routes, metric=metric, routes=known)
    if out:
        with whole_file(out) as draft:
            nearest.to_csv(draft, index=False)
    counts = architecture_counts(nearest).set_index("architecture")
    mean = route_distances(routes, known, metric=metric).mean().sort_values(kind="stable")
    table = [
        {
            "architecture": key,
            "images": int(counts.images.get(key, 0)),
            "share": float(counts.share.get(key, 0)),
            "mean_distance": float(distance),
        }
        for key, distance in mean.items()
    ]
    if as_json:
        data = {"log": str(log), "images": len(routes), "metric": metric, "definition": METRICS[metric]}
        click.echo(json.dumps(data | {"architectures": table}, indent=2))
        return
    click.echo(f"{log}: {count(len(routes), routes.rows_are)}\n{metric}: {METRICS[metric]}\n")
    rows = [
        (
            known[row["architecture"]].name,
            f"{row['images']}",
            f"{100 * row['share']:.1f}",
            f"{row['mean_distance']:.3f}",
        )
        for row in table
    ]
    click.echo(columns([("architecture", f"nearest for {routes.rows_are}", "%", "mean distance"), *rows], "<>>>"))
    if out:
        click.echo(f"\nwrote {out}")
