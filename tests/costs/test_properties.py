"""What holds of the costs of all routes: they grow with what is open, and no image's depend on another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from routeviz.costs import (
    CONVENTIONS,
    cost_table,
    executed_parts,
    expected_macs,
    image_blind_macs,
    macs,
    macs_by_part,
    starved_macs,
)
from routeviz.space import OPEN_THRESHOLD

EDGES = (0.0, 1.0, OPEN_THRESHOLD, OPEN_THRESHOLD / 2, 1.1 * OPEN_THRESHOLD, np.nan)
activation = st.sampled_from(EDGES) | st.floats(0, 1, width=32)
convention = st.sampled_from(CONVENTIONS)
size = st.sampled_from([(32, 32), (33, 64), (96, 40)])


@pytest.fixture(scope="module")
def nets(make_net):
    return [make_net(), make_net(layers=3, small_gate=True)]


@st.composite
def routes(draw, nets, least=1):
    net, n = draw(st.sampled_from(nets)), draw(st.integers(least, 5))
    return net, draw(st_np.arrays(np.float32, (n, net.space.n_paths), elements=activation))


@given(st.data(), convention, size)
def test_macs_grow_with_what_is_open_part_by_part(nets, data, convention, size):
    net, less = data.draw(routes(nets))
    more = np.fmax(less, data.draw(st_np.arrays(np.float32, less.shape, elements=activation)))
    parts = [macs_by_part(net, gates, size, convention=convention) for gates in (less, more)]
    assert (parts[1] >= parts[0]).all(axis=None)
    assert (executed_parts(net, more) >= executed_parts(net, less)).all()
    assert (expected_macs(net, more, size) >= expected_macs(net, less, size) * (1 - 1e-12)).all()
    total, table = parts[1].sum(axis=1), cost_table(net, size, convention)
    assert (total <= table.total).all()
    # Gates that are not asked cost nothing, and nothing else changes by that.
    fixed = macs_by_part(net, more, size, convention=convention, with_gates=False)
    assert (fixed["gates"] == 0).all()
    assert fixed.drop(columns="gates").equals(parts[1].drop(columns="gates"))


@given(st.data(), convention)
def test_an_image_costs_what_it_costs_alone_and_at_its_own_size(nets, data, convention):
    net, gates = data.draw(routes(nets))
    sizes = np.array(data.draw(st.lists(size, min_size=len(gates), max_size=len(gates))))
    order = data.draw(st.permutations(range(len(gates))))
    for count in (macs, starved_macs, image_blind_macs):
        together = count(net, gates, sizes, convention=convention)
        np.testing.assert_array_equal(count(net, gates[order], sizes[order], convention=convention), together[order])
        alone = [count(net, gates[[row]], tuple(sizes[row]), convention=convention)[0] for row in range(len(gates))]
        np.testing.assert_array_equal(together, alone)


@given(st.data(), convention, size)
def test_what_starved_cells_spend_is_a_part_of_what_image_blind_ones_do_and_that_of_all(nets, data, convention, size):
    net, gates = data.draw(routes(nets))
    counts = (starved_macs, image_blind_macs, macs)
    starved, blind, whole = (count(net, gates, size, convention=convention) for count in counts)
    assert (starved <= blind).all()
    assert (blind <= whole).all()
    # Where cells that only zeros come to are not run, this and no less is saved.
    if convention == "conv":
        assert (macs(net, gates, size, run_starved=False) <= whole - starved).all()
