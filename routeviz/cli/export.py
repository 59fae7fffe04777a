"""``routeviz export``: a log as CSV, a route as GraphML, a network as a plain checkpoint."""

from __future__ import annotations

from pathlib import Path

import click

from routeviz.cli.options import checkpoint_argument, example
from routeviz.errors import place_of
from routeviz.quantities import count
from routeviz.writing import whole_file

ROWS = 4096

out_option = click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write."
)


@click.group(
    epilog=example(
        "routeviz export log LOG --out routes.csv",
        "routeviz export route LOG --image 0016E5_08159 --out route.graphml",
        "routeviz export network step-008000.safetensors --out weights.pth",
    )
)
def command() -> None:
    """Write what routeviz holds for other programs: a log, a route or a network."""


@command.command(epilog=example("routeviz export log LOG --out routes.csv"))
@click.argument("log", type=click.Path(exists=True, file_okay=False, path_type=Path))
@out_option
def log(log: Path, out: Path) -> None:
    """Write LOG, a route log, as CSV.

    One row an image (a token, an architecture): its facts, then one column a path, such as "L3 s1 up", with the
    activation; empty where the path's cell was unreached.
    """
    import numpy as np
    import pandas as pd
    from tqdm import tqdm

    from routeviz.routelog import load_log

    routes = load_log(log)
    with (
        whole_file(out) as draft,
        draft.open("w", newline="", encoding="utf-8") as file,
        tqdm(desc="exporting", total=len(routes), unit=routes.rows_are.removesuffix("s"), delay=2) as bar,
    ):
        for start in range(0, max(1, len(routes)), ROWS):
            block = routes.select(np.arange(start, min(start + ROWS, len(routes))))
            gates = pd.DataFrame(block.gates, columns=list(routes.space.path_names))
            pd.concat([block.images, gates], axis=1).to_csv(file, index=False, header=start == 0)
            bar.update(len(block))
    click.echo(f"wrote {out}: {count(len(routes), routes.rows_are)}, {routes.space.n_paths} paths")


@command.command(
    epilog=example(
        "routeviz export route route.json --out route.graphml",
        "routeviz export route LOG --image 0016E5_08159 --out route.graphml",
    )
)
@click.argument("source", metavar="ROUTE|LOG", type=click.Path(exists=True, path_type=Path))
@click.option("--image", "image_id", metavar="ID", help="Id of the row whose route is taken from a log.")
@out_option
def route(source: Path, image_id: str | None, out: Path) -> None:
    """Write a route as GraphML, for Gephi, yEd, Cytoscape or igraph.

    The route is a JSON file, or that of one image of a route log.
    """
    from routeviz.graph import to_graphml
    from routeviz.routelog import load_log
    from routeviz.space import Route

    if source.is_dir():
        log = load_log(source)
        if image_id is None:
            one = log.rows_are.removesuffix("s")
            raise click.UsageError(f"{source} is a route log: say which {one} with --image ID")
        chosen = log.route(place_of(image_id, log.facts("id")["id"].tolist(), "the log"))
    elif image_id is not None:
        raise click.UsageError(f"--image is for a route log; {source} is a file")
    else:
        chosen = Route.load(source)
    to_graphml(chosen.space, chosen, out)
    click.echo(f"wrote {out}: {chosen!r}")


@command.command(
    epilog=example(
        "routeviz export network step-008000.safetensors --out weights.pth",
        "routeviz export network step-008000.safetensors --architecture unet --out unet.safetensors",
    )
)
@checkpoint_argument
@click.option("--small-gate/--full-gate", default=None, help="For a file in the released layout, which does not tell.")
@click.option("--architecture", metavar="NAME", help="Only the static network of this architecture: unet, fcn32s, ...")
@click.option(
    "--route",
    "route_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Only the static network of this route, a JSON file.",
)
@out_option
def network(
    checkpoint: Path, small_gate: bool | None, architecture: str | None, route_file: Path | None, out: Path
) -> None:
    """Write CHECKPOINT's network without what training left beside it.

    To *.safetensors with its configuration, as routeviz reads it; to *.pth in the layout of the released code, which
    has no place for class names, normalisation and the kind of gate.

    With --architecture or --route it is the static network of that route: its cells and paths with their weights, no
    gates. It computes what the whole network does when the route is forced on it.
    """
    from routeviz.network import export_released, fixed_network, load_checkpoint, save_checkpoint
    from routeviz.space import Route, architectures

    if out.suffix not in (".safetensors", ".pth"):
        raise click.UsageError(f"--out {out}: name it *.safetensors (routeviz's own) or *.pth (the released layout)")
    if out.exists() and out.samefile(checkpoint):
        raise click.UsageError(f"--out {out} is the checkpoint itself; name another file")
    if architecture and route_file:
        raise click.UsageError("--architecture and --route exclude each other")
    net = load_checkpoint(checkpoint, small_gate=small_gate)
    step, what = net.provenance["step"] or 0, ""
    if architecture or route_file:
        route = Route.load(route_file) if route_file else architectures(net.space)[architecture]
        net, what = fixed_network(net, route), f"{route.name or route_file.stem}, {route.open.sum()} paths, "
    write = save_checkpoint if out.suffix == ".safetensors" else export_released
    write(net, out, step=step)
    click.echo(f"wrote {out}: {what}{sum(p.numel() for p in net.parameters()) / 1e6:.3f} M parameters")
