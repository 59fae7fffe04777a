"""What holds of every space and every route: they come back as they were, and neither order nor company matters."""

import json
import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from routeviz.space import (
    OPEN_THRESHOLD,
    Route,
    RoutingSpace,
    cell_states,
    kinds,
    lattice_space,
    open_paths,
    route_distance,
)
from routeviz.space.states import sent

few = st.integers(1, 4)
word = st.text(min_size=1, max_size=6)


@st.composite
def lattices(draw):
    scales = draw(st.integers(1, 5))
    return lattice_space(draw(st.integers(max(1, scales - 1), 7)), 2 * draw(few), scales=scales)


@st.composite
def graphs(draw):
    """Cell graphs: edges between some of the nodes, with words of any letters for operations."""
    n_nodes = draw(st.integers(2, 5))
    possible = [(a, b) for b in range(n_nodes) for a in range(b)]
    edges = draw(st.lists(st.sampled_from(possible), min_size=1, unique=True))
    last = max(b for _, b in edges)
    outputs = draw(st.lists(st.integers(0, last), min_size=1, max_size=3, unique=True))
    names = draw(st.lists(word.filter(lambda name: name != "out"), min_size=1, max_size=3, unique=True))
    return kinds.cell_graph_space(edges, names, inputs=draw(st.integers(1, last + 1)), outputs=outputs)


others = st.one_of(
    st.lists(st.sampled_from([1, 2, 4]), min_size=1, max_size=6).map(
        lambda strides: kinds.chain_space(len(strides), strides=strides, channels=[8 * one for one in strides])
    ),
    few.map(kinds.exits_space),
    st.builds(kinds.experts_space, few, few, width=few, residual=st.booleans()),
    st.lists(few, min_size=1, max_size=4).map(kinds.branches_space),
    st.lists(few, min_size=1, max_size=4).map(kinds.channels_space),
    st.lists(st.lists(word, min_size=1, max_size=3, unique=True), min_size=1, max_size=4).map(kinds.choices_space),
    graphs(),
)
spaces = lattices() | others

# Shut, just below and above the threshold, the least and the largest number there is, and anything between.
LEAST = float(np.finfo(np.float32).smallest_subnormal)
EDGES = (0.0, 1.0, OPEN_THRESHOLD, OPEN_THRESHOLD / 2, 1.1 * OPEN_THRESHOLD, LEAST, np.nan)
activation = st.sampled_from(EDGES) | st.floats(0, 1, width=32)


@st.composite
def with_gates(draw, least=1, most=6):
    space, images = draw(spaces), draw(st.integers(least, most))
    return space, draw(st_np.arrays(np.float32, (images, space.n_paths), elements=activation))


@given(spaces)
def test_a_space_comes_back_from_its_text(space):
    again = RoutingSpace.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space
    assert again.digest == space.digest
    assert (again.cell_names, again.path_names, again.ways) == (space.cell_names, space.path_names, space.ways)
    for part in ("source", "target", "exits", "passes", "fed"):
        np.testing.assert_array_equal(getattr(again, part), getattr(space, part))


@given(spaces)
def test_every_path_is_of_one_cell_leads_forward_and_is_found_by_its_name(space):
    counted = np.concatenate([np.arange(space.n_paths)[space.paths_from(cell)] for cell in range(space.n_cells)])
    assert counted.tolist() == list(range(space.n_paths))
    # States are derived cell by cell: what leads back would come too late.
    assert ((space.target > space.source) | space.exits).all()
    assert [space.paths_named(name).tolist() for name in space.path_names] == [[path] for path in counted]
    assert space.fed[0]
    for path in counted:
        place = space.paths.loc[path, ["layer", "scale", "move"]]
        if space.ways[path] == space.moves[path]:
            assert space.path_index(*place) == path


@given(with_gates(1, 1), st.text(max_size=20), st.text(max_size=20))
def test_a_route_comes_back_from_its_text_to_the_last_bit(drawn, name, source):
    space, gates = drawn
    route = Route(space, gates[0], name=name, source=source)
    for again in (Route.from_json(route.to_json()), pickle.loads(pickle.dumps(route))):
        assert again == route
        assert again.activations.tobytes() == route.activations.tobytes()
        assert (again.name, again.source) == (name, source)


@given(with_gates(), st.data())
def test_states_of_an_image_depend_on_no_other(drawn, data):
    space, gates = drawn
    order = data.draw(st.permutations(range(len(gates))))
    for derive in (lambda some: cell_states(space, some).state, lambda some: cell_states(space, some).input,
                   lambda some: sent(space, some), lambda some: open_paths(space, some)):  # fmt: skip
        together = derive(gates)
        np.testing.assert_array_equal(derive(gates[order]), together[order])
        for row in range(len(gates)):
            np.testing.assert_array_equal(derive(gates[row : row + 1])[0], together[row])


@given(with_gates(), st.data())
def test_what_more_activation_reaches_it_reaches_too(drawn, data):
    space, gates = drawn
    more = data.draw(st_np.arrays(np.float32, gates.shape, elements=activation))
    less, more = np.nan_to_num(gates), np.fmax(np.nan_to_num(gates), more)
    assert (open_paths(space, more) >= open_paths(space, less)).all()
    # A closed cell becomes an open one, and nothing that was reached is lost.
    assert (cell_states(space, more).state >= cell_states(space, less).state).all()


@given(with_gates(3, 3), st.sampled_from(["jaccard", "hamming"]))
def test_a_distance_is_one(drawn, metric):
    space, gates = drawn
    a, b, c = (Route(space, row) for row in gates)
    far = route_distance(a, b, metric=metric)
    assert 0 <= far <= 1
    assert far == route_distance(b, a, metric=metric)
    assert route_distance(a, a, metric=metric) == 0
    around = route_distance(a, c, metric=metric) + route_distance(c, b, metric=metric)
    assert far <= around + 1e-9
