import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import (
    INPUTS,
    KINDS,
    STATES,
    Route,
    RoutingSpace,
    branches_space,
    cell_graph_space,
    cell_states,
    chain_space,
    channels_space,
    choices_space,
    exit_gates,
    exits_space,
    experts_space,
    extent,
    kind_of,
    lattice_space,
    open_paths,
    sent,
)
from routeviz.space.drawing import lattice_data
from routeviz.space.svg import difference_svg, lattice_svg

SPACES = {
    "chain": chain_space(6, strides=[1, 1, 2, 2, 4, 4]),
    "exits": exits_space(4),
    "experts": experts_space(3, 8),
    "branches": branches_space(5),
    "channels": channels_space([4, 8]),
    "choices": choices_space([["conv3", "conv5"], ["conv3", "conv5", "pool"]]),
    "cellgraph": cell_graph_space([(0, 2), (1, 2), (0, 3), (1, 3), (2, 3)], ["conv", "skip"], inputs=2, outputs=[2, 3]),
}


def words(space, gates):
    route = Route(space, gates)
    return route.cell_states.state.tolist(), route.cell_states.input.tolist()


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_kind_comes_back_from_its_text_and_is_known_by_name(space):
    again = RoutingSpace.from_dict(space.to_dict())
    assert again == space
    assert (again.pass_move, again.bypass, again.zeros) == (space.pass_move, space.bypass, space.zeros)
    assert space.kind in KINDS
    assert len(set(space.path_names)) == space.n_paths
    assert len(set(space.cell_names)) == space.n_cells


def test_the_rules_of_the_lattice_are_not_written_down():
    # Logs and routes know their space by its digest: it is what it was before there were other kinds.
    assert set(lattice_space(3, 8).to_dict()) == {"kind", "pass_move", "cells", "paths"}
    assert lattice_space(3, 8).digest.startswith("55e3938eaa8f000d")


def test_a_skipped_block_passes_the_image_on():
    space = chain_space(4)
    assert space.path_names == ("block 0 run", "block 1 run", "block 2 run", "block 3 run")
    states, inputs = words(space, [1, 0, 0, 0.5])
    assert states == ["open", "closed", "closed", "open"]
    assert inputs == ["image"] * 4
    assert open_paths(space, np.array([[1, 0, 0, 0.5]])).tolist() == [[True, False, False, True]]


def test_what_comes_after_an_exit_is_unreached():
    space = exits_space(3)
    assert space.path_names == ("block 0 on", "block 0 leave", "block 1 on", "block 1 leave", "block 2 leave")
    gates = exit_gates(space, [0, 1, 2])
    np.testing.assert_array_equal(
        gates, np.array([[0, 1, np.nan, np.nan, np.nan], [1, 0, 0, 1, np.nan], [1, 0, 1, 0, 1]], np.float32)
    )
    states = np.array(STATES)[cell_states(space, gates).state].tolist()
    assert states == [["open", "unreached", "unreached"], ["open", "open", "unreached"], ["open"] * 3]
    with pytest.raises(InputError, match="one of 0 to 2"):
        exit_gates(space, [3])


def test_a_token_that_no_expert_takes_goes_on_only_where_there_is_a_residual():
    for residual, reached in ((True, "image"), (False, "none")):
        space = experts_space(2, 3, residual=residual)
        gates = np.array([[0, 0, 0, 0.5, 0.5, 0]])
        states = cell_states(space, gates)
        assert np.array(INPUTS)[states.input[0]].tolist() == ["image", reached]
        assert STATES[states.state[0, 0]] == "closed"
        # It goes on beside the experts: none of them carries it.
        assert not sent(space, gates)[0, :3].any()


def test_a_path_that_is_shut_carries_nothing_but_in_the_lattice():
    space = experts_space(1, 2)
    assert [INPUTS[kind] for kind in sent(space, np.array([[1, 0]]))[0]] == ["image", "none"]
    lattice = lattice_space(3, 4)
    gates = np.zeros((1, lattice.n_paths))
    gates[0, 0] = 1
    assert [INPUTS[kind] for kind in sent(lattice, gates)[0, :2]] == ["image", "zeros"]


