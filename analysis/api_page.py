"""Make docs/api.md: every public name by the room that it comes from, with what it is and which command or view has it.

python analysis/api_page.py
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click

import routeviz as rv

INTRODUCTION = """\
# Names

All that `import routeviz as rv` offers, by room (the folder of `routeviz/` that a name comes from; it can be imported
from there too). `help(rv.trace)` gives parameters with shapes and units, what is returned, and the errors raised. The
last column says which command of `routeviz` does the same, and which view of the [dashboard](dashboard.md) shows it.

Made by `python analysis/api_page.py`."""

ELSEWHERE = {
    "CONVENTIONS": ("costs",),
    "CostTable": ("costs",),
    "cost_table": ("costs", "Inspect"),
    "expected_macs": ("train", "Checkpoints"),
    "macs": ("costs", "trace", "Inspect"),
    "measure_times": ("costs --measure", "Inspect"),
    "parameters": ("costs", "Architectures"),
    "ForcedRoute": ("force", "trace --route", "What if"),
    "Front": ("front", "Checkpoints"),
    "Importance": ("importance", "What if"),
    "Limits": ("importance", "What if"),
    "budget_front": ("front", "Checkpoints"),
    "flag_paths": ("importance", "What if"),
    "forced_effect": ("force",),
    "importance": ("importance", "What if"),
    "load_front": ("front", "Checkpoints"),
    "load_importance": ("figures", "What if"),
    "rerun": ("What if",),
    "without_starved": ("costs --starved", "Population"),
    "DATASETS": ("trace --dataset",),
    "open_dataset": ("trace --dataset", "Checkpoints"),
    "to_graphml": ("export route",),
    "fixed_network": ("common --out", "export network"),
    "keep_freed_memory": ("trace", "train", "importance", "force", "front", "drift", "scale"),
    "load_checkpoint": ("trace", "Inspect"),
    "save_checkpoint": ("import", "export network"),
    "Normalization": ("import",),
    "plot_accuracy": ("figures", "Figures"),
    "plot_activations": ("figures", "Population"),
    "plot_against_macs": ("figures", "Population"),
    "plot_architectures": ("figures", "Architectures"),
    "plot_common": ("common --plot",),
    "plot_embedding": ("figures", "Population"),
    "plot_experts": ("figures", "Population"),
    "plot_front": ("front --plot", "Checkpoints"),
    "plot_importance": ("figures", "What if"),
    "plot_macs": ("figures", "Population"),
    "plot_route": ("figures", "Inspect"),
    "plot_route_differences": ("figures", "Compare"),
    "plot_similarity": ("figures", "Compare"),
    "plot_space": ("figures", "Figures"),
    "plot_training_activations": ("figures", "Figures"),
    "plot_training_budget": ("figures", "Figures"),
    "plot_usage": ("figures", "Population"),
    "render_figure": ("figures", "Figures"),
    "save_figure": ("common --plot", "front --plot"),
    "route_clusters": ("Population",),
    "scale_groups": ("figures",),
    "static_macs": ("figures",),
    "write_report": ("report",),
    "RouteLog": ("trace", "stats", "Inspect"),
    "load_log": ("stats", "Inspect"),
    "Route": ("export route", "Inspect"),
    "RoutingSpace": ("Inspect",),
    "architecture": ("costs --architecture", "Compare"),
    "architectures": ("compare", "Architectures"),
    "route_distance": ("Compare",),
    "architecture_counts": ("nearest", "Architectures"),
    "collapses": ("drift", "Checkpoints"),
    "common_network": ("common",),
    "common_sweep": ("common --sweep",),
    "compare_networks": ("compare",),
    "correlate": ("scale",),
    "drift": ("drift", "Checkpoints"),
    "expert_balance": ("stats", "Population"),
    "expert_classes": ("Population",),
    "expert_coactivation": ("stats", "Population"),
    "expert_load": ("stats", "Population"),
    "expert_specialisation": ("stats", "Population"),
    "fit_times": ("costs --measure", "Inspect"),
    "nearest_architecture": ("nearest", "Architectures"),
    "path_correlation": ("scale", "Population"),
    "path_courses": ("drift", "Checkpoints"),
    "path_events": ("drift", "Checkpoints"),
    "predict_groups": ("scale", "Population"),
    "rescaled_paths": ("scale image", "Population"),
    "rescaled_routes": ("scale image", "Population"),
    "route_correlation": ("scale", "Population"),
    "route_distances": ("nearest",),
    "summary": ("stats", "Population"),
    "trace": ("trace", "Checkpoints"),
    "trace_rescaled": ("scale image", "Population"),
}
"""Commands with the option that asks for it, then views, that do or show what a name does."""


def page() -> str:
    """The page's Markdown."""
    parts = [INTRODUCTION]
    for room, names in rv._ROOMS.items():
        if names:
            rows = ["| name | what it is | command, view |", "|---|---|---|"]
            rows += [
                f"| `{name}` | {told(name)} | {', '.join(map(place, ELSEWHERE.get(name, ())))} |" for name in names
            ]
            parts += [f"## {room}", first_line(getattr(rv, room)), "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def told(name: str) -> str:
    """What a name is: the first line that its docstring says, or the value of a constant."""
    thing = getattr(rv, name)
    if inspect.isclass(thing) or callable(thing):
        return first_line(thing)
    values = thing if isinstance(thing, tuple | dict) else (thing,)
    return ", ".join(f"`{value}`" for value in values)


def first_line(thing: object) -> str:
    """First line of a docstring, as Markdown that fits into a table."""
    line = inspect.getdoc(thing).partition("\n")[0]
    line = re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", line).replace("``", "`")
    return line.replace("|", "\\|")


def place(name: str) -> str:
    """A command as code, a view as a link to its part of the dashboard's page."""
    return f"[{name}](dashboard.md#{name.lower().replace(' ', '-')})" if name[0].isupper() else f"`{name}`"


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).parents[1] / "docs", show_default=True)
def main(out: Path) -> None:
    (out / "api.md").write_text(page(), encoding="utf-8")
    click.echo(f"{out / 'api.md'}: {sum(map(len, rv._ROOMS.values()))} names")


if __name__ == "__main__":
    main()
