"""routeviz: see, count and compare the routes that images take through a dynamic-routing segmentation network.

Every public name is imported from its room on first use, so ``import routeviz`` costs nothing:

>>> import routeviz as rv
>>> net = rv.load_checkpoint("step-000500.safetensors")
>>> log = rv.trace(net, rv.open_dataset("camvid", "CamVid", split="val"))
"""

from typing import TYPE_CHECKING

from routeviz.lazy import on_first_use

if TYPE_CHECKING:
    from routeviz.costs import CONVENTIONS as CONVENTIONS
    from routeviz.costs import CostTable as CostTable
    from routeviz.costs import cost_table as cost_table
    from routeviz.costs import expected_macs as expected_macs
    from routeviz.costs import macs as macs
    from routeviz.costs import measure_times as measure_times
    from routeviz.costs import parameters as parameters
    from routeviz.counterfactual import ForcedRoute as ForcedRoute
    from routeviz.counterfactual import Front as Front
    from routeviz.counterfactual import Importance as Importance
    from routeviz.counterfactual import Limits as Limits
    from routeviz.counterfactual import budget_front as budget_front
    from routeviz.counterfactual import flag_paths as flag_paths
    from routeviz.counterfactual import forced_effect as forced_effect
    from routeviz.counterfactual import importance as importance
    from routeviz.counterfactual import load_front as load_front
    from routeviz.counterfactual import load_importance as load_importance
    from routeviz.counterfactual import rerun as rerun
    from routeviz.counterfactual import without_starved as without_starved
    from routeviz.datasets import DATASETS as DATASETS
    from routeviz.datasets import Sample as Sample
    from routeviz.datasets import open_dataset as open_dataset
    from routeviz.errors import CheckpointError as CheckpointError
    from routeviz.errors import CostError as CostError
    from routeviz.errors import DatasetError as DatasetError
    from routeviz.errors import InputError as InputError
    from routeviz.errors import LogError as LogError
    from routeviz.errors import RoutevizError as RoutevizError
    from routeviz.graph import to_graphml as to_graphml
    from routeviz.graph import to_networkx as to_networkx
    from routeviz.network import NetworkConfig as NetworkConfig
    from routeviz.network import NetworkOutput as NetworkOutput
    from routeviz.network import Normalization as Normalization
    from routeviz.network import RoutingNetwork as RoutingNetwork
    from routeviz.network import fixed_network as fixed_network
    from routeviz.network import keep_freed_memory as keep_freed_memory
    from routeviz.network import load_checkpoint as load_checkpoint
    from routeviz.network import save_checkpoint as save_checkpoint
    from routeviz.plots import group_routes as group_routes
    from routeviz.plots import plot_accuracy as plot_accuracy
    from routeviz.plots import plot_activations as plot_activations
    from routeviz.plots import plot_against_macs as plot_against_macs
    from routeviz.plots import plot_architectures as plot_architectures
    from routeviz.plots import plot_common as plot_common
    from routeviz.plots import plot_embedding as plot_embedding
    from routeviz.plots import plot_experts as plot_experts
    from routeviz.plots import plot_front as plot_front
    from routeviz.plots import plot_importance as plot_importance
    from routeviz.plots import plot_macs as plot_macs
    from routeviz.plots import plot_route as plot_route
    from routeviz.plots import plot_route_differences as plot_route_differences
    from routeviz.plots import plot_similarity as plot_similarity
    from routeviz.plots import plot_space as plot_space
    from routeviz.plots import plot_training_activations as plot_training_activations
    from routeviz.plots import plot_training_budget as plot_training_budget
    from routeviz.plots import plot_usage as plot_usage
    from routeviz.plots import render_figure as render_figure
    from routeviz.plots import route_clusters as route_clusters
    from routeviz.plots import route_similarity as route_similarity
    from routeviz.plots import save_figure as save_figure
    from routeviz.plots import scale_groups as scale_groups
    from routeviz.plots import static_macs as static_macs
    from routeviz.recording import Gate as Gate
    from routeviz.recording import Recording as Recording
    from routeviz.recording import close_paths as close_paths
    from routeviz.recording import force_paths as force_paths
    from routeviz.recording import measure_macs as measure_macs
    from routeviz.recording import record as record
    from routeviz.report import Report as Report
    from routeviz.report import make_report as make_report
    from routeviz.report import write_report as write_report
    from routeviz.routelog import LogWriter as LogWriter
    from routeviz.routelog import PartCosts as PartCosts
    from routeviz.routelog import RouteLog as RouteLog
    from routeviz.routelog import load_log as load_log
    from routeviz.space import INPUTS as INPUTS
    from routeviz.space import OPEN_THRESHOLD as OPEN_THRESHOLD
    from routeviz.space import STATES as STATES
    from routeviz.space import Route as Route
    from routeviz.space import RoutingSpace as RoutingSpace
    from routeviz.space import architecture as architecture
    from routeviz.space import architectures as architectures
    from routeviz.space import branches_space as branches_space
    from routeviz.space import cell_graph_space as cell_graph_space
    from routeviz.space import cell_states as cell_states
    from routeviz.space import chain_space as chain_space
    from routeviz.space import channels_space as channels_space
    from routeviz.space import choices_space as choices_space
    from routeviz.space import exit_gates as exit_gates
    from routeviz.space import exits_space as exits_space
    from routeviz.space import experts_space as experts_space
    from routeviz.space import lattice_space as lattice_space
    from routeviz.space import lattice_svg as lattice_svg
    from routeviz.space import open_paths as open_paths
    from routeviz.space import route_distance as route_distance
    from routeviz.stats import architecture_counts as architecture_counts
    from routeviz.stats import collapses as collapses
    from routeviz.stats import common_network as common_network
    from routeviz.stats import common_sweep as common_sweep
    from routeviz.stats import compare_networks as compare_networks
    from routeviz.stats import correlate as correlate
    from routeviz.stats import drift as drift
    from routeviz.stats import expert_balance as expert_balance
    from routeviz.stats import expert_classes as expert_classes
    from routeviz.stats import expert_coactivation as expert_coactivation
    from routeviz.stats import expert_load as expert_load
    from routeviz.stats import expert_specialisation as expert_specialisation
    from routeviz.stats import fit_times as fit_times
    from routeviz.stats import image_groups as image_groups
    from routeviz.stats import mutual_information as mutual_information
    from routeviz.stats import nearest_architecture as nearest_architecture
    from routeviz.stats import overlap as overlap
    from routeviz.stats import path_correlation as path_correlation
    from routeviz.stats import path_courses as path_courses
    from routeviz.stats import path_events as path_events
    from routeviz.stats import predict_groups as predict_groups
    from routeviz.stats import rescaled_paths as rescaled_paths
    from routeviz.stats import rescaled_routes as rescaled_routes
    from routeviz.stats import route_correlation as route_correlation
    from routeviz.stats import route_distances as route_distances
    from routeviz.stats import route_measures as route_measures
    from routeviz.stats import summary as summary
    from routeviz.tracing import trace as trace
    from routeviz.tracing import trace_rescaled as trace_rescaled

