"""A route log as one HTML file: routes to hover, figures, tables, and where all of it comes from."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

from routeviz import __version__
from routeviz.costs import CONVENTION_NOTES, RECORDED_NOTE
from routeviz.errors import InputError
from routeviz.plots.catalogue import Material
from routeviz.quantities import count
from routeviz.report.drawn import Drawn, drawn_figures
from routeviz.report.routes import SEED, pack_routes, sample_rows
from routeviz.report.tables import Code, cells_table, figures_table, pairs, paths_table, table
from routeviz.routelog import RouteLog
from routeviz.space import RoutingSpace, extent, kind_of
from routeviz.space.kinds import is_lattice
from routeviz.space.layout import path_words, row_words
from routeviz.space.svg import THEMES
from routeviz.stats import Figure, cell_usage, path_usage, summary
from routeviz.writing import whole_file

IMAGES = 200
"""Images whose routes are shown; of a longer log a sample of so many."""

MOST_BYTES = 5_000_000

_TILES = ("images", "distinct_routes", "open_paths", "decided_paths", "macs_conv_mean", "macs_conv_varying")


@dataclass(frozen=True)
class Report:
    """A page, and what is on it.

    Attributes
    ----------
    html : bytes
        UTF-8; it asks no host for anything.
    images : tuple of str
        Ids of the images whose routes are shown.
    figures : tuple of str
        Names of the catalogue's figures that are drawn.
    left_out : dict of str to str
        The others, and why.
    """

    html: bytes
    images: tuple[str, ...]
    figures: tuple[str, ...]
    left_out: dict[str, str]


def make_report(
    material: Material | RouteLog, *, title: str = "", command: str = "", images: int = IMAGES, progress: bool = False
) -> Report:
    """Set a page about a log.

    Parameters
    ----------
    material : Material or RouteLog
        A log, or a log with what else figures can be drawn from.
    title : str
        Any text; by default what was traced through what.
    command : str
        Command line that makes the page again; shown on it.
    images : int
        Most images whose routes are shown. A longer log is sampled, the same way every time, and the page says so.
    progress : bool
        Show a bar while figures are drawn.

    Returns
    -------
    Report
        Equal logs and options give equal bytes.

    Raises
    ------
    InputError
        If the log has no images, or so much is to be shown that the page would pass 5 MB.
    """
    material = Material(log=material) if isinstance(material, RouteLog) else material
    figures = summary(material.log)
    drawn, left_out = drawn_figures(material, progress=progress)
    parts = [
        _figures_section(drawn, left_out),
        _numbers_section(figures, material.log),
        _usage_section(material.log),
        _settings_section(material.log, command),
    ]
    while True:
        rows = sample_rows(material.log, images)
        routes = pack_routes(material.log, rows, material.pictures)
        ids = tuple(material.log.facts("id")["id"].iloc[rows])
        html = _page(title or _title(material), figures, [_routes_section(material.log, ids), *parts], routes)
        if len(html) < MOST_BYTES:
            return Report(html, ids, tuple(figure.name for figure in drawn), left_out)
        if images == 1:
            raise InputError(f"the page would have {len(html):,} bytes; choose part of the log: log.select(...)")
        images = max(1, images // 2)


def write_report(material: Material | RouteLog, path: str | Path, **options: Any) -> Report:
    """Write a page about a log: whole, or not at all.

    Parameters
    ----------
    material, options
        As of `make_report`.
    path : path
        The file; it is replaced where it exists.
    """
    report = make_report(material, **options)
    with whole_file(path) as draft:
        draft.write_bytes(report.html)
    return report


def _page(title: str, figures: list[Figure], sections: list[str], routes: str) -> bytes:
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The page itself forbids every request, and every script but its own.
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    known = {figure.key: figure for figure in figures}
    tiles = "".join(
        f'<div title="{escape(tile.definition)}"><b>{escape(tile.text)}</b> {escape(_named(tile))}</div>'
        for tile in map(known.get, _TILES)
        if tile
    )
    links = (("routes", "Routes"), ("figures", "Figures"), ("numbers", "In numbers"), ("usage", "Cells and paths"))
    nav = "".join(f'<a href="#{name}-part">{text}</a>' for name, text in (*links, ("settings", "Settings and hashes")))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_style()}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<nav>{nav}</nav>
<div class="tiles">{tiles}</div>
</header>
<main>
{"".join(sections)}
</main>
<script type="text/plain" id="routes">{routes}</script>
<script type="module">{script}</script>
</body>
</html>
""".encode("utf-8", "replace")


