"""MACs of many routes at once."""

import json

import numpy as np
import pytest

from routeviz.costs import (
    CONVENTIONS,
    PARTS,
    asked_cells,
    cost_table,
    expected_macs,
    image_blind_macs,
    macs,
    macs_by_part,
)
from routeviz.errors import CostError, InputError
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.space import STATES, cell_states, lattice_space, open_paths

SIZE = (64, 96)


def random_gates(space, n_images, *, seed=0, share_open=0.5):
    rng = np.random.default_rng(seed)
    return (rng.random((n_images, space.n_paths)) * (rng.random((n_images, space.n_paths)) < share_open)).astype("f4")


def by_definition(net, gates, size, convention):
    """MACs of one route, spelled out from its states."""
    space, table = net.space, cost_table(net, size, convention)
    state = np.array(STATES)[cell_states(space, gates[None]).state[0]]
    total = table.stem + table.operation[state == "open"].sum() + table.path[open_paths(space, gates[None])[0]].sum()
    if convention == "released":
        return total + table.gate.sum() + table.decoder.sum() + table.predictor
    arrived = {
        int(space.paths.target_scale[path])
        for path in np.flatnonzero(space.exits)
        if state[space.source[path]] != "unreached"
    }
    total += table.gate[state != "unreached"].sum()
    total += sum(table.decoder[scale] for scale in range(space.scales) if max(arrived, default=-1) >= scale)
    return total + (table.predictor if arrived else 0)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("share_open", [0.1, 0.4, 0.9])
def test_many_routes_cost_what_each_does(make_net, convention, share_open):
    net = make_net(layers=8)
    gates = random_gates(net.space, 40, share_open=share_open)
    expected = [by_definition(net, row, SIZE, convention) for row in gates]
    np.testing.assert_array_equal(macs(net, gates, SIZE, convention=convention), expected)


