"""From a network and images to a route log."""

from routeviz.tracing.rescale import SIZE_FACTORS, Rescaled, trace_rescaled
from routeviz.tracing.trace import trace

__all__ = ["SIZE_FACTORS", "Rescaled", "trace", "trace_rescaled"]
