import numpy as np
import pytest

from routeviz.routelog import RouteLog, load_log
from routeviz.space import cell_states, open_paths


@pytest.fixture
def stored(log, tmp_path):
    log.save(tmp_path / "log")
    return load_log(tmp_path / "log")


@pytest.mark.parametrize("block", [7, 8192])
def test_what_routes_come_to_is_what_each_of_them_is(log, stored, space, monkeypatch, block):
    monkeypatch.setattr("routeviz.space.states.BLOCK", block)
    monkeypatch.setattr("routeviz.routelog.stored.BLOCK", block)
    is_open = open_paths(space, log.gates)
    for some in (RouteLog(log.gates, log.images, space), stored):
        found = some.tally
        np.testing.assert_array_equal(found.states.state, cell_states(space, log.gates).state)
        np.testing.assert_array_equal(found.states.input, cell_states(space, log.gates).input)
        np.testing.assert_array_equal(found.keys, np.packbits(is_open, axis=1))
        np.testing.assert_array_equal(found.opened, is_open.sum(axis=0))
        np.testing.assert_allclose(found.total, np.nansum(log.gates, axis=0, dtype=float), rtol=1e-12)
        np.testing.assert_allclose(found.total_open, np.where(is_open, log.gates, 0).sum(axis=0, dtype=float))
        np.testing.assert_array_equal(some.opened([5, 99, 0]), is_open[[5, 99, 0]])
        assert some.opened(np.zeros(100, bool)).shape == (0, space.n_paths)


def test_activations_of_unreached_cells_do_not_count(log, space):
    loud = RouteLog(np.nan_to_num(log.gates, nan=0.9), log.images, space)
    for one, other in zip(loud.tally[1:], log.tally[1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_of_a_stored_log_the_gates_are_not_kept(stored):
    assert stored.tally.opened.sum()
    assert "gates" not in stored.__dict__


def test_a_log_without_images_comes_to_nothing(log):
    nothing = log.select([]).tally
    assert nothing.states.state.shape == (0, log.space.n_cells)
    assert nothing.keys.shape == (0, -(-log.space.n_paths // 8))
    assert not nothing.opened.any()
