"""What a route log says about a network: usage, diversity, blindness and cost. Pure functions of a log; no torch."""

from routeviz.stats.summary import Figure, summary
from routeviz.stats.usage import cell_usage, path_usage, path_usage_by_layer, route_counts

__all__ = ["Figure", "cell_usage", "path_usage", "path_usage_by_layer", "route_counts", "summary"]
