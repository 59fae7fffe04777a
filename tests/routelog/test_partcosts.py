import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.routelog import PartCosts
from routeviz.space import STATES, cell_states, chain_space, open_paths

SPACE = chain_space(2)
GOOD = {"convention": "conv", "fixed": 5, "operation": [1, 2], "gate": [3, 4], "path": [0] * SPACE.n_paths}


@pytest.mark.parametrize("number", [-5, -5.9, 0.5, 5.0, True, "5", None, 2**63, [5]])
@pytest.mark.parametrize("part", ["fixed", "operation", "gate", "path"])
def test_costs_that_are_no_whole_numbers_are_refused(part, number):
    assert PartCosts.from_dict(SPACE, GOOD).to_dict() == GOOD
    wrong = number if part == "fixed" else [*GOOD[part][:-1], number]
    with pytest.raises(InputError, match="is no number of multiply-adds"):
        PartCosts.from_dict(SPACE, GOOD | {part: wrong})


def test_costs_of_other_parts_are_refused():
    for wrong, words in (
        ({}, "'operation'"),
        (GOOD | {"gate": 3}, "not iterable"),
        (GOOD | {"gate": [3]}, "costs of gate of shape"),
    ):
        with pytest.raises(InputError, match=words):
            PartCosts.from_dict(SPACE, wrong)


@pytest.mark.parametrize("fixed", [-1, 0.5, True, "5"])
def test_fixed_costs_are_a_whole_number(fixed):
    with pytest.raises(InputError, match="fixed costs of"):
        PartCosts(SPACE, fixed, np.zeros(2, int), np.zeros(2, int), np.zeros(SPACE.n_paths, int))


def test_a_cost_beyond_int64_is_refused_and_not_negative():
    with pytest.raises(InputError, match="costs of operation"):
        PartCosts(SPACE, 0, np.array([2**63, 0], np.uint64), np.zeros(2, int), np.zeros(SPACE.n_paths, int))


def test_macs_are_those_of_the_states_whatever_the_blocks(space, make_gates, monkeypatch):
    monkeypatch.setattr("routeviz.space.states.BLOCK", 7)
    rng, gates = np.random.default_rng(0), make_gates(50)
    numbers = [rng.integers(0, 10**12, n) for n in (space.n_cells, space.n_cells, space.n_paths)]
    found = PartCosts(space, 7, *numbers).by_part(gates)
    state = cell_states(space, gates).state
    assert found["fixed"].tolist() == [7] * 50
    assert found["operations"].tolist() == ((state == STATES.index("open")) @ numbers[0]).tolist()
    assert found["gates"].tolist() == ((state != STATES.index("unreached")) @ numbers[1]).tolist()
    assert found["paths"].tolist() == (open_paths(space, gates) @ numbers[2]).tolist()
    assert (found.dtypes == np.int64).all()
