import json
import pickle

import numpy as np
import pytest
import torch

import routeviz as rv
from routeviz.counterfactual import ForcedRoute
from routeviz.errors import InputError
from routeviz.space import Route, RoutingSpace, experts_space, lattice_space


@pytest.fixture(scope="module")
def space():
    return lattice_space(4, 4)


def said(forced):
    """What is forced, by path."""
    values = zip(forced.space.path_names, forced.activations.tolist(), strict=True)
    return {name: round(value, 6) for name, value in values if value == value}


def test_nothing_said_asks_every_gate(space):
    assert np.isnan(ForcedRoute(space).activations).all()
    assert len(ForcedRoute(space)) == 0


def test_a_cell_is_all_its_paths_and_a_path_goes_before_its_cell(space):
    forced = ForcedRoute(space, {"L2 s1 keep": 0.25, "L2 s1": "shut", "L0 s0 down": "open"})
    assert said(forced) == {"L0 s0 down": 1, "L2 s1 up": 0, "L2 s1 keep": 0.25, "L2 s1 down": 0}


def test_forcing_a_cell_takes_back_what_was_said_of_its_paths_alone(space):
    forced = ForcedRoute(space, {"L2 s1 keep": 0.25, "L1 s1 keep": 0.5}).change("L2 s1", 1)
    assert dict(forced.changes) == {"L1 s1 keep": 0.5, "L2 s1": 1}


def test_releasing_a_path_of_a_forced_cell_keeps_its_other_paths_forced(space):
    forced = ForcedRoute(space, {"L2 s1": 0}).release("L2 s1 up")
    assert said(forced) == {"L2 s1 keep": 0, "L2 s1 down": 0}
    assert said(forced.release("L2 s1")) == {}


def test_what_belongs_to_a_cell_is_told_by_the_space_not_by_its_name():
    experts = experts_space(2, 3)
    forced = ForcedRoute(experts, {"layer 0 expert 0": 0.5, "layer 0": 1}).release("layer 0 expert 2")
    assert dict(forced.changes) == {"layer 0 expert 0": 0.5, "layer 0 expert 1": 1}
    data = lattice_space(2, 8, scales=1).to_dict()
    data["cells"]["name"], data["paths"]["name"] = ["a", "a b", "c"], ["first", "second", "last"]
    named = RoutingSpace.from_dict(data)
    forced = ForcedRoute(named, {"first": 0.5, "a b": 1}).change("a", 0)
    assert said(forced) == {"first": 0, "second": 1}
    assert said(forced.release("first")) == {"second": 1}


def test_two_together_hold_what_the_later_says(space):
    below = ForcedRoute(space, {"L1 s0": 1, "L2 s0 keep": 0.5}, name="below")
    above = ForcedRoute(space, {"L1 s0 keep": 0, "L2 s0": 0.1})
    assert said(above.over(below)) == {
        "L1 s0 keep": 0, "L1 s0 down": 1, "L2 s0 keep": 0.1, "L2 s0 down": 0.1
    }  # fmt: skip
    assert above.over(below).name == "below"


def test_changing_makes_a_new_one(space):
    forced = ForcedRoute(space, {"L1 s0": 1})
    forced.change("L1 s0", 0)
    assert said(forced)["L1 s0 keep"] == 1
    with pytest.raises(TypeError):
        forced.changes["L1 s0"] = 0


def test_a_copy_in_another_process_is_equal(space):
    forced = ForcedRoute(space, {"L1 s0": 1, "L2 s0 keep": 0.5}, name="mine")
    assert pickle.loads(pickle.dumps(forced)) == forced
    assert len({forced, ForcedRoute(space, {"L1 s0": "open", "L2 s0 keep": 0.5}, name="mine")}) == 1


@pytest.mark.parametrize("text", ["", "L1 s0=0", "L1 s0=0; L2 s1 up=0.25", "L4 s3=1"])
def test_text_comes_back_as_it_was(space, text):
    assert ForcedRoute.from_text(space, text).to_text() == text


