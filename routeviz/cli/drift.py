"""``routeviz drift``: the routes of the same images over all checkpoints of a training run."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING

import click

from routeviz.cli.options import DatasetChoice, ImageSize, dataset_options, device_option, example, json_option
from routeviz.cli.tables import columns
from routeviz.quantities import percent, quantity
from routeviz.writing import whole_file

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from routeviz.routelog import RouteLog

SHOWN = 12


@click.command(
    epilog=example(
        "routeviz drift runs/scenes --dataset scenes --option length=60 --out drift",
        "routeviz drift runs/budget --dataset camvid --root CamVid --out drift --csv drift.csv",
    )
)
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@dataset_options()
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for a log of each checkpoint; found ones are used.",
)
@click.option("--resize", type=ImageSize(), help="Bring images to this size first.  [default: as the run was trained]")
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Images a batch.")
@click.option(
    "--workers", type=click.IntRange(min=0), default=1, show_default=True, help="Processes that decode images."
)
@click.option("--csv", type=click.Path(dir_okay=False, path_type=Path), help="Also write the table here.")
@device_option
@json_option
def command(
    run: Path,
    dataset: DatasetChoice,
    out: Path,
    resize: tuple[int, int] | None,
    batch_size: int,
    workers: int,
    csv: Path | None,
    device: torch.device,
    as_json: bool,
) -> None:
    """Follow the routes of the same images over all checkpoints of RUN.

    Each checkpoint is traced into a route log of its own, OUT/step-001200 and so on. Stopped and called again, or after
    further training, the same command traces only what is not there yet.
    """
    from routeviz.errors import InputError
    from routeviz.network import load_checkpoint
    from routeviz.progress import Bar
    from routeviz.stats import DRIFT_WORDS, collapses, drift, path_courses, path_events
    from routeviz.tracing import trace
    from routeviz.training import checkpoint_paths, read_config

    images, resize = dataset.open(), resize or read_config(run).resize
    checkpoints = checkpoint_paths(run)
    if not checkpoints:
        raise InputError(f"{run} holds no checkpoints/step-*.safetensors; give a run that has come to one")
    logs: dict[int, RouteLog] = {}
    with Bar(desc="checkpoints", total=len(checkpoints), unit="checkpoint", delay=2, disable=as_json) as bar:
        for step, path in checkpoints.items():
            logs[step] = trace(
                load_checkpoint(path).to(device),
                images,
                out=out / path.stem,
                resize=resize,
                batch_size=batch_size,
                workers=workers,
                progress=not as_json,
            )
            bar.update()
    table, events, entropies, warnings = drift(logs), path_events(logs), path_courses(logs), collapses(logs)
    if csv:
        with whole_file(csv) as draft:
            table.to_csv(draft, index=False)
    if as_json:
        data = {
            "run": str(run),
            "images": len(logs[min(logs)]),
            "logs": {step: str(out / path.stem) for step, path in checkpoints.items()},
            "steps": _records(table),
            "events": _records(events),
            "gate_entropy": _records(entropies.reset_index()),
            "warnings": _records(warnings),
        }
        click.echo(json.dumps(data, indent=2))
        return
    click.echo(f"{run}: {len(logs)} checkpoints on the same {len(logs[min(logs)])} images\n")
    click.echo(f"{_steps(table)}\n\n{columns(list(DRIFT_WORDS.items()), '<<', wrap_last=True)}\n")
    click.echo(f"{_entropies(entropies)}\n\n{_events(events)}\n\n{_warnings(warnings, max(logs))}")
    click.echo(f"\nThe route logs are in {out}" + (f"\nwrote {csv}" if csv else ""))


def _steps(table: pd.DataFrame) -> str:
    costs = [name for name in ("macs_released", "expected_macs_released") if name in table]
    header = ["step", "alive", "born", "died", "changed", "open", "decided", "entropy", "routes"]
    header += ["mIoU"] if "miou" in table else []
    for name in costs:
        header += ["expected" if name.startswith("expected") else "MACs", "of first"]
    rows = [header]
    for row in table.to_dict("records"):
        texts = [f"{row[name]}" for name in ("step", "alive", "born", "died")]
        texts += [percent(row["changed"]), percent(row["open"]), f"{row['decided']}"]
        texts += [f"{row['entropy']:.3f}", f"{row['routes']}"]
        texts += [percent(row["miou"])] if "miou" in row else []
        for name in costs:
            texts += [quantity(row[name]), percent(row[name] / table[name][0])]
        rows.append(texts)
    return columns(rows, ">" * len(header))


def _entropies(table: pd.DataFrame) -> str:
    last = table.columns[-1]
    static = int((table[last] == 0).sum())
    head = f"At step {last}, {static} of {len(table)} gates decide alike for all images (entropy 0)"
    most = table[table[last] > 0].sort_values(last, ascending=False, kind="stable")[:SHOWN]
    if most.empty:
        return f"{head}: the network is static."
    rows = [("bits at step", *map(str, table.columns))]
    rows += [(path, *(f"{value:.3f}" for value in values)) for path, *values in most.itertuples()]
    return f"{head}; those that decide most:\n\n{columns(rows, '<' + '>' * table.shape[1])}"


def _events(events: pd.DataFrame) -> str:
    if events.empty:
        return "No path was born or died."
    lines = []
    for (step, event), paths in events.groupby(["step", "event"], sort=False).path:
        named = ", ".join(paths[:SHOWN]) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")
        lines.append((f"by step {step}", event, f"{len(paths)}", named))
    return "Paths born and died\n\n" + columns(lines, "<<><", wrap_last=True)


def _warnings(warnings: pd.DataFrame, last: int) -> str:
    if warnings.empty:
        return f"No collapse at step {last}."
    lines = [f"Warnings at step {last}, each with the step since which it holds"]
    for (_, meaning), found in warnings.groupby(["kind", "meaning"], sort=False):
        kind = found.kind.iloc[0]
        named = ", ".join(f"{row.where} ({row.since})" for row in found[:SHOWN].itertuples())
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        text = f"{kind}, {len(found)}: {meaning}. {named}{more}"
        lines.append(fill(text, get_terminal_size().columns, initial_indent="- ", subsequent_indent="  "))
    return "\n".join(lines)


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    return json.loads(table.to_json(orient="records"))
