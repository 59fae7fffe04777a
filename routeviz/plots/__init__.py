"""Figures for paper (matplotlib) and screen (plotly): same names, same arguments.

Every ``plot_*`` computes, describes and draws: ``plot_usage.describe(log)`` is the description, a `Sheet`, and
``backend=`` says who draws it. Plotting libraries are imported on first use.
"""

from typing import TYPE_CHECKING

from routeviz.lazy import on_first_use
from routeviz.plots.figure import BACKENDS
from routeviz.plots.style import WIDTHS

if TYPE_CHECKING:
    from routeviz.plots.common import plot_common as plot_common
    from routeviz.plots.expense import plot_accuracy as plot_accuracy
    from routeviz.plots.expense import plot_macs as plot_macs
    from routeviz.plots.expense import plot_training_budget as plot_training_budget
    from routeviz.plots.experts import plot_experts as plot_experts
    from routeviz.plots.front import plot_front as plot_front
    from routeviz.plots.grouping import scale_groups as scale_groups
    from routeviz.plots.importance import plot_importance as plot_importance
    from routeviz.plots.lattices import group_routes as group_routes
    from routeviz.plots.lattices import plot_architectures as plot_architectures
    from routeviz.plots.lattices import plot_route as plot_route
    from routeviz.plots.lattices import plot_route_differences as plot_route_differences
    from routeviz.plots.lattices import plot_space as plot_space
    from routeviz.plots.likeness import plot_embedding as plot_embedding
    from routeviz.plots.likeness import plot_similarity as plot_similarity
    from routeviz.plots.likeness import route_clusters as route_clusters
    from routeviz.plots.likeness import route_similarity as route_similarity
    from routeviz.plots.networks import static_macs as static_macs
    from routeviz.plots.saving import render_figure as render_figure
    from routeviz.plots.saving import save_figure as save_figure
    from routeviz.plots.sheet import Sheet as Sheet
    from routeviz.plots.tried import plot_against_macs as plot_against_macs
    from routeviz.plots.usage import plot_activations as plot_activations
    from routeviz.plots.usage import plot_training_activations as plot_training_activations
    from routeviz.plots.usage import plot_usage as plot_usage

_ROOMS = {
    "lattices": (
        "group_routes",
        "plot_architectures",
        "plot_route",
        "plot_route_differences",
        "plot_space",
    ),
    "usage": (
        "plot_activations",
        "plot_training_activations",
        "plot_usage",
    ),
    "common": ("plot_common",),
    "expense": (
        "plot_accuracy",
        "plot_macs",
        "plot_training_budget",
    ),
    "tried": ("plot_against_macs",),
    "experts": ("plot_experts",),
    "front": ("plot_front",),
    "importance": ("plot_importance",),
    "likeness": (
        "plot_embedding",
        "plot_similarity",
        "route_clusters",
        "route_similarity",
    ),
    "sheet": ("Sheet",),
    "grouping": ("scale_groups",),
    "networks": ("static_macs",),
    "saving": (
        "render_figure",
        "save_figure",
    ),
}

__getattr__, _names = on_first_use(__name__, _ROOMS)
__all__ = ["BACKENDS", "WIDTHS", *_names]
