"""``routeviz compare``: networks side by side, in accuracy, MACs and parameters, with what was published of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from routeviz.cli.formats import FORMATS, UNKNOWN, table_text
from routeviz.cli.options import ImageSize, convention_option, example, json_option
from routeviz.quantities import unit_of
from routeviz.writing import whole_file

if TYPE_CHECKING:
    import pandas as pd

    from routeviz.cli.networks import Named, Recorded
    from routeviz.network import RoutingNetwork

PAPER_SIZE = (1024, 2048)
SETTINGS = {"layers": 16, "width": 64, "num_classes": 19, "stem_width": 64}


@click.command(
    epilog=example(
        "routeviz compare --convention released",
        "routeviz compare runs/raw runs/unet budget=runs/b/log --architecture hrnetv2",
        "routeviz compare Dynamic-A=log --image-size 1024x2048 --convention released --format latex --out table.tex",
    )
)
@click.argument("networks", nargs=-1, metavar="[[NAME=]LOG|RUN|CHECKPOINT]...")
@click.option("--architecture", "keys", multiple=True, metavar="NAME", help="Also a static architecture; all for all.")
@click.option("--image-size", type=ImageSize(), help="Of which all MACs are.  [default: that of the networks' images]")
@convention_option
@click.option("--layers", type=int, help="Without networks: number of the last layer.  [default: 16]")
@click.option("--width", type=int, help="Without networks: channels at scale 0.  [default: 64]")
@click.option("--classes", "num_classes", type=int, help="Without networks.  [default: 19]")
@click.option("--stem-width", type=int, help="Without networks: channels inside the stem.  [default: 64]")
@click.option("--small-gate/--full-gate", default=None, help="For checkpoints in the released layout.")
@click.option("--format", "style", type=click.Choice(FORMATS), default="terminal", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write instead of printing.")
@json_option
def command(
    networks: tuple[str, ...],
    keys: tuple[str, ...],
    image_size: tuple[int, int] | None,
    convention: str,
    small_gate: bool | None,
    style: str,
    out: Path | None,
    as_json: bool,
    **settings: int | None,
) -> None:
    """Compare networks: whether images decide, mIoU where evaluated, MACs on average, at most and at least, parameters.

    A network is a route log, the folder of a training run or a checkpoint. NAME= names its row; under a published name,
    such as Dynamic-A, the published figures stand beside it. Without any, the whole dynamic network and the static
    architectures are compared, by default as large as in the paper.
    """
    from tqdm import tqdm

    from routeviz.stats import compare_networks

    given = {name: value for name, value in settings.items() if value is not None}
    if networks and given:
        option = next(iter(given)).replace("num_classes", "classes").replace("_", "-")
        raise click.UsageError(f"--{option} cannot be given with networks, which say it themselves")
    chosen = _chosen(networks, keys, small_gate, {**SETTINGS, **given})
    size = image_size or _common_size(chosen)
    if image_size and _recorded(chosen):
        raise click.UsageError("MACs of a recorded log are of its own inputs; leave out --image-size")
    counted = [
        one.count(size, convention) for one in tqdm(chosen, desc="counting", unit="network", delay=2, leave=False)
    ]
    table = compare_networks(counted, image_size=size or PAPER_SIZE, convention=convention)
    if as_json:
        described = {"image_size": size, "convention": convention}
        text = _json(table, described)
    elif style == "csv":
        notes = table.notes.map("; ".join)
        of = f"{size[0]}x{size[1]}" if size else ""
        text = table.assign(notes=notes, convention=convention, image_size=of).to_csv(index=False)
    else:
        text = table_in(style, table, size, convention)
    if out:
        with whole_file(out) as draft:
            draft.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        click.echo(f"wrote {out}: {len(table)} networks")
    else:
        click.echo(text.rstrip("\n"))


def _chosen(
    networks: tuple[str, ...], keys: tuple[str, ...], small_gate: bool | None, settings: dict[str, int]
) -> list[Named | Recorded]:
    """The networks in the order of the command line, then the static architectures."""
    from routeviz.cli.networks import open_network, static_network, whole_network
    from routeviz.space import architectures

    opened = [open_network(text, small_gate=small_gate) for text in networks]
    names = [one.name for one in opened]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise click.UsageError(f"two networks are called {twice[0]}: name them, as in first={networks[0]}")
    whole = [] if opened else [whole_network(_supernet(settings | {"small_gate": kind})) for kind in (False, True)]
    if keys or not opened:
        built = [one for one in opened + whole if one not in _recorded(opened)]
        if not built:
            raise click.UsageError(
                "--architecture: static architectures are of routing networks; give one of these too"
            )
        config = built[0].net.config.to_dict()
        net = _supernet({name: config[name] for name in SETTINGS})
        # Asking for an unknown one, or for one that needs more layers, says so.
        known = architectures(net.space)
        every = list(known) if "all" in keys or not keys else keys
        whole += [static_network(net, known, key) for key in every]
    return opened + whole


def _supernet(settings: dict[str, int]) -> RoutingNetwork:
    from routeviz.network import NetworkConfig, RoutingNetwork

    return RoutingNetwork(NetworkConfig(**settings)).eval()


def _common_size(chosen: list[Named | Recorded]) -> tuple[int, int] | None:
    """The one size of their images, or that of the paper; None where all are recorded logs, which say no size."""
    sizes = sorted({one.size for one in chosen if one.size})
    if len(sizes) > 1:
        found = ", ".join(f"{height}x{width}" for height, width in sizes)
        raise click.UsageError(
            f"these networks saw images of {found}: say with --image-size of which the MACs are to be"
        )
    if len(_recorded(chosen)) == len(chosen):
        return None
    return sizes[0] if sizes else PAPER_SIZE


def _recorded(chosen: list[Named | Recorded]) -> list[Recorded]:
    return [one for one in chosen if hasattr(one, "log")]


def _json(table: pd.DataFrame, described: dict[str, object]) -> str:
    import json

    return json.dumps(described | {"networks": json.loads(table.to_json(orient="records"))}, indent=2)


def table_in(style: str, table: pd.DataFrame, size: tuple[int, int] | None, convention: str) -> str:
    """The table as a reader wants it; a network's notes are told by their numbers.

    A terminal is too narrow for the published figures beside ours: there they follow as a table of their own.
    """
    notes = list(dict.fromkeys(note for own in table.notes for note in own))
    what = f"MACs for images of {size[0]}x{size[1]}" if size else "MACs as recorded"
    what = f"{what}, convention {convention}"
    unit = unit_of(table[["macs_max", "macs_avg"]].max().max())
    header, rows = _ours(table, *unit)
    theirs = table[table.published_by.notna()]
    if notes:
        header.append("notes")
        for row, own in zip(rows, table.notes, strict=True):
            row.append(", ".join(str(notes.index(note) + 1) for note in own))
    align = "<<" + ">" * 5 + "<" * bool(notes)
    if theirs.empty:
        text = table_text(header, rows, style, align=align, notes=notes)
    elif style == "terminal":
        below, figures = _published(theirs, *unit)
        figures = [[name, by, *row] for name, by, row in zip(theirs.network, theirs.published_by, figures, strict=True)]
        first = table_text(header, rows, style, align=align)
        second = table_text(["network", "published by", *below], figures, style, align="<<" + ">" * 6, notes=notes)
        text = f"{first}\n\nPublished, and ours less theirs\n\n{second}"
    else:
        beside, figures = _published(table, *unit)
        header = [*header[:7], *beside, *header[7:]]
        rows = [[*row[:7], *more, *row[7:]] for row, more in zip(rows, figures, strict=True)]
        text = table_text(header, rows, style, align=align[:7] + ">" * 6 + align[7:], notes=notes)
    return f"% {what}\n{text}" if style == "latex" else f"{what}\n\n{text}"


def _ours(table: pd.DataFrame, unit: float, letter: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of what is known of the networks themselves."""
    header = ["network", "dynamic", "mIoU, %", f"MACs avg, {letter}", "max", "min", "parameters, M"]
    rows = [
        [
            row["network"],
            "yes" if row["dynamic"] else "no",
            _number(row["miou"], 0.01, 1),
            *(_number(row[name], unit, 3) for name in ("macs_avg", "macs_max", "macs_min")),
            _number(row["parameters"], 1e6, 3),
        ]
        for row in table.to_dict("records")
    ]
    return header, rows


def _published(table: pd.DataFrame, unit: float, letter: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the published figures and the differences from them."""
    header = ["mIoU, %", "Δ", f"MACs, {letter}", "Δ", "parameters, M", "Δ"]
    rows = []
    for row in table.to_dict("records"):
        texts = []
        for what, divisor in (("miou", 0.01), ("macs", unit), ("parameters", 1e6)):
            texts.append(_as_published(row[f"published_{what}"], divisor))
            digits = len(texts[-1].partition(".")[2])
            texts.append(_number(row[f"{what}_difference"], divisor, digits, sign=True))
        rows.append(texts)
    return [f"published {header[0]}", *header[1:]], rows


def _number(value: float | None, unit: float, digits: int, *, sign: bool = False) -> str:
    if value is None or value != value:
        return UNKNOWN
    rounded = round(value / unit, digits) + 0.0  # no minus before a zero
    return f"{rounded:{'+' if sign and rounded else ''},.{digits}f}".replace("-", "−")


def _as_published(value: float | None, unit: float) -> str:
    """With one decimal, or with three where it was published so."""
    text = _number(value, unit, 3)
    return text.removesuffix("00")
