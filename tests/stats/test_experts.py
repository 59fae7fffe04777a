"""Load, balance, specialisation and co-activation of experts, on routes made so that the answer is known."""

import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.routelog import RouteLog
from routeviz.space import branches_space, chain_space, experts_space
from routeviz.stats import (
    chooses,
    expert_balance,
    expert_classes,
    expert_coactivation,
    expert_load,
    expert_specialisation,
)


def log_of(choices, experts, **facts):
    """A log in which a row opens one expert of each layer: choices are (row, layer)."""
    choices = np.asarray(choices)
    gates = np.eye(experts, dtype=np.float32)[choices].reshape(len(choices), -1)
    images = pd.DataFrame({"id": [str(row) for row in range(len(choices))]} | facts)
    return RouteLog(gates, images, experts_space(choices.shape[1], experts))


def test_load_and_weight_by_hand():
    gates = [[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]]
    log = RouteLog(np.array(gates, np.float32), pd.DataFrame({"id": list("abcd")}), experts_space(1, 3))
    load = expert_load(log)
    assert load.rows.tolist() == [2, 3, 0]
    assert load.load.tolist() == [2 / 5, 3 / 5, 0]
    np.testing.assert_allclose(load.weight, [1.25 / 3, 1.75 / 3, 0])
    assert load.way.tolist() == ["expert 0", "expert 1", "expert 2"]
    row = expert_balance(log).iloc[0]
    assert (row.cell, row.experts, row.chosen, row.least, row.most) == ("layer 0", 3, 5 / 4, 0, 3 / 5)
    np.testing.assert_allclose(row.variation, np.std([2, 3, 0]) / (5 / 3))
    np.testing.assert_allclose(row.balance, 3 * (2 / 5 * 1.25 / 3 + 3 / 5 * 1.75 / 3), rtol=1e-6)


def test_even_use_and_collapse_are_the_ends_of_every_measure():
    balance = expert_balance(log_of([[0, 2], [1, 2], [2, 2], [3, 2]], 4)).set_index("cell")
    assert balance.loc["layer 0", ["variation", "balance", "least", "most"]].tolist() == [0, 1, 1 / 4, 1 / 4]
    assert balance.loc["layer 1", ["variation", "balance", "least", "most"]].tolist() == [np.sqrt(3), 4, 0, 1]


@pytest.mark.parametrize("top", [1, 2])
def test_choices_at_random_vary_as_much_as_chance_says(top):
    rng, n, experts = np.random.default_rng(0), 300, 8
    gates = np.zeros((n * 200, experts), np.float32)
    chosen = rng.permuted(np.tile(np.arange(experts), (len(gates), 1)), axis=1)[:, :top]
    np.put_along_axis(gates, chosen, 1 / top, axis=1)
    found = []
    for part in np.split(gates, 200):
        log = RouteLog(part, pd.DataFrame({"id": [str(row) for row in range(n)]}), experts_space(1, experts))
        found.append(expert_balance(log).iloc[0])
    squares = np.mean([row.variation**2 for row in found])
    assert squares == pytest.approx(found[0].chance ** 2, rel=0.1)
    assert found[0].chance == pytest.approx(np.sqrt((experts - top) / (n * top)))


def test_an_expert_for_each_class_tells_all_and_one_at_random_no_more_than_chance():
    rng = np.random.default_rng(1)
    classes = rng.integers(4, size=800)
    log = log_of(np.stack([3 - classes, rng.integers(4, size=800)], axis=1), 4, digit=classes)
    table = expert_specialisation(log, by="digit").set_index("cell")
    told, by_chance = table.loc["layer 0"], table.loc["layer 1"]
    assert told.bits == pytest.approx(told.entropy)
    assert told.p == 1 / 100
    assert by_chance.p > 0.05
    # Of two independent choices of four, counted information is (4 - 1)(4 - 1) / (2 n ln 2) bits too high.
    assert by_chance.chance == pytest.approx(9 / (2 * 800 * np.log(2)), rel=0.2)
    shares = expert_classes(log, by="digit")
    assert shares.loc[[f"layer 0 expert {at}" for at in range(4)]].to_numpy().tolist() == np.eye(4)[::-1].tolist()


def test_tokens_of_one_image_do_not_count_as_many():
    # Each image sends its tokens to an expert of its own choice: counted by tokens that would look like a relation.
    rng = np.random.default_rng(2)
    classes, experts = rng.integers(2, size=40), rng.integers(4, size=40)
    facts = {"image": np.repeat([f"image {at}" for at in range(40)], 16), "digit": np.repeat(classes, 16)}
    log = log_of(np.repeat(experts, 16)[:, None], 4, **facts)
    by_image = expert_specialisation(log, by="digit").iloc[0]
    alone = RouteLog(log.gates, log.images.drop(columns="image"), log.space)
    assert by_image.p > 0.05
    assert expert_specialisation(alone, by="digit").iloc[0].p == 1 / 100
    assert by_image.chance > 5 * expert_specialisation(alone, by="digit").iloc[0].chance


def test_experts_that_go_together_are_lifted_and_independent_ones_are_not():
    rng = np.random.default_rng(3)
    first = rng.integers(4, size=4000)
    log = log_of(np.stack([first, (first + 1) % 4, rng.integers(4, size=4000)], axis=1), 4)
    table = expert_coactivation(log).set_index(["path", "other_path"])
    share = (first == 2).mean()
    assert table.loc[("layer 0 expert 2", "layer 1 expert 3"), ["together", "lift"]].tolist() == pytest.approx(
        [share, 1 / share]
    )
    assert table.loc[("layer 0 expert 2", "layer 1 expert 2"), "lift"] == 0
    free = table[(table.cell == "layer 0") & (table.other_cell == "layer 2")]
    assert free.lift.between(0.8, 1.2).all()
    assert len(table) == 3 * 16
    assert expert_coactivation(log_of([[0], [1]], 2)).empty


def test_what_has_no_experts_or_no_classes_is_said_in_one_line():
    chain = RouteLog(np.ones((2, 3), np.float32), pd.DataFrame({"id": ["a", "b"]}), chain_space(3))
    assert not chooses(chain)
    assert chooses(log_of([[0]], 2))
    with pytest.raises(InputError, match="chain of blocks that can be skipped"):
        expert_load(chain)
    log = log_of([[0], [1]], 2, digit=[1, None])
    with pytest.raises(InputError, match="missing in 1 rows"):
        expert_specialisation(log, by="digit")
    with pytest.raises(InputError, match="no column 'label'"):
        expert_classes(log, by="label")
    with pytest.raises(InputError, match="1 or more"):
        expert_specialisation(log, by="id", permutations=0)
    empty = RouteLog(np.zeros((0, 2), np.float32), pd.DataFrame({"id": []}, dtype=str), branches_space(2))
    with pytest.raises(InputError, match="no images"):
        expert_balance(empty)
