import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import INPUTS, STATES, cell_states, lattice_space, open_paths, sent

SPACE = lattice_space(3, 8)


def gates(**opened):
    """Gates of one image from path names such as L0s0keep=0.5; all others 0."""
    values = np.zeros((1, SPACE.n_paths), np.float32)
    for name, value in opened.items():
        values[0, SPACE.path_index(int(name[1]), int(name[3]), name[4:])] = value
    return values


def cells(values):
    """{(layer, scale): (state, input)} of one image."""
    states = cell_states(SPACE, values)
    places = zip(SPACE.cells.layer, SPACE.cells.scale, strict=True)
    return {p: (STATES[s], INPUTS[i]) for p, s, i in zip(places, states.state[0], states.input[0], strict=True)}


def test_all_closed_is_one_skip_along_scale_0():
    found = cells(gates())
    for (_, scale), cell in found.items():
        assert cell == (("closed", "image") if scale == 0 else ("unreached", "none"))


def test_a_live_cell_sends_zeros_along_its_shut_paths():
    # L0 opens down only: L1 s0 gets zeros, passes them on (closed); L1 s1 gets the image.
    found = cells(gates(L0s0down=0.7))
    assert found[0, 0] == ("open", "image")
    assert found[1, 0] == ("closed", "zeros")
    assert found[1, 1] == ("closed", "image")
    assert found[2, 1] == ("closed", "image")
    assert found[2, 2] == ("unreached", "none")
    assert found[3, 0] == ("closed", "zeros")


def test_a_starved_live_cell_makes_a_constant():
    # L1 s0 gets only zeros, is live, and sends what its biases make: L2 s0 gets a constant, L2 s1 zeros and the image.
    found = cells(gates(L0s0down=0.7, L1s0keep=0.5))
    assert found[1, 0] == ("open", "zeros")
    assert found[2, 0] == ("closed", "constant")
    assert found[2, 1] == ("closed", "image")
    found = cells(gates(L0s0down=0.7, L1s0keep=0.5, L2s0down=0.5))
    assert found[2, 0] == ("open", "constant")
    assert found[3, 0] == ("closed", "zeros")
    assert found[3, 1] == ("closed", "image")


def test_image_outweighs_constant_where_both_arrive():
    found = cells(gates(L0s0down=0.7, L1s0keep=0.5, L1s1up=0.2))
    assert found[2, 0] == ("closed", "image")


@pytest.mark.parametrize(
    ("alpha", "state", "neighbour"),
    [(0.99e-4, "closed", "none"), (1.01e-4, "open", "image")],
)
def test_closed_is_decided_by_the_sum_at_the_threshold(alpha, state, neighbour):
    found = cells(gates(L0s0down=alpha))
    assert found[0, 0][0] == state
    assert found[1, 1][1] == neighbour


def test_alphas_below_the_threshold_can_keep_a_cell_live_without_opening_a_path():
    values = gates(L0s0keep=0.7e-4, L0s0down=0.7e-4)
    found = cells(values)
    assert found[0, 0] == ("open", "image")
    assert found[1, 0][1] == found[1, 1][1] == "zeros"
    assert not open_paths(SPACE, values).any()


def test_gates_of_unreached_cells_do_not_count():
    values = gates(L1s1keep=1.0)
    assert cells(values)[1, 1] == ("unreached", "none")
    assert not open_paths(SPACE, values).any()
    with_nan = values.copy()
    with_nan[0, SPACE.path_index(1, 1, "keep")] = np.nan
    assert np.array_equal(cell_states(SPACE, with_nan).state, cell_states(SPACE, values).state)


def test_what_paths_carry_is_what_cells_get():
    rng = np.random.default_rng(0)
    space = lattice_space(8, 8)
    values = (rng.random((200, space.n_paths)) * (rng.random((200, space.n_paths)) > 0.6)).astype(np.float32)
    states, carried = cell_states(space, values), sent(space, values)
    for cell in range(1, space.n_cells):
        arriving = carried[:, space.target == cell]
        assert np.array_equal(arriving.max(axis=1), states.input[:, cell])
    assert ((states.input == 0) == (states.state == 0)).all()
    assert not carried[states.state[:, space.source] == 0].any()


def test_images_do_not_influence_each_other():
    rng = np.random.default_rng(1)
    values = (rng.random((20, SPACE.n_paths)) > 0.5).astype(np.float32)
    together = cell_states(SPACE, values)
    for image in range(20):
        alone = cell_states(SPACE, values[image : image + 1])
        assert np.array_equal(alone.state[0], together.state[image])
        assert np.array_equal(alone.input[0], together.input[image])


def test_no_images_and_wrong_shapes():
    assert cell_states(SPACE, np.zeros((0, SPACE.n_paths))).state.shape == (0, SPACE.n_cells)
    with pytest.raises(InputError, match="this space needs"):
        cell_states(SPACE, np.zeros((2, 5)))