def _named(figure: Figure) -> str:
    """A figure's name, with the convention where it counts MACs."""
    convention = figure.unit.removeprefix("MACs, ")
    return figure.name if convention == figure.unit else f"{figure.name} ({convention})"


def _routes_section(log: RouteLog, ids: tuple[str, ...]) -> str:
    options = "".join(f"<option>{escape(id_)}</option>" for id_ in ids)
    n, one = len(log), log.rows_are.removesuffix("s")
    every = count(n, log.rows_are)
    sampled = f"A sample of {len(ids):,} of the log's {every}, drawn with seed {SEED}." if len(ids) < n else ""
    return f"""<section id="routes-part"><h2>Routes</h2>
<p class="soft">The route of one {one}: {_direction(log.space)}. {sampled}</p>
<div class="choose"><label for="image">{one.capitalize()}</label>
<select id="image" autocomplete="off">{options}</select>
<button type="button" id="previous">Previous</button><button type="button" id="next">Next</button></div>
<div class="image"><img id="picture" alt="" hidden><dl id="facts"></dl></div>
<div id="lattice"></div>
<p class="picked soft" id="picked"><noscript>Routes are drawn by a script; let this page run its own.</noscript></p>
</section>
"""


def _direction(space: RoutingSpace) -> str:
    """How a route is read, by the layout of its space."""
    kind = kind_of(space)
    if kind.layout == "arcs":
        return "nodes from left to right, operations as arcs between them"
    down = "what each chooses from from top to bottom" if kind.layout == "lanes" else ""
    if kind.layout == "grid" and any(row_words(space).values()):
        down = f"{'scales' if is_lattice(space) else 'strides'} from fine (top) to coarse"
    return ", ".join(part for part in (f"{kind.column}s from left to right", down) if part)


def _figures_section(drawn: list[Drawn], left_out: Mapping[str, str]) -> str:
    shown = "".join(
        f'<figure id="{figure.name}" class="{"wide" * figure.wide}" role="group" aria-label="{escape(figure.title)}">'
        f"<div>{figure.html}</div>"
        f"<figcaption><b>{escape(figure.title)}.</b> {escape(figure.caption)}</figcaption></figure>\n"
        for figure in drawn
    )
    rest = "".join(f"<p class='soft'>Left out {escape(name)}: {escape(why)}.</p>" for name, why in left_out.items())
    return f'<section id="figures-part"><h2>Figures</h2><div class="figures">{shown}</div>{rest}</section>\n'


def _numbers_section(figures: list[Figure], log: RouteLog) -> str:
    topics = groupby(figures, key=lambda figure: figure.topic)
    tables = "".join(f"<h3>{escape(topic)}</h3>{figures_table(about)}" for topic, about in topics)
    known = CONVENTION_NOTES if not log.costs else {log.costs.convention: RECORDED_NOTE}
    rows = [(name, counts, left_out) for name, (counts, left_out) in known.items()]
    notes = table(("convention", "counts", "leaves out"), rows, whole=True)
    return f'<section id="numbers-part"><h2>In numbers</h2>{tables}<h3>MACs, by convention</h3>{notes}</section>\n'


