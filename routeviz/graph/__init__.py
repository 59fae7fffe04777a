"""Routing spaces and routes as graphs: build, lay out, write as GraphML."""

from routeviz.graph.graphml import read_graphml, to_graphml
from routeviz.graph.lattice import positions, to_networkx

__all__ = ["positions", "read_graphml", "to_graphml", "to_networkx"]
