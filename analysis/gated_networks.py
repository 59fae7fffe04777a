"""Make docs/networks.md and its pictures: networks of other kinds on digits, recorded, counted and drawn.

python analysis/gated_networks.py                   the page, from the bundled logs
python analysis/gated_networks.py --train skipnet   trains it again first, and writes its weights and log to data/gated
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import click
import numpy as np
from safetensors.torch import save_file

import routeviz as rv
from routeviz.gated import NETWORKS, record_digits, train_on_digits
from routeviz.space.svg import lattice_svg
from routeviz.stats import path_usage, route_counts

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data" / "gated"

INTRODUCTION = """\
# Networks of other kinds

What routeviz does for the routing lattice it does for any network that decides what to run. Each network below is small
and written from its paper (`routeviz/gated/`), was trained on one core on the digits that come with scikit-learn (1257
images to train on, 540 held out), and recorded by `routeviz.record` as any network is: see
[bring your own network](bring-your-own.md). The logs are bundled; the dashboard shows them:

```console
$ routeviz dashboard data/gated
```

MACs (conv) are multiply-adds of convolutions and matrix products, for one image, or one token of the mixture of
experts; those of a log equal what executes for each image alone, which a test holds.

Made by `python analysis/gated_networks.py`; with `--train NAME` it trains a network again first."""


def page(out: Path) -> str:
    """The page's Markdown; writes the pictures."""
    logs = {name: rv.load_log(DATA / name / "log") for name in NETWORKS if (DATA / name / "log").exists()}
    parts = [INTRODUCTION, summary(logs)]
    for name, log in logs.items():
        network = NETWORKS[name]
        text = inspect.getdoc(sys.modules[network.__module__])
        first, _, rest = text.partition("\n\n")
        use = np.nan_to_num(path_usage(log).open.to_numpy())
        (out / f"{name}.svg").write_text(
            lattice_svg(log.space, use, title=f"{network.title}: share of the rows that open each path") + "\n"
        )
        shown = examples(log)
        for word, row in shown.items():
            route = log.route(row)
            svg = lattice_svg(log.space, route.activations, title=f"{word.capitalize()} route: {route.name}")
            (out / f"{name}-{word}.svg").write_text(svg + "\n")
        parts += [
            f'<a id="{name}"></a>',
            f"## {network.title}",
            first.partition(": ")[2][:1].upper() + first.partition(": ")[2][1:],
            f"![Use of every path](networks/{name}.svg)",
            *(f"![{word.capitalize()} route](networks/{name}-{word}.svg)" for word in shown),
            rest,
            said(log),
        ]
    return "\n\n".join(parts) + "\n"


def examples(log: rv.RouteLog) -> dict[str, int]:
    """Rows whose routes are drawn: those that cost least and most, or of one cost, two that are furthest apart."""
    macs = log.facts("macs_conv").macs_conv.to_numpy()
    if macs.min() < macs.max():
        return {"cheapest": int(macs.argmin()), "dearest": int(macs.argmax())}
    first = log.route(0)
    far = rv.stats.route_distances(log, {"first": first})["first"].to_numpy()
    return {"one": 0, "another": int(far.argmax())} if far.max() else {"every": 0}


def summary(logs: dict[str, rv.RouteLog]) -> str:
    """One row a network."""
    header = ["network", "space", "accuracy %", "rows", "distinct routes", "MACs, k (conv): avg", "min", "max", "all"]
    rows = [header, [":--", ":--", *["--:"] * (len(header) - 2)]]
    for name, log in logs.items():
        facts, macs = log.images, log.images.macs_conv / 1e3
        per_image = facts.drop_duplicates("image") if "image" in facts else facts
        rows.append(
            [
                f"[{NETWORKS[name].title}](#{name})",
                log.space.kind,
                f"{100 * per_image.correct.mean():.1f}",
                f"{len(log):,} {'tokens' if 'image' in facts else 'images'}",
                f"{len(route_counts(log)):,}",
                *(f"{value:,.1f}" for value in (macs.mean(), macs.min(), macs.max(), log.costs.total / 1e3)),
            ]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def said(log: rv.RouteLog) -> str:
    """What the log says of the network, in a sentence or two."""
    usage = path_usage(log)
    decided = int(((usage.open > 0) & (usage.open < 1)).sum())
    always, never = int((usage.open == 1).sum()), int((usage.open == 0).sum())
    text = f"Of {log.space.n_paths} paths {decided} are decided by the row, {always} always open, {never} never open."
    if not decided:
        text += " So trained it is static: every image takes one route, which is what the log shows."
    return text


def train(name: str) -> None:
    """Train a network, and keep its weights and the log of the held-out digits."""
    net = train_on_digits(NETWORKS[name])
    (DATA / name).mkdir(parents=True, exist_ok=True)
    save_file(net.state_dict(), DATA / name / "weights.safetensors")
    log = record_digits(net)
    log.save(DATA / name / "log", overwrite=True)
    click.echo(f"{name}: {log.images.correct.mean():.1%} correct, {len(route_counts(log))} routes")


@click.command(help=__doc__)
@click.option("--train", "names", multiple=True, type=click.Choice(list(NETWORKS)), help="Train these first.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs", show_default=True)
def main(names: tuple[str, ...], out: Path) -> None:
    for name in names:
        train(name)
    (out / "networks").mkdir(parents=True, exist_ok=True)
    (out / "networks.md").write_text(page(out / "networks"), encoding="utf-8")
    click.echo(f"{out / 'networks.md'}")


if __name__ == "__main__":
    main()
