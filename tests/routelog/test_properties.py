"""What holds of every log: it comes back from disk, no image depends on another, and MACs grow with open paths."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from routeviz.routelog import PartCosts, RouteLog, Skipped, load_log
from routeviz.routelog.header import digest_of
from routeviz.space import exits_space, experts_space, lattice_space
from routeviz.space.kinds import branches_space, cell_graph_space, chain_space

SPACES = (
    lattice_space(3, 2),
    lattice_space(2, 2, scales=1),
    chain_space(3),
    exits_space(3),
    experts_space(2, 3),
    experts_space(2, 3, residual=False),
    branches_space([3, 2]),
    cell_graph_space([(0, 1), (0, 2), (1, 2)], ["conv", "skip"], outputs=[1, 2]),
)
word = st.text(max_size=6)
values = {
    "float": st.floats(allow_nan=True, allow_infinity=True),
    "int": st.integers(-(2**63), 2**63 - 1),
    "flag": st.booleans(),
    "text": st.none() | word,
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | word,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(word, inner, max_size=3),
    max_leaves=5,
)
activation = st.sampled_from([0.0, 1.0, 1e-4, 6e-5, np.nan]) | st.floats(0, 1, width=32)


@st.composite
def gates(draw, space, n):
    return draw(st_np.arrays(np.float32, (n, space.n_paths), elements=activation))


@st.composite
def logs(draw):
    space = draw(st.sampled_from(SPACES))
    skipped = sorted(draw(st.sets(st.integers(0, 40), max_size=3)))
    n = draw(st.integers(max(1, max(skipped) + 1 - len(skipped)) if skipped else 0, 40))
    ids = draw(st.lists(word, min_size=n, max_size=n, unique=True))
    facts = {"id": pd.array(ids, dtype="str")}
    for kind, name in draw(st.lists(st.tuples(st.sampled_from(sorted(values)), word), max_size=3)):
        if name not in (*facts, "gates"):
            column = draw(st.lists(values[kind], min_size=n, max_size=n))
            dtypes = {"float": "float64", "int": "int64", "flag": "bool", "text": "str"}
            facts[name] = pd.array(column, dtype=dtypes[kind])
    source = draw(st.dictionaries(word, anything, max_size=3))
    reasons = [Skipped(index=index, file=draw(word), reason=draw(word)) for index in skipped]
    return RouteLog(draw(gates(space, n)), pd.DataFrame(facts), space, source, skipped=reasons)


def assert_same(first, second):
    assert first.gates.tobytes() == second.gates.tobytes()
    pd.testing.assert_frame_equal(first.images, second.images, check_exact=True)
    assert (first.space, first.source, first.skipped) == (second.space, second.source, second.skipped)


@settings(max_examples=25)
@given(logs())
def test_a_log_comes_back_from_disk_to_the_last_bit_and_writes_the_same_bytes(log):
    with tempfile.TemporaryDirectory() as folder:
        one, other = Path(folder, "one"), Path(folder, "other")
        log.save(one)
        again = load_log(one, verify=True)
        assert_same(log, again)
        again.save(other)
        for path in one.rglob("*.*"):
            assert path.read_bytes() == (other / path.relative_to(one)).read_bytes()


@settings(max_examples=60)
@given(logs(), st.data())
def test_a_choice_out_of_a_choice_is_one_choice(log, data):
    some = data.draw(st.permutations(range(len(log))))[: data.draw(st.integers(0, len(log)))]
    fewer = data.draw(st.permutations(range(len(some))))[: data.draw(st.integers(0, len(some)))]
    assert_same(log.select(some).select(fewer), log.select([some[position] for position in fewer]))
    chosen = log.select(some)
    for whole, part in zip(log.states, chosen.states, strict=True):
        np.testing.assert_array_equal(whole[some], part)
    np.testing.assert_array_equal(log.opened(some), chosen.opened(slice(None)))
    order = log.select(np.arange(len(log))[::-1])
    np.testing.assert_array_equal(order.tally.opened, log.tally.opened)
    np.testing.assert_allclose(order.tally.total, log.tally.total, rtol=1e-12)


@given(st.dictionaries(word, anything, max_size=5), st.randoms())
def test_a_digest_asks_neither_for_the_order_of_keys_nor_for_the_way_to_disk(data, random):
    keys = list(data)
    random.shuffle(keys)
    assert digest_of({key: data[key] for key in keys}) == digest_of(data)
    assert digest_of(json.loads(json.dumps(data))) == digest_of(data)


@st.composite
def costed(draw):
    space = draw(st.sampled_from(SPACES))
    operation, gate, path = (
        draw(st_np.arrays(np.int64, length, elements=st.integers(0, 10**12)))
        for length in (space.n_cells, space.n_cells, space.n_paths)
    )
    costs = PartCosts(space, draw(st.integers(0, 10**12)), operation, gate, path)
    n = draw(st.integers(1, 6))
    return costs, draw(gates(space, n)), draw(gates(space, n))


@given(costed())
def test_costs_come_back_from_their_text(drawn):
    costs, routes, _ = drawn
    again = PartCosts.from_dict(costs.space, json.loads(json.dumps(costs.to_dict())))
    assert again.to_dict() == costs.to_dict()
    np.testing.assert_array_equal(again.macs(routes), costs.macs(routes))


@given(costed(), st.randoms())
def test_macs_of_a_recorded_network_grow_with_open_paths_and_are_those_of_each_image(drawn, random):
    costs, less, more = drawn
    least = costs.by_part(less)
    # A path opened cannot save anything, whichever it is: no kind of space loses a cell by it.
    assert (costs.by_part(np.fmax(less, more)) >= least).all(axis=None)
    assert (costs.by_part(np.ones_like(less)).sum(axis=1) == costs.total).all()
    order = random.sample(range(len(less)), len(less))
    np.testing.assert_array_equal(costs.macs(less[order]), costs.macs(less)[order])
    alone = [costs.macs(less[row : row + 1])[0] for row in range(len(less))]
    np.testing.assert_array_equal(costs.macs(less), alone)
