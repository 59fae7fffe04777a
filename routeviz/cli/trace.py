"""``routeviz trace``: from a checkpoint and images to a route log."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeviz.cli.options import (
    EXECUTIONS,
    DatasetChoice,
    ImageSize,
    checkpoint_argument,
    dataset_options,
    device_option,
    example,
    json_option,
)

if TYPE_CHECKING:
    import torch

    from routeviz.routelog import RouteLog

SHOWN_SKIPPED = 10


@click.command(
    epilog=example(
        "routeviz trace step-008000.safetensors --dataset camvid --root CamVid --out log",
        "routeviz trace step-008000.safetensors --dataset folder --root pictures --resize 512x1024 --out log",
        "torchrun --nproc-per-node=4 -m routeviz trace released.pth --dataset cityscapes --root Cityscapes --out log",
    )
)
@checkpoint_argument
@dataset_options()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The log's folder; a started log goes on.")
@click.option("--resize", type=ImageSize(), help="Bring images to this size first; labels keep theirs.")
@click.option(
    "--route",
    "route_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Send every image along this route (JSON, as Route.save or ForcedRoute.save writes it); where it is silent, "
    "the gates are asked.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Images a batch.")
@click.option(
    "--workers", type=click.IntRange(min=0), default=1, show_default=True, help="Processes that decode images."
)
@click.option(
    "--execution",
    type=click.Choice(EXECUTIONS),
    help="How the network computes; by default captured on a GPU, else folded. dense: all transforms of live cells, "
    "times their gates, as the released code; sparse: what is open alone; folded: sparse, with batch norms folded into "
    "convolutions; captured: everything, masked, as one CUDA graph.",
)
@click.option(
    "--small-gate/--full-gate",
    default=None,
    help="Gate of a released checkpoint whose weights cannot tell.",
)
@device_option
@json_option
def command(
    checkpoint: Path,
    dataset: DatasetChoice,
    out: Path,
    resize: tuple[int, int] | None,
    route_file: Path | None,
    batch_size: int,
    execution: str | None,
    workers: int,
    small_gate: bool | None,
    device: "torch.device",
    as_json: bool,
) -> None:
    """Record the routes that a dataset's images take through a checkpoint.

    The log holds every gate of every image, with its MACs and, where there are labels, its accuracy and the sizes of
    its objects. Stopped at any moment and called again, the same command goes on where it was.
    """
    from routeviz.counterfactual import ForcedRoute
    from routeviz.network import load_checkpoint
    from routeviz.tracing import trace

    images = dataset.open()
    net = load_checkpoint(checkpoint, small_gate=small_gate)
    net.execution = execution or ("captured" if device.type == "cuda" else "folded")
    log = trace(
        net.to(device),
        images,
        batch_size=batch_size,
        out=out,
        resize=resize,
        route=None if route_file is None else ForcedRoute.load(route_file),
        workers=workers,
        progress=not as_json,
    )
    if os.environ.get("RANK", "0") != "0":
        return
    if as_json:
        click.echo(json.dumps(_facts(log, out)))
    else:
        click.echo(_report(log, out))


def _facts(log: "RouteLog", out: Path) -> dict[str, Any]:
    macs = log.facts("macs_conv")["macs_conv"]
    scored = "miou" in log.columns
    return {
        "log": str(out),
        "digest": log.digest,
        "images": len(log),
        "skipped": [image._asdict() for image in log.skipped],
        "macs_conv": {"avg": float(macs.mean()), "max": int(macs.max()), "min": int(macs.min())},
        "miou": float(log.facts("miou")["miou"].mean()) if scored else None,
    }


def _report(log: "RouteLog", out: Path) -> str:
    facts = _facts(log, out)
    lines = [f"{'images':<24}{facts['images']:>10,}", f"{'skipped':<24}{len(facts['skipped']):>10,}"]
    if facts["miou"] is not None:
        lines.append(f"{'mIoU, mean of images':<24}{facts['miou']:>10.1%}")
    for key, value in facts["macs_conv"].items():
        lines.append(f"{f'MACs (conv), {key}':<24}{value / 1e6:>10,.1f} M")
    lines += [f"not readable: {image.reason}" for image in log.skipped[:SHOWN_SKIPPED]]
    if len(log.skipped) > SHOWN_SKIPPED:
        lines.append(f"... and {len(log.skipped) - SHOWN_SKIPPED} more, all in {out / 'log.json'}")
    return "\n".join([*lines, f"\nThe route log is {out}", f"Next: routeviz stats {out}"])
