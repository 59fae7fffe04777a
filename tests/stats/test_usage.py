"""Usage worked out by hand for four images; see the log in conftest."""

import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import lattice_space
from routeviz.stats import cell_usage, path_usage, path_usage_by_layer, route_counts


def test_paths_by_hand(log):
    table = path_usage(log)
    np.testing.assert_array_equal(table.open, [3 / 4, 2 / 4, 3 / 4, 0, 3 / 4, 1 / 4, 1, 3 / 4])
    np.testing.assert_allclose(table.activation, [2.2 / 4, 0.6 / 4, 3 / 4, 0, 2.4 / 4, 1 / 4, 1, 3 / 4], rtol=1e-6)
    np.testing.assert_allclose(
        table.activation_open, [2.2 / 3, 0.3, 1, np.nan, 0.8, 1, 1, 1], rtol=1e-6, equal_nan=True
    )
    quarter = 2 - 0.75 * np.log2(3)
    np.testing.assert_allclose(table.entropy, [quarter, 1, quarter, 0, quarter, quarter, 0, quarter])


def test_cells_by_hand(log, space):
    table = cell_usage(log).set_index(["layer", "scale"])
    assert table.loc[(0, 0), ["open", "closed", "unreached", "image"]].tolist() == [3 / 4, 1 / 4, 0, 1]
    # Unreached by the third image, and starved by the fourth, whose layer 0 shuts the path down.
    assert table.loc[(1, 1), ["open", "closed", "unreached"]].tolist() == [3 / 4, 0, 1 / 4]
    assert table.loc[(1, 1), ["none", "zeros", "constant", "image"]].tolist() == [1 / 4, 1 / 4, 0, 2 / 4]
    # What a starved cell sends is a constant: in the fourth image it is all that L2 s1 gets. L2 s0 gets the image too.
    assert table.loc[(2, 0), "image"] == 1
    assert table.loc[(2, 1), ["zeros", "constant"]].tolist() == [3 / 4, 1 / 4]
    assert (table.image_blind == table.zeros + table.constant).all()
    np.testing.assert_allclose(table[["open", "closed", "unreached"]].sum(axis=1), 1)
    np.testing.assert_allclose(table[["none", "zeros", "constant", "image"]].sum(axis=1), 1)


def test_routes_are_counted_by_their_open_paths(log):
    assert route_counts(log).tolist() == [2, 1, 1]


def test_gates_of_unreached_cells_do_not_count(make_log, log):
    gates = log.gates.copy()
    gates[2, 4:6] = 0.9
    loud = make_log(*gates)
    assert path_usage(loud).equals(path_usage(log))
    assert route_counts(loud).tolist() == [2, 1, 1]


def test_blocks_do_not_show(make_log, monkeypatch):
    space = lattice_space(6, 4)
    rng = np.random.default_rng(0)
    gates = rng.random((50, space.n_paths)) * (rng.random((50, space.n_paths)) < 0.3)
    taken = gates[rng.integers(0, 20, 50)]
    before = path_usage(whole := make_log(*taken, space=space)), route_counts(whole)
    monkeypatch.setattr("routeviz.space.states.BLOCK", 7)
    after = path_usage(parts := make_log(*taken, space=space)), route_counts(parts)
    np.testing.assert_allclose(before[0].select_dtypes("number"), after[0].select_dtypes("number"), rtol=1e-12)
    np.testing.assert_array_equal(before[1], after[1])
    assert before[1].sum() == 50


def test_order_of_images_does_not_matter(log):
    turned = log.select([3, 1, 0, 2])
    assert cell_usage(turned).equals(cell_usage(log))
    np.testing.assert_array_equal(route_counts(turned), route_counts(log))


def test_the_layout_is_that_of_the_lattice(log):
    table = path_usage_by_layer(log)
    assert list(table.columns) == [0, 1, 2]
    assert set(table.index) == {(0, "keep"), (0, "down"), (1, "up"), (1, "keep")}
    np.testing.assert_array_equal(table.loc[(0, "keep")], [3 / 4, 3 / 4, 1])
    np.testing.assert_array_equal(table.loc[(1, "keep")], [np.nan, 1 / 4, 3 / 4])
    assert path_usage_by_layer(log, value="activation").loc[(1, "keep"), 1] == 1 / 4
    with pytest.raises(InputError, match="unknown value 'share'; valid: open, activation, activation_open, entropy"):
        path_usage_by_layer(log, value="share")


def test_moves_stand_in_the_order_of_the_space(make_log):
    space = lattice_space(4, 4)
    rows = path_usage_by_layer(make_log(np.ones(space.n_paths), space=space)).index
    assert [move for scale, move in rows if scale == 2] == ["up", "keep", "down"]
    assert len(rows) == 10


def test_an_empty_log_is_refused(make_log):
    for describe in (path_usage, cell_usage, route_counts):
        with pytest.raises(InputError, match="no images"):
            describe(make_log())
