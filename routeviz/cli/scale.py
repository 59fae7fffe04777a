"""``routeviz scale``: whether routes follow the scale of what images show, in a log and for one image."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from routeviz.cli.options import (
    DatasetChoice,
    ImageSize,
    checkpoint_argument,
    dataset_options,
    device_option,
    example,
    json_option,
)
from routeviz.cli.tables import columns
from routeviz.errors import InputError, place_of
from routeviz.quantities import count, of_rows, quantity
from routeviz.writing import whole_file

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from routeviz.stats import Prediction

SHOWN_PATHS = 10

csv_option = click.option("--csv", type=click.Path(dir_okay=False, path_type=Path), help="Also write every row here.")


@click.group(
    epilog=example(
        "routeviz scale log LOG",
        "routeviz scale log LOG --sequence --fact objects_share_large",
        "routeviz scale image step-006000.safetensors --dataset scenes --image val-00001",
    )
)
def command() -> None:
    """Ask whether the route follows scale: over the images of a log, or for one image shown at many sizes."""


@command.command(epilog=example("routeviz scale log LOG", "routeviz scale log LOG --sequence --csv paths.csv"))
@click.argument("log", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--fact", "facts", multiple=True, metavar="COLUMN", help="What to correlate with; may be repeated.")
@click.option("--by", metavar="COLUMN", help="Group to predict from the route.  [default: scale_class where known]")
@click.option("--sequence", is_flag=True, help="The images are a film's frames in order, so neighbours are alike.")
@click.option(
    "--permutations",
    type=click.IntRange(min=1),
    default=999,
    show_default=True,
    help="Shuffles for the p-values; prediction takes 99 of them at most.",
)
@click.option("--resamples", type=click.IntRange(min=0), default=999, show_default=True, help="For the intervals.")
@click.option("--seed", type=int, default=0, show_default=True)
@csv_option
@json_option
def log(
    log: Path,
    facts: tuple[str, ...],
    by: str | None,
    sequence: bool,
    permutations: int,
    resamples: int,
    seed: int,
    csv: Path | None,
    as_json: bool,
) -> None:
    """Test whether the routes of LOG follow the scale of the objects in its labelled images.

    Correlations of the whole route and of every path with what labels tell of the objects' sizes; and, where a scale
    class is known (as in scenes, by construction), how well it is predicted from the route alone. Each against chance.
    """
    import pandas as pd

    from routeviz.routelog import load_log
    from routeviz.space.kinds import is_lattice
    from routeviz.stats import (
        ALIKE,
        CORRELATION_WORDS,
        FEATURES,
        correlation_verdict,
        neighbour_likeness,
        path_correlation,
        predict_groups,
        route_correlation,
    )

    routes = load_log(log)
    settings = {"permutations": permutations, "resamples": resamples, "sequence": sequence, "seed": seed}
    chosen = facts or None
    if routes.rows_are == "tokens":
        raise InputError(
            "tokens of one image are not independent, as these tests take rows to be: routeviz stats LOG --by COLUMN "
            "tells what routes say of a class, with whole images shuffled"
        )
    # A recorded log knows nothing of scale; a class that is asked for is predicted all the same.
    whole = paths = None
    if facts or by is None or not routes.source.get("model"):
        correlate = (route_correlation, path_correlation)
        whole, paths = (function(routes, facts=chosen, **settings) for function in correlate)
    by = by or ("scale_class" if "scale_class" in routes.columns else None)
    predictions = [
        predict_groups(routes, routes.facts(by)[by], features=one, permutations=min(permutations, 99), seed=seed)
        for one in (FEATURES if by else ())
    ]
    if csv and whole is None:
        raise InputError("--csv is for correlations: name facts of this log with --fact")
    if csv:
        with whole_file(csv) as draft:
            pd.concat([whole.assign(of="route"), paths.assign(of="path")]).to_csv(draft, index=False)
    if as_json:
        data = {
            "log": str(log),
            "settings": settings,
            "route": _found(whole),
            "paths": _found(paths),
            "prediction": {"by": by, "rows": [_prediction(one) for one in predictions]},
        }
        click.echo(json.dumps(data, indent=2))
        return
    if whole is None:
        click.echo(f"{log}: {count(len(routes), routes.rows_are)}\n\n{_predicted(by, predictions, routes.rows_are)}")
        return
    n_paths = routes.space.n_paths
    used = int(whole.images.iloc[0]) if len(whole) else len(routes)
    taken = "frames of one film" if sequence else f"independent {routes.rows_are}"
    shuffled = f"{min(permutations, used - 1)} shifts" if sequence else f"{permutations} shuffles"
    drawn = f"{resamples} resamples{' of runs' if sequence else ''}"
    looked_at = f"; {used} of them looked at" if used < len(routes) else ""
    click.echo(f"{log}: {len(routes)} {taken}{looked_at}; {shuffled}, {drawn}\n")
    if not sequence and (likeness := neighbour_likeness(routes, facts=chosen)) > ALIKE:
        alike = f"Neighbouring images are alike (rank correlation {likeness:.2f}), as frames of a film are"
        click.echo(f"{_wrapped(f'{alike}: then what follows finds too much. Test with --sequence.')}\n")
    click.echo(f"{_wrapped(f'The whole route. {of_rows(correlation_verdict(whole), routes.rows_are)}')}\n")
    click.echo(f"{_correlations(whole, 'of the route')}\n")
    click.echo(f"{_wrapped(f'Each of {n_paths} paths. {of_rows(correlation_verdict(paths), routes.rows_are)}')}\n")
    strongest = paths.sort_values("r", key=abs, ascending=False, kind="stable").drop_duplicates("value")
    if len(strongest):
        click.echo(f"{_correlations(strongest[:SHOWN_PATHS], 'path, with the fact it goes with most')}\n")
    meant = [(word, of_rows(text, routes.rows_are)) for word, text in CORRELATION_WORDS.items()]
    meant = [one for one in meant if one[0] != "mean scale" or is_lattice(routes.space)]
    click.echo(f"{columns(meant, '<<', wrap_last=True)}\n")
    click.echo(_predicted(by, predictions, routes.rows_are))
    if csv:
        click.echo(f"\nwrote {csv}: {len(whole) + len(paths)} correlations")


@command.command(
    epilog=example(
        "routeviz scale image step-006000.safetensors --dataset scenes --image val-00001",
        "routeviz scale image model.safetensors --dataset camvid --root CamVid --image 0016E5_07959 --resize 180x240",
    )
)
@checkpoint_argument
@dataset_options()
@click.option("--image", "image_id", required=True, metavar="ID", help="Id of the image in the dataset.")
@click.option("--factors", nargs=2, type=float, default=(0.25, 4), show_default=True, help="Smallest and largest.")
@click.option("--steps", type=click.IntRange(min=2), default=17, show_default=True, help="Sizes, in equal ratios.")
@click.option("--resize", type=ImageSize(), help="Size that factor 1 stands for, such as that of training.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the routes here, as a route log.")
@click.option("--small-gate/--full-gate", default=None, help="For a checkpoint in the released layout.")
@device_option
@csv_option
@json_option
def image(
    checkpoint: Path,
    dataset: DatasetChoice,
    image_id: str,
    factors: tuple[float, float],
    steps: int,
    resize: tuple[int, int] | None,
    out: Path | None,
    small_gate: bool | None,
    device: torch.device,
    csv: Path | None,
    as_json: bool,
) -> None:
    """Show one image to CHECKPOINT at many sizes, and see whether its route moves."""
    import numpy as np

    from routeviz.network import load_checkpoint
    from routeviz.stats import RESCALED_WORDS, rescaled_paths, rescaled_routes, rescaled_verdict
    from routeviz.tracing import trace_rescaled

    if not 0 < factors[0] < factors[1]:
        raise click.UsageError(
            f"--factors {factors[0]:g} {factors[1]:g}: give a smaller one above 0, then a larger one"
        )
    images = dataset.open()
    sample = images[place_of(image_id, images.ids, images.name)]
    routes = trace_rescaled(
        load_checkpoint(checkpoint, small_gate=small_gate).to(device),
        sample,
        # Six digits, so that the middle of 0.25 to 4 is 1 and not nearly 1.
        [float(f"{factor:.6g}") for factor in np.geomspace(*factors, steps)],
        resize=resize,
        class_names=images.class_names,
        ignore_index=images.ignore_index,
        out=out,
        progress=not as_json,
    )
    sizes, paths = rescaled_routes(routes), rescaled_paths(routes)
    if csv:
        with whole_file(csv) as draft:
            sizes.to_csv(draft, index=False)
    if as_json:
        data = {
            "image": sample.id,
            "checkpoint": str(checkpoint),
            "verdict": rescaled_verdict(sizes, paths),
            "sizes": _records(sizes),
            "paths": _records(paths),
        }
        click.echo(json.dumps(data, indent=2))
        return
    head = f"{sample.id} at {len(sizes)} sizes through {checkpoint.name}. {rescaled_verdict(sizes, paths)}"
    click.echo(f"{_wrapped(head)}\n")
    click.echo(f"{_sizes(sizes)}\n\n{columns(list(RESCALED_WORDS.items()), '<<', wrap_last=True)}")
    moving = paths[paths.range > 0].sort_values("range", ascending=False, kind="stable")[:SHOWN_PATHS]
    if len(moving):
        click.echo(f"\n{_moving(moving)}")
    click.echo("\nThese describe one image: what happens to it, not what happens to images in general.")
    for path, what in ((out, "the routes, a route log"), (csv, "one row a size")):
        if path:
            click.echo(f"wrote {path}: {what}")


def _found(table: pd.DataFrame | None) -> dict[str, Any] | None:
    from routeviz.stats import correlation_verdict

    return None if table is None else {"verdict": correlation_verdict(table), "rows": _records(table)}


def _correlations(table: pd.DataFrame, what: str) -> str:
    rows = [(what, "fact", "r", "95 % interval", "change", "p", "corrected")]
    for row in table.itertuples():
        interval = "" if row.low != row.low else f"[{row.low:+.2f}, {row.high:+.2f}]"
        change = f"{row.change:+.3f}" if abs(row.change) < 1e3 else f"{row.change / 1e6:+.3f} M"
        rows.append((row.value, row.fact, f"{row.r:+.2f}", interval, change, f"{row.p:.3f}", f"{row.p_corrected:.3f}"))
    return columns(rows, "<<>>>>>")


def _prediction(one: Prediction) -> dict[str, Any]:
    return {
        "features": one.features,
        "images": one.images,
        "folds": one.folds,
        "accuracy": one.accuracy,
        "chance": one.chance,
        "shuffled": one.shuffled.tolist(),
        "p": one.p,
        "verdict": one.verdict,
        "confusion": one.confusion.to_dict("index"),
    }


def _predicted(by: str | None, predictions: list[Prediction], rows_are: str) -> str:
    if by is None:
        return f"Prediction: no scale class is known of these {rows_are}; name another column with --by."
    rows = [("from", "accuracy", "chance", "shuffled, mean", "shuffled, largest", "p")]
    for one in predictions:
        what = {"activation": "activations of all paths", "open": "which paths are open"}[one.features]
        shares = (one.accuracy, one.chance, one.shuffled.mean(), one.shuffled.max())
        rows.append((what, *(f"{100 * share:.1f} %" for share in shares), f"{one.p:.3f}"))
    first = predictions[0]
    how = (
        f"{first.images} {rows_are}, {first.folds} folds, linear discriminant analysis, {len(first.shuffled)} shuffles"
    )
    head = f"Predicting {by} from the route alone ({how}). {first.verdict}"
    return f"{_wrapped(head)}\n\n{columns(rows, '<>>>>>')}"


def _sizes(table: pd.DataFrame) -> str:
    rows = [("factor", "size", "padding", "mean scale", "open paths", "opened", "shut", "distance", "MACs (conv)")]
    for row in table.to_dict("records"):
        rows.append(
            (
                f"{row['factor']:.3f}",
                f"{row['height']}x{row['width']}",
                f"{100 * row['padding']:.0f} %",
                f"{row['mean scale']:.3f}",
                *(f"{row[name]}" for name in ("open paths", "opened", "shut")),
                f"{row['distance']:.3f}",
                quantity(row["MACs (conv)"]),
            )
        )
    return columns(rows, ">>>>>>>>>")


def _moving(table: pd.DataFrame) -> str:
    rows = [("path that moves most", "smallest size", "largest size", "range", "r with size", "opens or shuts")]
    rows += [
        (
            row.path,
            *(f"{value:.3f}" for value in (row.smallest, row.largest, row.range)),
            f"{row.r:+.2f}",
            f"{row.switches}",
        )
        for row in table.itertuples()
    ]
    return columns(rows, "<>>>>>")


def _wrapped(text: str) -> str:
    return fill(text, get_terminal_size().columns)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records"))