__version__ = "0.1.0"

_ROOMS = {
    "costs": ("CONVENTIONS", "CostTable", "cost_table", "expected_macs", "macs", "measure_times", "parameters"),
    "counterfactual": (
        "ForcedRoute",
        "Front",
        "Importance",
        "Limits",
        "budget_front",
        "flag_paths",
        "forced_effect",
        "importance",
        "load_front",
        "load_importance",
        "rerun",
        "without_starved",
    ),
    "datasets": ("DATASETS", "Sample", "open_dataset"),
    "errors": ("CheckpointError", "CostError", "DatasetError", "InputError", "LogError", "RoutevizError"),
    "gated": (),
    "graph": ("to_graphml", "to_networkx"),
    "metrics": (),
    "network": (
        "NetworkConfig",
        "NetworkOutput",
        "Normalization",
        "RoutingNetwork",
        "fixed_network",
        "keep_freed_memory",
        "load_checkpoint",
        "save_checkpoint",
    ),
    "plots": (
        "group_routes",
        "plot_accuracy",
        "plot_activations",
        "plot_against_macs",
        "plot_architectures",
        "plot_common",
        "plot_embedding",
        "plot_experts",
        "plot_front",
        "plot_importance",
        "plot_macs",
        "plot_route",
        "plot_route_differences",
        "plot_similarity",
        "plot_space",
        "plot_training_activations",
        "plot_training_budget",
        "plot_usage",
        "render_figure",
        "route_clusters",
        "route_similarity",
        "save_figure",
        "scale_groups",
        "static_macs",
    ),
    "recording": ("Gate", "Recording", "close_paths", "force_paths", "measure_macs", "record"),
    "report": ("Report", "make_report", "write_report"),
    "routelog": ("LogWriter", "PartCosts", "RouteLog", "load_log"),
    "space": (
        "INPUTS",
        "OPEN_THRESHOLD",
        "STATES",
        "Route",
        "RoutingSpace",
        "architecture",
        "architectures",
        "branches_space",
        "cell_graph_space",
        "cell_states",
        "chain_space",
        "channels_space",
        "choices_space",
        "exit_gates",
        "exits_space",
        "experts_space",
        "lattice_space",
        "lattice_svg",
        "open_paths",
        "route_distance",
    ),
    "stats": (
        "architecture_counts",
        "collapses",
        "common_network",
        "common_sweep",
        "compare_networks",
        "correlate",
        "drift",
        "expert_balance",
        "expert_classes",
        "expert_coactivation",
        "expert_load",
        "expert_specialisation",
        "fit_times",
        "image_groups",
        "mutual_information",
        "nearest_architecture",
        "overlap",
        "path_correlation",
        "path_courses",
        "path_events",
        "predict_groups",
        "rescaled_paths",
        "rescaled_routes",
        "route_correlation",
        "route_distances",
        "route_measures",
        "summary",
    ),
    "tracing": ("trace", "trace_rescaled"),
    "training": (),
}
__getattr__, _names = on_first_use(__name__, _ROOMS)
__all__ = ["__version__", *_names]


def __dir__() -> list[str]:
    return sorted({*globals(), *_names, *_ROOMS})
