import networkx as nx
import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.graph import read_graphml, to_graphml, to_networkx
from routeviz.space import Route, lattice_space


@pytest.fixture
def space():
    return lattice_space(4, 4)


def some_route(space, **names):
    rng = np.random.default_rng(1)
    return Route(space, rng.random(space.n_paths) * (rng.random(space.n_paths) < 0.5), **names)


def test_reading_back_gives_an_equal_graph(space, tmp_path):
    route = some_route(space, name='Straße <7> & "b"', source="log")
    for given in (None, route):
        to_graphml(space, given, tmp_path / "route.graphml")
        assert nx.utils.graphs_equal(read_graphml(tmp_path / "route.graphml"), to_networkx(space, given))


def test_activations_survive_to_the_last_bit(space, tmp_path):
    route = some_route(space)
    to_graphml(space, route, tmp_path / "route.graphml")
    edges = read_graphml(tmp_path / "route.graphml").edges(data=True)
    back = {edge["path"]: edge["activation"] for _, _, edge in edges}
    np.testing.assert_array_equal(np.float32([back[path] for path in range(space.n_paths)]), route.activations)


def test_characters_that_xml_cannot_hold_are_replaced(space, tmp_path):
    to_graphml(space, some_route(space, name="a\x00b\x1bc"), tmp_path / "route.graphml")
    assert read_graphml(tmp_path / "route.graphml").graph["name"] == "a\ufffdb\ufffdc"


def test_a_file_that_is_no_graphml_is_refused(tmp_path):
    for text in ("", "<a>", "<a/>", "no xml"):
        (tmp_path / "file.graphml").write_text(text)
        with pytest.raises(InputError, match="is no GraphML"):
            read_graphml(tmp_path / "file.graphml")
