import networkx as nx
import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.graph import positions, to_networkx
from routeviz.space import Route, RoutingSpace, architectures, experts_space, lattice_space


@pytest.fixture
def space():
    return lattice_space(6, 4)


@pytest.fixture
def route(space):
    rng = np.random.default_rng(0)
    return Route(space, rng.random(space.n_paths) * (rng.random(space.n_paths) < 0.3), name="street", source="a log")


def test_the_published_space_has_62_cells_and_149_paths():
    graph = to_networkx(lattice_space(16, 64))
    kinds = [kind for _, kind in graph.nodes(data="kind")]
    assert kinds == ["cell"] * 62 + ["output"] * 4
    assert graph.number_of_edges() == 149
    assert graph.nodes["L16 s3"] == {
        "kind": "cell", "layer": 16, "scale": 3, "stride": 32, "channels": 512, "x": 16.0, "y": -3.0
    }  # fmt: skip


def test_edges_are_the_paths_of_the_space(space):
    graph = to_networkx(space)
    by_path = {edge["path"]: (source, target, edge) for source, target, edge in graph.edges(data=True)}
    assert sorted(by_path) == list(range(space.n_paths))
    for path, row in enumerate(space.paths.itertuples()):
        source, target, edge = by_path[path]
        assert (source, target) == (f"L{row.layer} s{row.scale}", f"L{row.target_layer} s{row.target_scale}")
        assert edge == {"path": path, "name": space.path_names[path], "move": row.move}


def test_every_cell_lies_on_a_way_from_the_stem_into_the_decoder(space):
    graph = to_networkx(space)
    assert nx.is_directed_acyclic_graph(graph)
    assert nx.descendants(graph, "L0 s0") == set(graph) - {"L0 s0"}
    outputs = [node for node, kind in graph.nodes(data="kind") if kind == "output"]
    assert outputs == [f"L7 s{scale}" for scale in range(4)]
    assert set().union(*(nx.ancestors(graph, node) for node in outputs)) == set(graph) - set(outputs)


def test_a_route_says_what_each_cell_and_path_does(space, route):
    graph = to_networkx(space, route)
    assert graph.graph["name"] == "street"
    assert graph.graph["source"] == "a log"
    for row in route.cell_states.itertuples():
        node = graph.nodes[f"L{row.layer} s{row.scale}"]
        assert (node["state"], node["input"]) == (row.state, row.input)
    assert {node["state"] for _, node in graph.nodes(data=True) if "state" in node} == {"open", "closed", "unreached"}
    edges = sorted((edge for _, _, edge in graph.edges(data=True)), key=lambda edge: edge["path"])
    np.testing.assert_array_equal(np.float32([edge["activation"] for edge in edges]), route.activations)
    np.testing.assert_array_equal([edge["open"] for edge in edges], route.open)


def test_what_a_path_carries_comes_out_as_the_target_input(space, route):
    graph = to_networkx(space, route)
    order = ("none", "zeros", "constant", "image")
    for node, cell in graph.nodes(data=True):
        incoming = [edge["carries"] for _, _, edge in graph.in_edges(node, data=True)]
        if cell["kind"] == "cell" and incoming:
            assert cell["input"] == max(incoming, key=order.index)


def test_open_paths_of_a_static_architecture_connect_the_image_with_the_decoder(space):
    for route in architectures(space).values():
        graph = to_networkx(space, route)
        image = graph.edge_subgraph((a, b) for a, b, edge in graph.edges(data=True) if edge["carries"] == "image")
        assert any(graph.nodes[node]["kind"] == "output" for node in nx.descendants(image, "L0 s0"))


def test_layers_go_across_and_scales_down(space):
    places = positions(to_networkx(space))
    assert places["L3 s2"] == (3.0, -2.0)
    assert len(set(places.values())) == len(places) == space.n_cells + 4


def test_attributes_are_plain_types(space, route):
    graph = to_networkx(space, route)
    values = [value for _, node in graph.nodes(data=True) for value in node.values()]
    values += [value for _, _, edge in graph.edges(data=True) for value in edge.values()]
    assert {type(value) for value in values} == {str, int, float, bool}


def test_bad_input_is_refused(space, route):
    with pytest.raises(InputError, match="the route belongs to"):
        to_networkx(lattice_space(5, 4), route)


def test_where_cells_have_no_names_of_their_own_outputs_have_none_whatever_the_kind(space):
    other = RoutingSpace.from_dict(space.to_dict() | {"kind": "pyramid"})
    assert list(to_networkx(other).nodes) == list(to_networkx(space).nodes)


def test_parallel_paths_keep_an_edge_each():
    experts = experts_space(2, 3)
    graph = to_networkx(experts, Route(experts, [1, 0, 0.5, 0, 0, 1]))
    assert graph.is_multigraph()
    assert list(graph.nodes) == ["layer 0", "layer 1", "head 2"]
    edges = [(source, target, edge["name"], edge["open"]) for source, target, edge in graph.edges(data=True)]
    assert edges[:3] == [
        ("layer 0", "layer 1", "layer 0 expert 0", True),
        ("layer 0", "layer 1", "layer 0 expert 1", False),
        ("layer 0", "layer 1", "layer 0 expert 2", True),
    ]
    assert len(edges) == 6
