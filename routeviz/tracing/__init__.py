"""From a network and images to a route log."""

from routeviz.tracing.trace import trace

__all__ = ["trace"]