@pytest.mark.parametrize("value", [0.123456789, 1 / 3, 1e-5, 5e-324, 0.1])
def test_text_and_file_keep_every_digit(space, value):
    forced = ForcedRoute(space, {"L1 s0": value, "L2 s1 up": 1})
    assert ForcedRoute.from_text(space, forced.to_text()) == forced
    assert (
        ForcedRoute(space, {"L1 s0": np.nextafter(value, 1)}).to_text()
        != ForcedRoute(space, {"L1 s0": value}).to_text()
    )
    again = ForcedRoute.from_json(forced.to_json())
    np.testing.assert_array_equal(again.activations, forced.activations)


def test_a_float32_is_told_in_its_own_digits(space):
    values = np.full(space.n_paths, np.nan, np.float32)
    values[0] = 0.1
    assert ForcedRoute.from_activations(space, values).to_text() == f"{space.path_names[0]}=0.1"


def test_words_spaces_and_lines_are_read(space):
    assert ForcedRoute.from_text(space, " L1  s0 = open ;\nL2 s1 up=shut;").to_text() == "L1 s0=1; L2 s1 up=0"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("L9 s0=1", "no cell or path 'L9 s0'"),
        ("L1 s0 sideways=1", "no cell or path"),
        ("L1 s0", "cannot read"),
        ("L1 s0=1.5", "valid: 0 to 1"),
        ("L1 s0=nan", "valid: 0 to 1"),
        ("L1 s0=ajar", "valid: 0 to 1"),
    ],
)
def test_what_cannot_be_forced_is_refused_in_one_line(space, text, why):
    with pytest.raises(InputError, match=why) as caught:
        ForcedRoute.from_text(space, text)
    assert "\n" not in str(caught.value)


def test_a_file_keeps_what_is_forced_and_what_is_asked(space, tmp_path):
    forced = ForcedRoute(space, {"L1 s0": 0.1, "L2 s1 up": 0}, name="mine")
    forced.save(tmp_path / "forced.json")
    assert json.loads((tmp_path / "forced.json").read_text())["activations"].count(None) == space.n_paths - 3
    back = ForcedRoute.load(tmp_path / "forced.json")
    assert np.array_equal(back.activations, forced.activations, equal_nan=True)
    assert back.name == "mine"
    assert list(back.changes) == ["L1 s0", "L2 s1 up"]


def test_the_file_of_a_whole_route_forces_every_path(space, tmp_path):
    Route(space, np.linspace(0, 1, space.n_paths), name="ramp").save(tmp_path / "route.json")
    forced = ForcedRoute.load(tmp_path / "route.json")
    assert np.array_equal(forced.activations, np.linspace(0, 1, space.n_paths, dtype=np.float32))


def test_a_part_of_a_route_is_not_taken_for_a_whole_one(space, tmp_path):
    ForcedRoute(space, {"L1 s0": 0}).save(tmp_path / "forced.json")
    with pytest.raises(InputError, match=r"forced.json: .* left to their gates"):
        Route.load(tmp_path / "forced.json")


def test_a_file_that_is_no_route_is_named(space, tmp_path):
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(InputError, match=r"broken\.json: not a route"):
        ForcedRoute.load(tmp_path / "broken.json")
    with pytest.raises(InputError, match="cannot read route"):
        ForcedRoute.load(tmp_path / "nowhere.json")


def test_a_network_and_a_trace_take_it_as_a_route(space, tmp_path):
    torch.manual_seed(0)
    dataset = rv.open_dataset("scenes", length=2, size=(64, 64))
    net = rv.RoutingNetwork(
        rv.NetworkConfig(layers=4, width=4, stem_width=4, num_classes=len(dataset.class_names))
    ).eval()
    forced = ForcedRoute(space, {"L1 s0": "closed"}, name="first closed")
    log = rv.trace(net, dataset, route=forced, workers=0)
    assert (log.gates[:, space.paths_from(space.cell_index(1, 0))] == 0).all()
    assert (log.gates[:, space.paths_from(0)] > 0.1).all()
    assert log.source["settings"]["route"]["name"] == "first closed"
    assert log.source["settings"]["route"]["activations"].count(None) == space.n_paths - 2
    with pytest.raises(InputError, match="belongs to"):
        rv.trace(net, dataset, route=ForcedRoute(lattice_space(5, 4), {"L1 s0": 0}), workers=0)
