"""Make docs/networks.md, a page for each kind, and the pictures: networks of other kinds, recorded, counted and drawn.

python analysis/gated_networks.py                   the pages, from the bundled logs
python analysis/gated_networks.py --train skipnet   trains it again first, and writes its weights and log to data/gated
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from textwrap import fill

import click
import numpy as np
from safetensors.torch import load_file
from scipy.stats import spearmanr

import routeviz as rv
from routeviz.gated import (
    NETWORKS,
    SUPERNETS,
    record_digits,
    save_weights,
    search_digits,
    train_on_digits,
    train_supernet,
)
from routeviz.plots import render_figure
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

SEARCH = """\
## Architecture search

A supernet holds every architecture of its space, and a route is an architecture: it is chosen once, not for each
image. A log of one has a row for each architecture that was tried. Each supernet below was trained on 1,000 of the
digits; 257 more choose architectures (`search_accuracy`), and the 540 held out judge them (`accuracy`). 120
architectures are drawn as the network draws them, and tried with the weights that they share. The one that the search
ends with ("derived") and four of the others are also trained alone, from scratch (`accuracy_alone`). `routeviz stats`
and the dashboard take these logs as they are: `routeviz dashboard data/gated`."""


def pages(out: Path) -> dict[str, str]:
    """The Markdown of every page by its place below `out`; writes the pictures."""
    logs = {name: rv.load_log(DATA / name / "log") for name in [*NETWORKS, *SUPERNETS]}
    kinds = {name: log for name, log in logs.items() if name in NETWORKS}
    searches = {name: log for name, log in logs.items() if name in SUPERNETS}
    index = [INTRODUCTION, summary(kinds), SEARCH, tried(searches), alone(searches)]
    made = {f"networks/{name}.md": network_page(name, log, out / "networks") for name, log in kinds.items()}
    made |= {f"networks/{name}.md": supernet_page(name, log, out / "networks") for name, log in searches.items()}
    return {place: "\n\n".join(parts) + "\n" for place, parts in {"networks.md": index, **made}.items()}


def network_page(name: str, log: rv.RouteLog, pictures: Path) -> list[str]:
    """What a network is, where it comes from, and the routes that it takes."""
    network = NETWORKS[name]
    first, _, rest = inspect.getdoc(sys.modules[network.__module__]).partition("\n\n")
    about = first.partition(": ")[2]
    use = np.nan_to_num(path_usage(log).open.to_numpy())
    title = f"{network.title}: share of the rows that open each path"
    (pictures / f"{name}.svg").write_text(rv.lattice_svg(log.space, use, title=title) + "\n")
    shown = examples(log)
    for word, row in shown.items():
        route = log.route(row)
        svg = rv.lattice_svg(log.space, route.activations, title=f"{word.capitalize()} route: {route.name}")
        (pictures / f"{name}-{word}.svg").write_text(svg + "\n")
    return [
        f"# {network.title}",
        about[:1].upper() + about[1:],
        f"![Use of every path]({name}.svg)",
        *(f"![{word.capitalize()} route]({name}-{word}.svg)" for word in shown),
        rest,
        said(log),
        f"`routeviz dashboard data/gated/{name}` shows it; [other kinds](../networks.md).",
    ]


def supernet_page(name: str, log: rv.RouteLog, pictures: Path) -> list[str]:
    """What a supernet is, where it comes from, the architecture that its search ends with, and those that it tried."""
    network, route = SUPERNETS[name], log.route(0)
    title = f"{network.title}: the derived architecture"
    (pictures / f"{name}.svg").write_text(rv.lattice_svg(log.space, route.activations, title=title) + "\n")
    sheet = rv.plot_against_macs.describe(log, "accuracy", by="role")
    figure = render_figure(sheet, formats="png", width="column", dpi=150)
    (pictures / f"{name}-tried.png").write_bytes(figure["png"])
    return [
        f"# {network.title}",
        inspect.getdoc(network).partition("\n")[0],
        f"![The derived architecture]({name}.svg)",
        f"![Accuracy with shared weights against MACs]({name}-tried.png)",
        inspect.getdoc(sys.modules[network.__module__]).partition("\n\n")[2],
        f"`routeviz dashboard data/gated/{name}` shows it; [other kinds](../networks.md).",
    ]


def tried(logs: dict[str, rv.RouteLog]) -> str:
    """One row a supernet."""
    header = ["supernet", "space", "of 120 drawn, accuracy %: median", "least", "most", "MACs, k (conv): least", "most"]
    header += ["derived: MACs, k", "accuracy %", "alone %", "trained alone", "rank correlation, shared and alone"]
    rows = [header, [":--", ":--", *["--:"] * (len(header) - 2)]]
    for name, log in logs.items():
        facts = log.images
        drawn, derived = facts[facts.role == "sampled"], facts.iloc[0]
        trained = facts[facts.accuracy_alone.notna()]
        accuracy, macs = 100 * drawn.accuracy, drawn.macs_conv / 1e3
        rows.append(
            [
                f"[{SUPERNETS[name].title}](networks/{name}.md)",
                log.space.kind,
                *(f"{value:.1f}" for value in (accuracy.median(), accuracy.min(), accuracy.max())),
                *(f"{value:,.1f}" for value in (macs.min(), macs.max(), derived.macs_conv / 1e3)),
                *(f"{100 * value:.1f}" for value in (derived.accuracy, derived.accuracy_alone)),
                str(len(trained)),
                f"{spearmanr(trained.accuracy, trained.accuracy_alone).statistic:.2f}".replace("-", "−"),
            ]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def alone(logs: dict[str, rv.RouteLog]) -> str:
    """What the architectures that were trained alone say."""
    accuracy = np.concatenate([log.images.accuracy_alone.dropna() for log in logs.values()])
    least, most = 100 * accuracy.min(), 100 * accuracy.max()
    words = (
        f"Alone, all {len(accuracy)} reach {least:.1f}% to {most:.1f}%: this task is too easy to tell architectures "
        "apart, and so few of each supernet cannot say whether accuracy with shared weights foretells it. DARTS trains "
        "its weights within sums of operations; one operation an edge is a network that they never ran in."
    )
    return fill(words, 120, break_on_hyphens=False)


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
                f"[{NETWORKS[name].title}](networks/{name}.md)",
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
    (DATA / name).mkdir(parents=True, exist_ok=True)
    if name in SUPERNETS:
        search(name)
        return
    net = train_on_digits(NETWORKS[name])
    save_weights(net, DATA / name / "weights.safetensors")
    log = record_digits(net)
    log.save(DATA / name / "log", overwrite=True)
    click.echo(f"{name}: {log.images.correct.mean():.1%} correct, {len(route_counts(log))} routes")


def search(name: str) -> None:
    """Train a supernet, and keep its weights, in half precision, and the log of the architectures tried with them."""
    net = train_supernet(SUPERNETS[name])
    path = DATA / name / "weights.safetensors"
    save_weights(net, path, half=True)
    net.load_state_dict(load_file(path))  # as rounded
    log = search_digits(net)
    log.save(DATA / name / "log", overwrite=True)
    click.echo(f"{name}: {log.images.accuracy[0]:.1%} derived, {log.images.accuracy_alone[0]:.1%} alone")


@click.command(help=__doc__)
@click.option("--train", "names", multiple=True, type=click.Choice([*NETWORKS, *SUPERNETS]), help="Train these first.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs", show_default=True)
def main(names: tuple[str, ...], out: Path) -> None:
    for name in names:
        train(name)
    (out / "networks").mkdir(parents=True, exist_ok=True)
    for place, text in pages(out).items():
        (out / place).write_text(text, encoding="utf-8")
    click.echo(f"{out / 'networks.md'}")


if __name__ == "__main__":
    main()
