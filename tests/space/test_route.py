import pickle
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import Route, lattice_space, route_distance

SPACE = lattice_space(3, 8)


def route(**opened):
    values = np.zeros(SPACE.n_paths)
    for name, value in opened.items():
        values[SPACE.path_index(int(name[1]), int(name[3]), name[4:])] = value
    return Route(SPACE, values, name="r<b>", source="by hand")


def test_json_and_pickle_bring_the_same_route_back():
    values = np.random.default_rng(0).random(SPACE.n_paths).astype(np.float32)
    first = Route(SPACE, values, name="é", source="s")
    for again in (Route.from_json(first.to_json()), pickle.loads(pickle.dumps(first))):
        assert again == first
        assert again.activations.dtype == np.float32
        assert (again.name, again.source) == ("é", "s")


def test_a_route_cannot_be_changed():
    first = route(L0s0keep=1)
    with pytest.raises(AttributeError, match="immutable"):
        first.name = "other"
    with pytest.raises(ValueError, match="read-only"):
        first.activations[0] = 0.5


def test_cell_states_table_reads_in_words():
    table = route(L0s0down=1).cell_states
    assert table.columns.tolist() == ["layer", "scale", "state", "input"]
    assert table.iloc[0].tolist() == [0, 0, "open", "image"]
    assert table.iloc[1].tolist() == [1, 0, "closed", "zeros"]


def test_open_leaves_out_unreached_cells():
    assert route(L0s0keep=1, L2s2keep=1).open.sum() == 1


def test_nan_of_unreached_cells_becomes_zero():
    values = np.full(SPACE.n_paths, np.nan)
    values[:2] = 0.5
    assert Route(SPACE, values).activations[2:].sum() == 0


@pytest.mark.parametrize("bad", [np.zeros(3), np.full(SPACE.n_paths, 1.5), np.full(SPACE.n_paths, -0.1)])
def test_bad_activations_are_refused(bad):
    with pytest.raises(InputError):
        Route(SPACE, bad)


NOT_ROUTES = [
    "",
    "[]",
    "{}",
    '{"schema": 1, "space": {}, "activations": []}',
    '{"schema": 9, "space": 1, "activations": 2}',
]


@pytest.mark.parametrize("text", NOT_ROUTES)
def test_text_that_is_no_route_is_refused(text):
    with pytest.raises(InputError):
        Route.from_json(text)


def test_files_that_are_no_route_are_named(tmp_path):
    path = tmp_path / "route.json"
    route(L0s0keep=0.25).save(path)
    assert Route.load(path) == route(L0s0keep=0.25)
    path.write_bytes(b"\xff\xfe")
    for bad in (path, tmp_path / "missing.json", tmp_path):
        with pytest.raises(InputError, match=bad.name):
            Route.load(bad)


def test_distances_by_hand():
    a, b = route(L0s0keep=0.5, L0s0down=0.5), route(L0s0keep=0.25)
    # Weighted Jaccard: 1 - 0.25 / (0.5 + 0.5); Hamming: one of 19 paths differs.
    assert route_distance(a, b) == pytest.approx(0.75)
    assert route_distance(a, b, metric="hamming") == pytest.approx(1 / 19)
    assert route_distance(a, a) == 0
    assert route_distance(route(), route()) == 0
    assert route_distance(a, route()) == 1


def test_distance_needs_one_space_and_a_known_metric():
    with pytest.raises(InputError, match="different spaces"):
        route_distance(route(), Route(lattice_space(4, 8), np.zeros(lattice_space(4, 8).n_paths)))
    with pytest.raises(InputError, match="jaccard, hamming"):
        route_distance(route(), route(), metric="cosine")


def test_a_notebook_shows_the_lattice_with_the_name_escaped():
    space = lattice_space(4, 4)
    route = Route(space, np.ones(space.n_paths), name="<b>one</b>")
    assert ET.fromstring(route._repr_svg_()).tag.endswith("svg")
    html = route._repr_html_()
    assert "&lt;b&gt;one" in html
    assert "<b>one" not in html
