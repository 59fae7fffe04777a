"""Make docs/architectures.md: every static architecture drawn, with its cells, its skips and what it costs.

python analysis/architectures_page.py
"""

from __future__ import annotations

import inspect
from pathlib import Path

import click

import routeviz as rv
from routeviz.space import ARCHITECTURES, skips

SIZE, CONVENTIONS = (1024, 2048), ("conv", "released")

INTRODUCTION = """\
# Static architectures

Networks that people designed, as fixed routes of the routing space: `rv.architectures(space)` gives them, here for
L = 16. A route says where an architecture downsamples, how many operations it spends at each stride, which features
meet and which are carried past operations unchanged. **Open cells** (filled) run their operation; **closed cells** (a
bar through them) pass their input on at the same stride: every skip below leaves an open cell, is carried by closed
cells alone, and arrives at an open cell or at the decoder. What a lattice cannot express is said with each; for all of
them it is kernel sizes and atrous rates, pyramid pooling and attention, concatenation (features that meet are summed),
operations at strides 1 and 2, and upsampling without an operation. Crosses are cells that the network does not have.
Where the route is forced on a dynamic network they are there: live cells send zeros along their shut paths, so that
cells beside the route are starved.

MACs and parameters are of the network that is built for the route alone (`routeviz train --architecture unet`, or cut
out of a supernet by `routeviz export network CHECKPOINT --architecture unet`): no gates, C = 64, 19 classes, images of
1024×2048. The paper's own figures for five of them, and what explains the difference, are in the output of
`routeviz compare --convention released`.

Made by `python analysis/architectures_page.py`."""


def page(net: rv.RoutingNetwork, drawings: Path) -> str:
    """The page's Markdown; writes the drawings, one SVG each."""
    known = rv.architectures(net.space)
    parts = [INTRODUCTION, summary(net, known)]
    for key, route in known.items():
        first, *rest = inspect.getdoc(ARCHITECTURES[key]).split("\n\n")
        title = f"{route.name} as a route of {net.space.layers} layers"
        svg = rv.lattice_svg(net.space, route.activations, title=title, static=True)
        (drawings / f"{key}.svg").write_text(svg + "\n", encoding="utf-8")
        parts += [
            f'<a id="{key}"></a>',  # the headings' own anchors differ from one viewer to the next
            f"## {route.name}",
            f"![{route.name}](architectures/{key}.svg)",
            f"`{key}`. {first}",
            *rest,
            *skip_list(route),
        ]
    return "\n\n".join(parts) + "\n"


def summary(net: rv.RoutingNetwork, known: dict[str, rv.Route]) -> str:
    """One row an architecture: open cells by stride, skips, MACs, parameters."""
    strides = net.space.cells.drop_duplicates("scale").stride
    header = ["architecture", *(f"open, stride {stride}" for stride in strides), "open cells", "open paths", "skips"]
    header += [f"MACs, G ({convention})" for convention in CONVENTIONS] + ["parameters, M"]
    rows = [header, [":--", *["--:"] * (len(header) - 1)]]
    for key, route in known.items():
        opened = route.cell_states[route.cell_states.state == "open"]
        costs = [
            rv.macs(net, route.activations[None], SIZE, convention=convention, with_gates=False)[0] / 1e9
            for convention in CONVENTIONS
        ]
        rows.append(
            [
                f"[{route.name}](#{key})",
                *(f"{(opened.scale == scale).sum()}" for scale in range(len(strides))),
                f"{len(opened)}",
                f"{route.open.sum()}",
                f"{len(skips(route))}",
                *(f"{cost:.3f}" for cost in costs),
                f"{rv.parameters(net, route) / 1e6:.3f}",
            ]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def skip_list(route: rv.Route) -> list[str]:
    """A table of where each skip leaves and arrives, and what carries it; empty where there is none."""
    table = skips(route)
    if table.empty:
        return []
    stride = route.space.cells.drop_duplicates("scale").set_index("scale").stride
    rows = [["skip leaves", "arrives", "carried by"], [":--", ":--", ":--"]]
    for skip in table.itertuples():
        end = f"L{skip.to_layer} s{skip.to_scale}" if skip.to_layer <= route.space.layers else "the decoder"
        cells = f"{skip.cells} {skip.carried_by} cell{'s' if skip.cells > 1 else ''}"
        rows.append(
            [
                f"open cell L{skip.from_layer} s{skip.from_scale}",
                f"open cell {end}" if end.startswith("L") else end,
                f"{cells} at stride {stride[skip.to_scale]}",
            ]
        )
    return ["\n".join(f"| {' | '.join(cells)} |" for cells in rows)]


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).parents[1] / "docs", show_default=True)
def main(out: Path) -> None:
    net = rv.RoutingNetwork(rv.NetworkConfig()).eval()
    (out / "architectures").mkdir(parents=True, exist_ok=True)
    (out / "architectures.md").write_text(page(net, out / "architectures"), encoding="utf-8")
    click.echo(f"{out / 'architectures.md'}: {len(ARCHITECTURES)} architectures")


if __name__ == "__main__":
    main()
