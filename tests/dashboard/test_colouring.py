"""Groups that points are coloured by, and the filter that a click on one in the legend asks for."""

import numpy as np
import pandas as pd
import pytest

import routeviz as rv
from routeviz.dashboard import colouring
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.filters import Evidence, passing

SPACE = rv.lattice_space(3, 4)
EVERY = np.ones(12, bool)


@pytest.mark.parametrize(
    ("by", "column"),
    [
        ("kind", ["a", None, "b"] * 4),
        ("kind", ["a", None, "unknown"] * 4),
        ("number", pd.array([10, 9, None] * 4, dtype="Int64")),
        ("right", pd.array([True, None, False] * 4, dtype="boolean")),
        ("scale class", ["small", None, "large"] * 4),
    ],
)
def test_a_click_on_a_name_in_the_legend_keeps_the_rows_of_that_colour(by, column):
    facts = pd.DataFrame({"id": list("abcdefghijkl"), by.replace(" ", "_"): column})
    log = rv.RouteLog(np.ones((12, SPACE.n_paths), np.float32), facts, SPACE)
    collection = Collection(key=(by, str(column)), space=SPACE, facts=facts, log=log)
    groups, group = colouring.groups(collection, EVERY, by, None, "conv")
    assert sorted(set(group)) == list(range(len(groups)))
    for at, one in enumerate(groups):
        mask, not_understood = passing([one.condition], Evidence(facts))
        assert not_understood == []
        assert mask.tolist() == (group == at).tolist()
        assert f"({mask.sum()})" in one.name


def test_groups_of_numbers_are_in_their_order_and_rows_without_one_come_last():
    facts = pd.DataFrame({"id": list("abcdefghijkl"), "number": pd.array([10, None, 9] * 4, dtype="Int64")})
    collection = Collection(key=("numbers",), space=SPACE, facts=facts)
    groups, group = colouring.groups(collection, EVERY, "number", None, "conv")
    assert [one.name for one in groups] == ["9 (4)", "10 (4)", "unknown (4)"]
    assert group[:3].tolist() == [1, 2, 0]