def test_blocks_do_not_show(make_net, monkeypatch):
    net, rng = make_net(), np.random.default_rng(1)
    gates, sizes = random_gates(net.space, 25), rng.choice([32, 64], (25, 2))
    whole = macs(net, gates, SIZE), macs(net, gates, sizes), expected_macs(net, gates, sizes)
    monkeypatch.setattr("routeviz.space.states.BLOCK", 4)
    blocks = macs(net, gates, SIZE), macs(net, gates, sizes), expected_macs(net, gates, sizes)
    for one, other in zip(whole, blocks, strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_image_is_counted_at_its_own_size(make_net):
    net, rng = make_net(), np.random.default_rng(2)
    gates, sizes = random_gates(net.space, 12), rng.choice([32, 50], (12, 2))
    for convention in CONVENTIONS:
        each = [macs(net, row[None], size, convention=convention)[0] for row, size in zip(gates, sizes, strict=True)]
        np.testing.assert_array_equal(macs(net, gates, sizes, convention=convention), each)
    each = [expected_macs(net, row[None], size)[0] for row, size in zip(gates, sizes, strict=True)]
    np.testing.assert_allclose(expected_macs(net, gates, sizes), each, rtol=1e-12)


def test_nan_of_unreached_cells_counts_as_zero_and_what_they_say_is_ignored(make_net):
    net = make_net(layers=6)
    gates = random_gates(net.space, 30, share_open=0.2)
    unreached = cell_states(net.space, gates).state[:, net.space.source] == STATES.index("unreached")
    assert unreached.any()
    for convention in CONVENTIONS:
        plain = macs(net, gates, SIZE, convention=convention)
        marked = macs(net, np.where(unreached, np.float32(np.nan), gates), SIZE, convention=convention)
        loud = macs(net, np.where(unreached, np.float32(1), gates), SIZE, convention=convention)
        np.testing.assert_array_equal(plain, marked)
        np.testing.assert_array_equal(plain, loud)


def test_parts_add_up_and_everything_open_is_the_table_total(make_net):
    net = make_net()
    gates = np.vstack([random_gates(net.space, 9), np.ones((1, net.space.n_paths))])
    for convention in CONVENTIONS:
        parts = macs_by_part(net, gates, SIZE, convention=convention)
        assert tuple(parts.columns) == PARTS
        np.testing.assert_array_equal(parts.sum(axis=1), macs(net, gates, SIZE, convention=convention))
        assert parts.iloc[-1].sum() == cost_table(net, SIZE, convention).total


def test_gates_are_charged_to_the_cells_that_compute_them(make_net):
    net = make_net()
    gates = np.ones((1, net.space.n_paths), np.float32)
    gate = cost_table(net, SIZE).gate
    free, fixed = macs(net, gates, SIZE), macs(net, gates, SIZE, with_gates=False)
    assert free - fixed == gate.sum()
    some = np.zeros(net.space.n_cells, bool)
    some[[0, 3]] = True
    assert macs(net, gates, SIZE, with_gates=some) - fixed == gate[0] + gate[3]
    each = np.stack([some, ~some])
    np.testing.assert_array_equal(
        macs(net, np.repeat(gates, 2, axis=0), SIZE, with_gates=each) - fixed, [gate[some].sum(), gate[~some].sum()]
    )


def test_image_blind_macs_are_those_of_starved_cells_and_of_what_they_feed(make_net):
    net = make_net()
    space, table = net.space, cost_table(net, SIZE)
    cell, path = space.cell_index, space.path_index
    gates = np.zeros((1, space.n_paths), np.float32)
    # The image stays at scale 0. L1 s1 gets zeros along the path down that L0 keeps shut, and feeds L2 s2 and L3 s2.
    for place in ((0, 0, "keep"), (1, 0, "keep"), (1, 1, "down"), (2, 2, "keep")):
        gates[0, path(*place)] = 1
    blind = {(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (4, 1), (4, 2), (4, 3)}
    states = cell_states(space, gates)
    reached = {place for place in blind if states.input[0, cell(*place)]}
    assert np.flatnonzero(states.image_blind[0]).tolist() == sorted(cell(*place) for place in reached)
    expected = sum(table.gate[cell(*place)] for place in reached)
    expected += table.operation[cell(1, 1)] + table.operation[cell(2, 2)] + table.path[path(1, 1, "down")]
    assert image_blind_macs(net, gates, SIZE) == [expected]
    assert image_blind_macs(net, np.ones_like(gates), SIZE) == [0]


def test_asked_cells_are_those_with_a_path_left_open_to_the_gate():
    space = lattice_space(4, 4)
    forced = np.zeros(space.n_paths)
    assert not asked_cells(space, forced).any()
    forced[space.path_index(2, 1, "keep")] = np.nan
    assert np.flatnonzero(asked_cells(space, forced)).tolist() == [space.cell_index(2, 1)]
    assert asked_cells(space, np.stack([forced, forced * 0])).shape == (2, space.n_cells)


def test_routes_of_a_static_network_stay_within_what_it_has_built(make_net):
    space = lattice_space(4, 4)
    fixed = np.zeros(space.n_paths, np.float32)
    fixed[[space.path_index(layer, 0, "keep") for layer in range(5)]] = 1
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=3, fixed_gates=tuple(fixed.tolist())))
    assert macs(net, fixed[None], SIZE) == macs(net, fixed[None], SIZE, with_gates=False)
    more = fixed.copy()
    more[space.path_index(1, 0, "down")] = 1
    with pytest.raises(CostError, match="path L1 s0 down, which this static network has not built"):
        macs(net, more[None], SIZE)
    more[space.path_index(0, 0, "down")] = more[space.path_index(1, 1, "keep")] = 1
    with pytest.raises(CostError, match="cell L1 s1"):
        macs(net, more[None], SIZE)


def test_bad_input_is_refused_with_what_is_valid(make_net):
    net = make_net()
    gates = random_gates(net.space, 3)
    for bad in (gates[0], gates[:, 1:]):
        with pytest.raises(InputError, match=rf"this space needs \(images, {net.space.n_paths}\)"):
            macs(net, bad, SIZE)
    with pytest.raises(InputError, match="one row an image"):
        macs(net, gates, np.ones((2, 2), int))
    with pytest.raises(InputError, match="with_gates of shape"):
        macs(net, gates, SIZE, with_gates=np.ones(4, bool))
    assert len(macs(net, gates[:0], SIZE)) == 0


@pytest.mark.parametrize("case", ["layer16_full_gate", "layer16_small_gate"])
def test_the_released_figures_of_the_reference(reference_root, case):
    config = json.loads((reference_root / f"{case}.json").read_text())
    arrays = np.load(reference_root / f"{case}.npz")
    net = RoutingNetwork(
        NetworkConfig(
            layers=config["layers"],
            width=config["init_channels"],
            num_classes=config["num_classes"],
            small_gate=config["small_gate"],
        )
    )
    row = {tuple(place): index for index, place in enumerate(arrays["node_layer_scale"].tolist())}
    column = {"up": 0, "keep": 1, "down": 2}
    places = [(row[path.layer, path.scale], column[path.move]) for path in net.space.paths.itertuples()]
    gates = np.stack([arrays["gates_up_keep_down"][:, cell, move] for cell, move in places], axis=1)
    size = tuple(config["image_size"])
    np.testing.assert_allclose(macs(net, gates, size, convention="released") / 1e6, arrays["real_mflops"], rtol=1e-6)
    np.testing.assert_allclose(expected_macs(net, gates, size) / 1e6, arrays["expected_mflops"], rtol=1e-6)
