"""Drift over checkpoints whose routes are made by hand."""

import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.space import lattice_space
from routeviz.stats import COLLAPSES, collapses, collapses_of, drift, path_courses, path_events


@pytest.fixture
def logs(make_log):
    """Three checkpoints, given out of order: all open; scale 1 dead but for one image; L2 s0 shut, scale 1 alive."""
    ones = np.ones(8)
    first = [ones, ones, ones, ones]
    # L0 s0 down shut starves L1 s1, which is then closed but in the last image.
    shut = np.array([1, 0, 1, 0, 0, 0, 1, 0])
    second = [shut, shut, shut, [1, 0, 1, 0, 0, 1, 1, 0]]
    third = [[1, 1, 1, 1, 1, 1, 0, 1]] * 3 + [[1, 0, 1, 1, 1, 1, 0, 1]]
    return {
        step: make_log(*rows, macs_released=macs, expected_macs_released=expected, miou=[0.1, 0.2, 0.3, 0.4])
        for step, rows, macs, expected in (
            (300, third, [7, 7, 7, 7], [4, 4, 4, 8]),
            (100, first, [8, 8, 8, 8], [6, 6, 6, 6]),
            (200, second, [3, 3, 3, 7], [2, 2, 2, 2]),
        )
    }


def test_the_table_by_hand(logs):
    table = drift(logs).set_index("step")
    assert table.index.tolist() == [100, 200, 300]
    assert table.alive.tolist() == [8, 4, 7]
    assert table.born.tolist() == [0, 0, 4]
    assert table.died.tolist() == [0, 4, 1]
    assert table.decided.tolist() == [0, 1, 1]
    assert table.routes.tolist() == [1, 2, 2]
    np.testing.assert_allclose(table.open, [1, (3 * 3 + 4) / 32, (3 * 7 + 6) / 32])
    quarter = 2 - 0.75 * np.log2(3)
    np.testing.assert_allclose(table.entropy, [0, quarter / 8, quarter / 8])
    # The first three images shut 5 paths, then open 5 and shut 1; the last shuts 4, then opens 3 and shuts 1.
    np.testing.assert_allclose(table.changed, [np.nan, (3 * 5 + 4) / 32, (3 * 6 + 4) / 32])
    assert table.macs_released.tolist() == [8, 4, 7]
    assert table.expected_macs_released.tolist() == [6, 2, 5]
    np.testing.assert_allclose(table.miou, 0.25)
    assert table.warnings.tolist() == [len(collapses_of(logs[step])) for step in (100, 200, 300)]


def test_births_and_deaths_by_hand(logs, space):
    events = path_events(logs)
    listed = events[["step", "event", "path"]].to_numpy().tolist()
    assert listed[:4] == [[200, "died", space.path_names[path]] for path in (1, 3, 4, 7)]
    assert [(step, event) for step, event, _ in listed[4:]] == [
        *[(300, "born")] * 3,
        (300, "died"),
        (300, "born"),
    ]
    assert listed[7][2] == "L2 s0 keep"
    born = events[(events.path == "L0 s0 down") & (events.event == "born")].iloc[0]
    assert (born.before, born.after) == (0, 0.75)


def test_a_path_that_stays_is_no_event(make_log):
    same = make_log(np.ones(8), np.ones(8))
    events = path_events({1: same, 2: same})
    assert events.empty
    assert events.columns.tolist() == ["step", "event", "path", "layer", "scale", "move", "before", "after"]
    assert path_events({1: same}).columns.tolist() == events.columns.tolist()
    assert drift({1: same, 2: same}).changed[1] == 0


def test_entropies_of_each_gate(logs):
    table = path_courses(logs)
    assert table.columns.tolist() == [100, 200, 300]
    quarter = 2 - 0.75 * np.log2(3)
    np.testing.assert_allclose(table.loc["L1 s1 keep"], [0, quarter, 0])
    np.testing.assert_allclose(table.loc["L0 s0 down"], [0, 0, quarter])
    assert path_courses(logs, value="open").loc["L2 s0 keep"].tolist() == [1, 1, 0]
    with pytest.raises(InputError, match="unknown value 'share'; valid: open, activation"):
        path_courses(logs, value="share")


def test_collapses_by_hand(logs):
    assert collapses_of(logs[100]) == [("static", "network")] + [
        ("constant gate", cell) for cell in ("L0 s0", "L1 s0", "L1 s1", "L2 s0", "L2 s1")
    ]
    # L1 s1 decides; L2 s1 is closed for every image that reaches it.
    assert collapses_of(logs[200]) == [
        ("dead gate", "L2 s1"),
        *(("constant gate", cell) for cell in ("L0 s0", "L1 s0", "L2 s0")),
    ]
    assert ("dead gate", "L2 s0") in collapses_of(logs[300])


def test_a_warning_knows_since_when_it_holds(logs):
    table = collapses(logs).set_index(["kind", "where"])
    assert table.since[("constant gate", "L1 s0")] == 100
    assert table.since[("constant gate", "L1 s1")] == 300  # the checkpoint before breaks the row
    assert table.since[("dead gate", "L2 s0")] == 300
    assert set(table.meaning) <= set(COLLAPSES.values())


def test_a_closed_scale_and_a_gate_that_few_images_reach(make_log):
    space = lattice_space(3, 4)
    gates = np.random.default_rng(0).uniform(0.2, 1, (6, space.n_paths))
    gates[:, (space.paths.scale == 2).to_numpy()] = 0
    found = collapses_of(make_log(*gates, space=space))
    assert ("closed scale", "s2") in found
    assert {where for kind, where in found if kind == "closed scale"} == {"s2", "s3"}
    # L3 s3 is fed by L2 s2 alone, which is closed: it is unreached, and says nothing of its gate.
    assert ("dead gate", "L3 s2") in found
    assert not any(where == "L3 s3" for _, where in found)
    gates[0, space.path_index(2, 2, "down")] = 0.5
    assert {where for kind, where in collapses_of(make_log(*gates, space=space)) if kind == "closed scale"} == set()


def test_routes_that_the_image_decides_collapse_nowhere(make_log):
    space, rng = lattice_space(4, 4), np.random.default_rng(0)
    random = make_log(*np.where(rng.random((200, space.n_paths)) < 0.5, 0, 0.9), space=space)
    assert collapses_of(random) == []
    table = collapses({1: random})
    assert table.empty
    assert table.columns.tolist() == ["kind", "where", "since", "meaning"]


def test_logs_that_cannot_be_followed_are_refused(make_log, logs):
    with pytest.raises(InputError, match="no logs to follow"):
        drift({})
    with pytest.raises(InputError, match="logs of 1 images"):
        drift({1: make_log(np.ones(8))})
    with pytest.raises(InputError, match="steps 1 and 100 are of different images"):
        drift({1: make_log(np.ones(8), np.ones(8)), 100: logs[100]})
    other = lattice_space(3, 4, scales=2)
    with pytest.raises(InputError, match="the log of step 100 is of"):
        drift({1: make_log(*np.ones((4, other.n_paths)), space=other), 100: logs[100]})


def test_columns_that_not_all_logs_have_are_left_out(make_log, logs):
    bare = make_log(*np.ones((4, 8)), macs_released=[1, 2, 3, 4])
    table = drift({1: bare, 100: logs[100]})
    assert "miou" not in table
    assert table.macs_released.tolist() == [2.5, 8]
    pd.testing.assert_series_equal(table.step, pd.Series([1, 100]), check_names=False)
