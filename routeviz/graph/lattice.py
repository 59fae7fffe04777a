"""A routing space, with or without a route, as a networkx graph."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np

from routeviz.errors import InputError
from routeviz.space import INPUTS, Route, RoutingSpace, kind_of, sent


def to_networkx(space: RoutingSpace, route: Route | None = None) -> nx.DiGraph:
    """Build the graph of a space, or of a route through it.

    Parameters
    ----------
    space : RoutingSpace
    route : Route, optional
        Adds what each cell and path does under it.

    Returns
    -------
    networkx.DiGraph, or MultiDiGraph where several paths lead from one cell to another
        One node a cell, named as in ``space.cell_names``, in the space's order, and one node a place where paths leave
        the space; one edge a path. All attributes are str, int, float or bool, as GraphML knows them.

        Nodes: ``kind`` (``"cell"``, or ``"output"``: what the decoder takes), ``layer``, ``scale``, ``x`` (the layer)
        and ``y`` (minus the scale, so that coarse scales lie below). Cells also: ``stride``, ``channels``; of a route
        ``state`` and ``input``, as in ``Route.cell_states``.

        Edges: ``path`` (index in the space's order), ``name``, ``move``; of a route ``activation``, ``open`` and
        ``carries`` (kind of tensor sent along it: none, zeros, constant or image).

        Graph: ``kind`` and ``space`` (the space's digest); of a route ``name`` and ``source``.

    Raises
    ------
    InputError
        If the route belongs to another space.
    """
    if route is not None and route.space != space:
        raise InputError(f"the route belongs to {route.space}; this is {space}")
    ends = list(zip(space.source.tolist(), space.paths.target_layer, space.paths.target_scale, strict=True))
    parallel = len(set(ends)) < len(ends)
    graph = (nx.MultiDiGraph if parallel else nx.DiGraph)(kind=space.kind, space=space.digest)
    for name, cell in zip(space.cell_names, space.cells.to_dict("records"), strict=True):
        graph.add_node(name, kind="cell", **cell, **_place(cell["layer"], cell["scale"]))
    targets = zip(space.paths.target_layer.tolist(), space.paths.target_scale.tolist(), strict=True)
    for path, (source, (layer, scale)) in enumerate(zip(space.source, targets, strict=True)):
        if space.exits[path]:
            target = _output(space, layer, scale)
            graph.add_node(target, kind="output", layer=layer, scale=scale, **_place(layer, scale))
        else:
            target = space.cell_names[space.target[path]]
        edge = {"path": path, "name": space.path_names[path], "move": space.moves[path]}
        graph.add_edge(space.cell_names[source], target, **edge)
    return graph if route is None else _with_route(graph, space, route)


def _output(space: RoutingSpace, layer: int, scale: int) -> str:
    """Name of a place outside, that paths lead to."""
    return f"L{layer} s{scale}" if space.unnamed else f"{kind_of(space).sink} {layer}"


def positions(graph: nx.DiGraph) -> dict[str, tuple[float, float]]:
    """Give the place of each node, as networkx's drawing takes it: layers across, scales down."""
    return {node: (place["x"], place["y"]) for node, place in graph.nodes.items()}


def _place(layer: int, scale: int) -> dict[str, float]:
    return {"x": float(layer), "y": float(-scale)}


def _with_route(graph: nx.DiGraph, space: RoutingSpace, route: Route) -> nx.DiGraph:
    graph.graph.update(name=route.name, source=route.source)
    states = route.cell_states
    cells: list[dict[str, Any]] = states[["state", "input"]].to_dict("records")
    nx.set_node_attributes(graph, dict(zip(space.cell_names, cells, strict=True)))
    carries = np.array(INPUTS)[sent(space, route.activations[None])[0]]
    for _, _, edge in graph.edges(data=True):
        path = edge["path"]
        edge["activation"] = float(route.activations[path])
        edge["open"] = bool(route.open[path])
        edge["carries"] = str(carries[path])
    return graph