def _usage_section(log: RouteLog) -> str:
    blind = (
        "A cell is starved where only zeros are sent to it, and image-blind where what it gets holds nothing of the "
        "image. "
        if log.space.zeros
        else ""
    )
    return (
        '<section id="usage-part"><h2>Cells and paths</h2><p class="soft">'
        f"Shares of all {count(len(log), log.rows_are)}. {blind}"
        f"Entropy: of whether a path is open, over {log.rows_are}; 0 where all agree, 1 where they split evenly.</p>"
        f"<h3>Cells</h3>{cells_table(log.space.cell_names, cell_usage(log), blind=log.space.zeros)}"
        f"<h3>Paths</h3>{paths_table(path_words(log.space), path_usage(log))}</section>\n"
    )


def _settings_section(log: RouteLog, command: str) -> str:
    made_by, data, net, settings = (
        log.source.get(key) or {} for key in ("checkpoint", "dataset", "network", "settings")
    )
    options = data.get("options") or {}
    facts = {
        log.rows_are: f"{len(log):,}" + (f"; {len(log.skipped):,} more could not be read" if log.skipped else ""),
        "dataset": " ".join(str(data[key]) for key in ("name", "split") if data.get(key)),
        "options of the dataset": ", ".join(f"{key}={value}" for key, value in options.items()),
        "SHA-256 of the images' ids": Code(data.get("ids_sha256") or ""),
        "resized to": "×".join(map(str, settings.get("resize") or ())),
        "forced route": (settings.get("route") or {}).get("name") or ("yes" if settings.get("route") else ""),
        "checkpoint": made_by.get("file") or "",
        "step": made_by.get("step", ""),
        "SHA-256 of the checkpoint": Code(made_by.get("sha256") or ""),
        "SHA-256 of the weights": Code(log.source.get("weights") or ""),
        "network": ", ".join(_network(net)),
        "routing space": extent(log.space),
        "digest of the space": Code(log.space.digest),
        "digest of the log": Code(log.digest),
        "model": log.source.get("model") or "",
        "traced, or recorded, with": f"routeviz {log.source['routeviz']}" if log.source.get("routeviz") else "",
        "this page": f"routeviz {__version__}",
    }
    again = (
        f"<h3>The command that makes this page again</h3><pre><code>{escape(command)}</code></pre>" if command else ""
    )
    return f'<section id="settings-part"><h2>Settings and hashes</h2>{pairs(facts)}{again}</section>\n'


def _network(net: Mapping[str, Any]) -> list[str]:
    if not net:
        return []
    gates = (
        "fixed gates" if net.get("fixed_gates") is not None else "small gate" if net.get("small_gate") else "full gate"
    )
    return [f"{net['layers']} layers", f"width {net['width']}", f"{net['num_classes']} classes", gates]


def _title(material: Material) -> str:
    made_by, data = material.log.source.get("checkpoint") or {}, material.log.source.get("dataset") or {}
    images = " ".join(str(data[key]) for key in ("name", "split") if data.get(key))
    if not images:
        return f"Routes of {material.name}"
    through = made_by.get("file") or (material.log.source.get("network_kind") or {}).get("title")
    through = through or material.log.source.get("model")
    return f"Routes of {images}" + (f" through {through}" if through else "")


def _style() -> str:
    page, lattice = _text("routeviz.report", "page.css"), _text("routeviz.space", "lattice.css")
    light, dark = _colours("light", "#f3f5f8"), _colours("dark", "#1a1f29")
    schemes = f"@media (prefers-color-scheme:dark){{{dark}}}@media print{{{light}}}"
    return f"{light}{schemes}{page}{lattice}"


def _colours(name: str, panel: str) -> str:
    colours: dict[str, Any] = asdict(THEMES[name])
    colours |= {f"ramp-{step}": colour for step, colour in enumerate(colours.pop("ramp"))}
    return f":root{{--panel:{panel};{''.join(f'--rv-{token}:{colour};' for token, colour in colours.items())}}}"


def _script() -> str:
    """The dashboard's lattice, then the page's own script, in one module."""
    lattice = _text("routeviz.space", "lattice.js").replace("export default function (", "function drawLattice(", 1)
    return f"{lattice}\n{_text('routeviz.report', 'page.js')}"


def _text(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")
