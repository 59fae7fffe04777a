"""What a route log says about a network: usage, diversity, blindness, likeness and cost. Pure functions; no torch."""

from routeviz.stats.bootstrap import Interval, miou_difference, miou_interval
from routeviz.stats.common import FACTORS, CommonNetwork, common_network, common_sweep
from routeviz.stats.comparison import NetworkFacts, compare_networks
from routeviz.stats.correlation import correlate
from routeviz.stats.drift import COLLAPSES, DRIFT_WORDS, collapses, collapses_of, drift, path_courses, path_events
from routeviz.stats.dynamics import image_groups, mutual_information
from routeviz.stats.experts import (
    chooses,
    expert_balance,
    expert_classes,
    expert_coactivation,
    expert_load,
    expert_specialisation,
)
from routeviz.stats.labels import label_columns
from routeviz.stats.nearest import (
    METRICS,
    Overlap,
    architecture_counts,
    nearest_architecture,
    overlap,
    route_distances,
)
from routeviz.stats.pareto import MARGIN, counts_of, front_verdict, pareto_front
from routeviz.stats.published import PUBLISHED, Published, published_figures
from routeviz.stats.rescaled import RESCALED_WORDS, rescaled_paths, rescaled_routes, rescaled_verdict
from routeviz.stats.scale import (
    ALIKE,
    CORRELATION_WORDS,
    FEATURES,
    SCALE_FACTS,
    Prediction,
    correlation_verdict,
    neighbour_likeness,
    path_correlation,
    predict_groups,
    route_correlation,
    route_measures,
)
from routeviz.stats.summary import Figure, summary
from routeviz.stats.timing import TimeFit, fit_times
from routeviz.stats.usage import cell_usage, path_usage, path_usage_by_layer, route_counts

__all__ = [
    "ALIKE",
    "COLLAPSES",
    "CORRELATION_WORDS",
    "DRIFT_WORDS",
    "FACTORS",
    "FEATURES",
    "MARGIN",
    "METRICS",
    "PUBLISHED",
    "RESCALED_WORDS",
    "SCALE_FACTS",
    "CommonNetwork",
    "Figure",
    "Interval",
    "NetworkFacts",
    "Overlap",
    "Prediction",
    "Published",
    "TimeFit",
    "architecture_counts",
    "cell_usage",
    "chooses",
    "collapses",
    "collapses_of",
    "common_network",
    "common_sweep",
    "compare_networks",
    "correlate",
    "correlation_verdict",
    "counts_of",
    "drift",
    "expert_balance",
    "expert_classes",
    "expert_coactivation",
    "expert_load",
    "expert_specialisation",
    "fit_times",
    "front_verdict",
    "image_groups",
    "label_columns",
    "miou_difference",
    "miou_interval",
    "mutual_information",
    "nearest_architecture",
    "neighbour_likeness",
    "overlap",
    "pareto_front",
    "path_correlation",
    "path_courses",
    "path_events",
    "path_usage",
    "path_usage_by_layer",
    "predict_groups",
    "published_figures",
    "rescaled_paths",
    "rescaled_routes",
    "rescaled_verdict",
    "route_correlation",
    "route_counts",
    "route_distances",
    "route_measures",
    "summary",
]