@pytest.mark.parametrize(
    ("space", "shut"), [(experts_space(2, 2), [6e-5, 6e-5]), (chain_space(2), [1e-4])], ids=["experts", "chain"]
)
def test_a_cell_with_all_paths_shut_is_closed_and_the_image_goes_on(space, shut):
    # Together, or at the threshold itself, they are as much as keeps a cell of the lattice live.
    gates = np.zeros(space.n_paths, np.float32)
    gates[: len(shut)], gates[len(shut)] = shut, 1
    assert words(space, gates) == (["closed", "open"], ["image", "image"])
    assert words(lattice_space(1, 2, scales=1), [1e-4, 1])[0] == ["open", "open"]


def test_a_cell_graph_has_an_operation_on_each_edge_and_both_inputs_are_fed():
    space = SPACES["cellgraph"]
    assert space.n_paths == 5 * 2 + 2
    assert space.fed.tolist() == [True, True, False, False]
    gates = np.zeros(space.n_paths)
    gates[space.path_names.index("node 1 to 2 conv")] = 1
    gates[space.path_names.index("node 2 out")] = 1
    assert words(space, gates)[0] == ["closed", "open", "open", "unreached"]
    with pytest.raises(InputError, match="several paths 'conv'"):
        space.path_index(0, 0, "conv")
    with pytest.raises(InputError, match="later one"):
        cell_graph_space([(1, 0)], ["conv"])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: chain_space(0),
        lambda: chain_space(3, strides=[1, 2]),
        lambda: experts_space(2, 0),
        lambda: branches_space([]),
        lambda: cell_graph_space([], ["conv"]),
        lambda: cell_graph_space([(0, 1)], ["conv"], outputs=[5]),
        lambda: cell_graph_space([(0, 1)], ["conv", "conv"]),
        lambda: cell_graph_space([(0, 1)], ["conv"], outputs=[1, 1]),
        lambda: choices_space([["conv", "conv"], ["conv"]]),
    ],
)
def test_impossible_spaces_are_refused(wrong):
    with pytest.raises(InputError):
        wrong()


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_paths_are_drawn_apart_from_cell_to_cell_inside_the_drawing(space):
    data = lattice_data(space, np.linspace(0, 1, space.n_paths))
    assert len({path["d"] for path in data["paths"]}) == space.n_paths
    for path, source in zip(data["paths"], data["source"], strict=True):
        numbers = np.array(re.findall(r"-?[\d.]+", path["d"]), float).reshape(-1, 2)
        cell = data["cells"][source]
        assert np.hypot(*(numbers[0] - (cell["x"], cell["y"]))) < 12
        middle = numbers if "Q" not in path["d"] else (numbers[0] + 2 * numbers[1] + numbers[2])[None] / 4
        assert (middle > 0).all()
        assert (middle < (data["width"], data["body"])).all()
    for svg in (lattice_svg(space, np.ones(space.n_paths)), difference_svg(space, *np.eye(space.n_paths)[:2])):
        assert ET.fromstring(svg).tag.endswith("svg")


def test_a_space_of_a_kind_that_nobody_knows_is_drawn_and_described_as_a_lattice():
    for lattice in (lattice_space(4, 8), lattice_space(3, 8, scales=1)):
        other = RoutingSpace.from_dict(lattice.to_dict() | {"kind": "pyramid"})
        drawn, expected = (lattice_data(space, np.ones(space.n_paths)) for space in (other, lattice))
        assert {key for key in drawn if drawn[key] != expected[key]} == {"digest"}
        assert extent(other) == extent(lattice)
        assert other.unnamed
    assert not any(space.unnamed for space in SPACES.values())


def test_words_of_a_drawing_are_those_of_its_kind():
    texts = [text["text"] for text in lattice_data(SPACES["experts"])["texts"]]
    assert [text for text in texts if text.startswith("expert")] == [f"expert {at}" for at in range(8)]
    assert "head" in texts
    chain = lattice_data(SPACES["chain"])
    assert [text["text"] for text in chain["texts"]][:3] == ["stride 1", "stride 2", "stride 4"]
    assert chain["cell_text"][2] == "block 2, stride 2"
    told = {item["text"] for item in chain["legend"]}
    assert "closed: input passes on" in told
    assert "starved: zeros arrive" not in told
    assert "closed: nothing goes on" in {item["text"] for item in lattice_data(SPACES["branches"])["legend"]}


@pytest.mark.parametrize(
    ("space", "ways"), [("experts", "experts"), ("branches", "branches"), ("channels", "groups"), ("exits", "")]
)
def test_ways_side_by_side_have_a_plural(space, ways):
    assert kind_of(SPACES[space]).rows == ways
