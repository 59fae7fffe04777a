import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from routeviz.errors import InputError
from routeviz.metrics import object_facts

# a: a diagonal pair (one object, as corners connect) and a single pixel; b: a block of 6; 9 is ignored.
LABEL = np.array(
    [
        [0, 2, 2, 2, 0, 9],
        [2, 0, 2, 2, 2, 9],
        [2, 2, 1, 1, 1, 9],
        [2, 2, 1, 1, 1, 9],
    ],
    np.uint8,
)
NAMES = ("a", "b", "c", "d")


def test_facts_by_hand():
    facts = object_facts(LABEL, NAMES, 9, small=3, medium=7)
    # c is one object of 11 pixels: its parts touch at corners.
    assert facts["object_count"] == 4
    assert facts["object_median_area"] == np.median([2, 1, 6, 11]) == 4
    assert facts["share_small"] == pytest.approx(3 / 20)
    assert facts["share_medium"] == pytest.approx(6 / 20)
    assert facts["share_large"] == pytest.approx(11 / 20)
    assert {key: value for key, value in facts.items() if key.endswith("_a")} == {
        "object_count_a": 2, "object_median_area_a": 1.5, "share_small_a": 1, "share_medium_a": 0, "share_large_a": 0,
    }  # fmt: skip
    assert (facts["object_count_b"], facts["share_medium_b"]) == (1, 1)
    assert (facts["object_count_c"], facts["object_median_area_c"], facts["share_large_c"]) == (1, 11, 1)


def test_an_absent_class_counts_nothing_and_has_no_sizes():
    facts = object_facts(LABEL, NAMES, 9)
    assert facts["object_count_d"] == 0
    assert all(math.isnan(facts[f"{fact}_d"]) for fact in ("object_median_area", "share_small", "share_large"))


def test_bounds_belong_to_the_larger_size():
    label = np.full((40, 120), 255, np.uint8)
    label[:32, :32] = 0
    label[:31, 40:73] = 0
    facts = object_facts(label, ("a",), 255)
    assert facts["share_small"] == pytest.approx(31 * 33 / (31 * 33 + 32 * 32))
    assert facts["share_medium"] == pytest.approx(32 * 32 / (31 * 33 + 32 * 32))
    label = np.zeros((96, 96), np.uint8)
    assert object_facts(label, ("a",), 255)["share_large"] == 1


def test_all_ignored_counts_nothing():
    facts = object_facts(np.full((4, 4), 255, np.uint8), ("a",), 255)
    assert facts["object_count"] == facts["object_count_a"] == 0
    assert all(math.isnan(value) for key, value in facts.items() if "count" not in key)


def test_the_keys_are_the_same_for_every_label():
    assert list(object_facts(LABEL, NAMES, 9)) == list(object_facts(np.full((2, 2), 9), NAMES, 9))


@settings(max_examples=40)
@given(st_np.arrays(np.uint8, (9, 11), elements=st.sampled_from([0, 1, 2, 255])))
def test_facts_do_not_depend_on_orientation_and_shares_sum_to_one(label):
    names = ("a", "b", "c")
    facts = object_facts(label, names, 255, small=4, medium=10)
    for turned in (label.T, label[::-1], label[:, ::-1]):
        np.testing.assert_equal(object_facts(turned, names, 255, small=4, medium=10), facts)
    assert facts["object_count"] == sum(facts[f"object_count_{name}"] for name in names)
    if facts["object_count"]:
        assert facts["share_small"] + facts["share_medium"] + facts["share_large"] == pytest.approx(1)


def test_negative_ignore_index():
    facts = object_facts(np.array([[-1, 0, 0]]), ("a",), -1)
    assert (facts["object_count"], facts["object_median_area"]) == (1, 2)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match=r"ids \[2\]; valid are 0 to 1 and 9"):
        object_facts(LABEL, ("a", "b"), 9)
    with pytest.raises(InputError, match="small=10 and medium=5"):
        object_facts(LABEL, NAMES, 9, small=10, medium=5)
