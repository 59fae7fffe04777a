"""``routeviz demo``: the main job on what comes with routeviz, from images to routes on the screen."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from routeviz.bundled import bundled_data
from routeviz.cli.dashboard import serve as serve_dashboard
from routeviz.cli.options import example
from routeviz.errors import CheckpointError

if TYPE_CHECKING:
    import pandas as pd

    from routeviz.routelog import RouteLog

SAMPLES = 24


def last_checkpoint(folder: Path) -> Path:
    """Find the checkpoint with the most steps in a run's folder; raises `CheckpointError` where there is none."""
    steps = sorted(folder.rglob("step-*.safetensors"), key=lambda path: path.name)
    if not steps:
        raise CheckpointError(f"{folder} holds no step-*.safetensors: take it from a complete checkout")
    return steps[-1]


def summary(log: "RouteLog") -> "pd.DataFrame":
    """Describe a log of scenes: one row for each scale of their objects, and one for all images.

    Returns
    -------
    DataFrame
        Indexed by scale class; number of images, mean mIoU (%), mean MACs in millions (convention ``conv``), and mean
        share of the paths that are open (%).
    """
    import pandas as pd

    from routeviz.space import open_paths

    facts = pd.DataFrame(
        {
            "objects": log.images["scale_class"].to_numpy(),
            "images": 1,
            "mIoU %": 100 * log.images["miou"].to_numpy(),
            "MACs M (conv)": log.images["macs_conv"].to_numpy() / 1e6,
            "open paths %": 100 * open_paths(log.space, log.gates).mean(axis=1),
        }
    )
    how = {column: "sum" if column == "images" else "mean" for column in facts.columns[1:]}
    by_scale = facts.groupby("objects").agg(how)
    return pd.concat([by_scale, facts.assign(objects="all").groupby("objects").agg(how)])


@click.command(epilog=example("routeviz demo", "routeviz demo --no-serve --out demo-log"))
@click.option(
    "--serve/--no-serve", default=True, show_default=True, help="Open the dashboard at the end, until Ctrl-C."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=".demo",
    show_default=True,
    help="Folder for the route log; a log that is there already is used again.",
)
def command(serve: bool, out: Path) -> None:
    """Trace the bundled samples with the bundled checkpoint and open the dashboard.

    The samples are drawn on the spot: scenes whose objects are small, large or both.
    """
    from routeviz.datasets import open_dataset
    from routeviz.network import keep_freed_memory, load_checkpoint
    from routeviz.tracing import trace

    keep_freed_memory()
    checkpoint = last_checkpoint(bundled_data("checkpoints/scenes"))
    net = load_checkpoint(checkpoint)
    # One folder for each checkpoint: a newer one does not meet the log of an older one.
    folder = out / f"scenes-{net.provenance['sha256'][:8]}"
    click.echo(f"Tracing {SAMPLES} scenes with {checkpoint.name}")
    log = trace(net, open_dataset("scenes", length=SAMPLES), out=folder, progress=True)
    click.echo(f"\n{summary(log).rename_axis(None).to_string(float_format='{:.1f}'.format)}\n")
    click.echo(f"The route log is {folder}")
    if serve:
        serve_dashboard((folder, bundled_data("logs"), bundled_data("checkpoints")))
