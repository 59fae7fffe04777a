import numpy as np

from routeviz.costs import budget_weights, cost_table, expected_macs
from routeviz.network import NetworkConfig, RoutingNetwork


def test_whole_space_at_the_released_crop():
    net = RoutingNetwork(NetworkConfig())
    # 768 x 768 has 9 times the area of 256 x 256, and every term grows with the area.
    assert round(9 * budget_weights(net, (256, 256)).whole / 1e6) == 26_892


def test_expected_cost_is_linear_between_shut_and_open(make_net):
    net, space = make_net(), make_net().space
    ones = np.ones((1, space.n_paths))
    whole = budget_weights(net, (32, 64)).whole
    np.testing.assert_allclose(expected_macs(net, ones, (32, 64)), whole)
    np.testing.assert_allclose(expected_macs(net, 0.3 * ones, (32, 64)), 0.3 * whole)
    assert expected_macs(net, ones * np.nan, (32, 64)) == 0


def test_a_cell_weighs_by_its_largest_activation_and_a_path_by_its_own(make_net):
    net, space = make_net(), make_net().space
    table, weights = cost_table(net, (32, 64), "released"), budget_weights(net, (32, 64))
    gates = np.zeros((1, space.n_paths))
    up, keep = space.path_index(2, 1, "up"), space.path_index(2, 1, "keep")
    gates[0, [up, keep]] = 0.25, 0.75
    cell = space.cell_index(2, 1)
    expected = 0.75 * table.operation[cell] + 0.25 * table.path[up] + 0.75 * table.path[keep]
    np.testing.assert_allclose(expected_macs(net, gates, (32, 64)), expected)
    assert weights.operation[cell] == table.operation[cell]
    assert weights.path[up] == table.path[up]


def test_layer_0_counts_by_its_paths_and_the_last_layer_by_its_cells(make_net):
    net, space = make_net(), make_net().space
    weights = budget_weights(net, (32, 64))
    first, last = space.cells.layer == 0, space.cells.layer == space.layers
    assert (weights.operation[first] == 0).all()
    assert (weights.operation[last] > 0).all()
    assert (weights.path[space.paths.layer == 0] > 0).all()
    assert (weights.path[space.exits] == 0).all()
    assert weights.whole == weights.operation.sum() + weights.path.sum()
