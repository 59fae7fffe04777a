"""GraphML, which Gephi, yEd, Cytoscape and igraph read."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import ParseError

import networkx as nx

from routeviz.errors import InputError
from routeviz.graph.lattice import to_networkx
from routeviz.space import Route, RoutingSpace
from routeviz.writing import whole_file


def to_graphml(space: RoutingSpace, route: Route | None, path: str | Path) -> None:
    """Write a space, or a route through it, as GraphML.

    Parameters
    ----------
    space : RoutingSpace
    route : Route or None
        None writes the bare space.
    path : path
        The file, by habit ``*.graphml``. Nodes, edges and their attributes are those of `to_networkx`; in the route's
        name and source, characters that XML cannot hold become U+FFFD.

    Raises
    ------
    InputError
        If the route belongs to another space.
    """
    graph = to_networkx(space, route)
    for key, text in graph.graph.items():
        graph.graph[key] = "".join(char if char.isprintable() else "\ufffd" for char in text)
    with whole_file(path) as draft:
        nx.write_graphml(graph, draft)


def read_graphml(path: str | Path) -> nx.DiGraph:
    """Read a file that `to_graphml` wrote, as the graph that `to_networkx` gave.

    Raises
    ------
    InputError
        If the file is no GraphML.
    """
    try:
        graph = nx.read_graphml(path)
    except (ParseError, nx.NetworkXError) as error:
        raise InputError(f"{path} is no GraphML: {error}") from None
    for default in ("node_default", "edge_default"):
        graph.graph.pop(default, None)
    return graph
