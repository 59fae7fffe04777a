"""``routeviz stats``: a route log in figures, and the use of its cells and paths."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from routeviz.cli.experts import expert_data, expert_report
from routeviz.cli.options import example, json_option
from routeviz.cli.tables import columns, grid
from routeviz.quantities import percent

if TYPE_CHECKING:
    import pandas as pd

    from routeviz.routelog import RouteLog


@click.command(epilog=example("routeviz stats log", "routeviz stats log --json > figures.json"))
@click.argument("log", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--by", metavar="COLUMN", help="Of experts, branches and channel groups: the classes that they may be told by."
)
@json_option
def command(log: Path, by: str | None, as_json: bool) -> None:
    """Describe LOG, a route log, in figures: diversity of routes, use of cells and paths, MACs.

    Every figure is shown with its definition; below stand the shares of images that open each cell and each path, and
    how evenly experts, branches and channel groups are used, where there are any.
    """
    from tqdm import tqdm

    from routeviz.routelog import load_log
    from routeviz.space import kind_of
    from routeviz.space.layout import row_words
    from routeviz.stats import cell_usage, path_usage, path_usage_by_layer, summary

    routes = load_log(log)
    describe = (summary, cell_usage, path_usage if as_json else path_usage_by_layer)
    steps = tqdm(describe, desc="describing", unit="table", delay=2)
    figures, cells, paths = (function(routes) for function in steps)
    if as_json:
        data = {
            "log": str(log),
            "figures": [vars(figure) for figure in figures],
            "cells": json.loads(cells.to_json(orient="records")),
            "paths": json.loads(paths.to_json(orient="records")),
        }
        if experts := expert_data(routes, by):
            data["experts"] = experts
        click.echo(json.dumps(data, indent=2))
        return
    experts = expert_report(routes, by)
    click.echo(f"{log}: {_origin(routes)}\n")
    for topic, about in groupby(figures, key=lambda figure: figure.topic):
        rows = [(f.name, f.text, f.unit.removeprefix("share").strip(", "), f.definition) for f in about]
        click.echo(columns([(topic, "value", "unit", "definition"), *rows], "<><<", wrap_last=True) + "\n")
    kind, unnamed = kind_of(routes.space), routes.space.unnamed
    words = {scale: f"s{scale}" if unnamed else word for scale, word in row_words(routes.space).items()}
    across = "layers across, scales down" if unnamed else f"{kind.column}s across"
    column = "L" if unnamed else f"{kind.column} "
    click.echo(f"Cells: % of {routes.rows_are} for which the operation runs ({across})\n")
    cells = cells.pivot(index="scale", columns="layer", values="open")
    click.echo(_percentages(cells, [words[scale] for scale in cells.index], column))
    click.echo(f"\nPaths: % of {routes.rows_are} for which the path is open\n")
    click.echo(_percentages(paths, [f"{words[scale]} {move}".strip() for scale, move in paths.index], column))
    if experts:
        click.echo(f"\n{experts}")


def _origin(log: RouteLog) -> str:
    """What was traced, as far as the log says."""
    checkpoint, dataset = log.source.get("checkpoint") or {}, log.source.get("dataset") or {}
    images = " ".join(str(dataset[key]) for key in ("name", "split") if dataset.get(key))
    parts = [
        f"{len(log)} {log.rows_are}",
        images and f"of {images}",
        checkpoint.get("file") and f"through {checkpoint['file']}",
    ]
    return f"{' '.join(part for part in parts if part)}; {log.space.n_cells} cells, {log.space.n_paths} paths"


def _percentages(table: pd.DataFrame, labels: list[str], column: str) -> str:
    """Shares by row and layer as whole percentages; only a share of 0 shows as 0, and of 1 as 100."""
    shares = table.clip(0.01, 0.99).where(~table.isin([0, 1]), table)
    rows = [[percent(share, ".0f", unit="") for share in row] for row in shares.to_numpy()]
    return grid(labels, [f"{column}{layer}" for layer in table.columns], rows)
