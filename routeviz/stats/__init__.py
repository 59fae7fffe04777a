"""What a route log says about a network: usage, diversity, blindness, likeness and cost. Pure functions; no torch.

Each module is imported where one of its functions is first asked for: SciPy and scikit-learn take a second, and neither
the counts on the dashboard's first screen nor most commands need them.
"""

from typing import TYPE_CHECKING

from routeviz.lazy import on_first_use

if TYPE_CHECKING:
    from routeviz.stats.bootstrap import Interval as Interval
    from routeviz.stats.bootstrap import known_difference as known_difference
    from routeviz.stats.bootstrap import miou_difference as miou_difference
    from routeviz.stats.bootstrap import miou_interval as miou_interval
    from routeviz.stats.common import FACTORS as FACTORS
    from routeviz.stats.common import CommonNetwork as CommonNetwork
    from routeviz.stats.common import common_network as common_network
    from routeviz.stats.common import common_sweep as common_sweep
    from routeviz.stats.comparison import NetworkFacts as NetworkFacts
    from routeviz.stats.comparison import compare_networks as compare_networks
    from routeviz.stats.correlation import correlate as correlate
    from routeviz.stats.courses import COLLAPSES as COLLAPSES
    from routeviz.stats.courses import DRIFT_WORDS as DRIFT_WORDS
    from routeviz.stats.courses import collapses as collapses
    from routeviz.stats.courses import collapses_of as collapses_of
    from routeviz.stats.courses import drift as drift
    from routeviz.stats.courses import path_courses as path_courses
    from routeviz.stats.courses import path_events as path_events
    from routeviz.stats.dynamics import image_groups as image_groups
    from routeviz.stats.dynamics import mutual_information as mutual_information
    from routeviz.stats.experts import chooses as chooses
    from routeviz.stats.experts import expert_balance as expert_balance
    from routeviz.stats.experts import expert_classes as expert_classes
    from routeviz.stats.experts import expert_coactivation as expert_coactivation
    from routeviz.stats.experts import expert_load as expert_load
    from routeviz.stats.experts import expert_specialisation as expert_specialisation
    from routeviz.stats.nearest import METRICS as METRICS
    from routeviz.stats.nearest import Overlap as Overlap
    from routeviz.stats.nearest import architecture_counts as architecture_counts
    from routeviz.stats.nearest import nearest_architecture as nearest_architecture
    from routeviz.stats.nearest import overlap as overlap
    from routeviz.stats.nearest import route_distances as route_distances
    from routeviz.stats.overview import Figure as Figure
    from routeviz.stats.overview import summary as summary
    from routeviz.stats.pareto import MARGIN as MARGIN
    from routeviz.stats.pareto import counts_of as counts_of
    from routeviz.stats.pareto import front_verdict as front_verdict
    from routeviz.stats.pareto import pareto_front as pareto_front
    from routeviz.stats.published import PUBLISHED as PUBLISHED
    from routeviz.stats.published import Published as Published
    from routeviz.stats.published import published_figures as published_figures
    from routeviz.stats.recorded import recorded_parts as recorded_parts
    from routeviz.stats.rescaled import RESCALED_WORDS as RESCALED_WORDS
    from routeviz.stats.rescaled import rescaled_paths as rescaled_paths
    from routeviz.stats.rescaled import rescaled_routes as rescaled_routes
    from routeviz.stats.rescaled import rescaled_verdict as rescaled_verdict
    from routeviz.stats.scale import ALIKE as ALIKE
    from routeviz.stats.scale import CORRELATION_WORDS as CORRELATION_WORDS
    from routeviz.stats.scale import FEATURES as FEATURES
    from routeviz.stats.scale import SCALE_FACTS as SCALE_FACTS
    from routeviz.stats.scale import Prediction as Prediction
    from routeviz.stats.scale import correlation_verdict as correlation_verdict
    from routeviz.stats.scale import neighbour_likeness as neighbour_likeness
    from routeviz.stats.scale import path_correlation as path_correlation
    from routeviz.stats.scale import predict_groups as predict_groups
    from routeviz.stats.scale import route_correlation as route_correlation
    from routeviz.stats.scale import route_measures as route_measures
    from routeviz.stats.timing import TimeFit as TimeFit
    from routeviz.stats.timing import fit_times as fit_times
    from routeviz.stats.usage import cell_usage as cell_usage
    from routeviz.stats.usage import path_usage as path_usage
    from routeviz.stats.usage import path_usage_by_layer as path_usage_by_layer
    from routeviz.stats.usage import route_counts as route_counts

_ROOMS = {
    "bootstrap": (
        "Interval",
        "known_difference",
        "miou_difference",
        "miou_interval",
    ),
    "common": (
        "FACTORS",
        "CommonNetwork",
        "common_network",
        "common_sweep",
    ),
    "comparison": (
        "NetworkFacts",
        "compare_networks",
    ),
    "correlation": ("correlate",),
    "courses": (
        "COLLAPSES",
        "DRIFT_WORDS",
        "collapses",
        "collapses_of",
        "drift",
        "path_courses",
        "path_events",
    ),
    "dynamics": (
        "image_groups",
        "mutual_information",
    ),
    "experts": (
        "chooses",
        "expert_balance",
        "expert_classes",
        "expert_coactivation",
        "expert_load",
        "expert_specialisation",
    ),
    "nearest": (
        "METRICS",
        "Overlap",
        "architecture_counts",
        "nearest_architecture",
        "overlap",
        "route_distances",
    ),
    "pareto": (
        "MARGIN",
        "counts_of",
        "front_verdict",
        "pareto_front",
    ),
    "published": (
        "PUBLISHED",
        "Published",
        "published_figures",
    ),
    "recorded": ("recorded_parts",),
    "rescaled": (
        "RESCALED_WORDS",
        "rescaled_paths",
        "rescaled_routes",
        "rescaled_verdict",
    ),
    "scale": (
        "ALIKE",
        "CORRELATION_WORDS",
        "FEATURES",
        "SCALE_FACTS",
        "Prediction",
        "correlation_verdict",
        "neighbour_likeness",
        "path_correlation",
        "predict_groups",
        "route_correlation",
        "route_measures",
    ),
    "overview": (
        "Figure",
        "summary",
    ),
    "timing": (
        "TimeFit",
        "fit_times",
    ),
    "usage": (
        "cell_usage",
        "path_usage",
        "path_usage_by_layer",
        "route_counts",
    ),
}

__getattr__, _names = on_first_use(__name__, _ROOMS)
__all__ = _names
