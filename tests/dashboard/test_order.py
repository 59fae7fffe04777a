import numpy as np
import pandas as pd
import pytest

from routeviz.dashboard.order import listed, sort_choices, step, window


@pytest.fixture
def facts():
    return pd.DataFrame(
        {
            "id": ["a1", "b2", "A3", "c4"],
            "macs_conv": [30, 10, 20, 10],
            "miou": [0.5, np.nan, 0.9, 0.1],
            "scale_class": ["small", "large", "small", "mixed"],
        }
    )


def test_without_wishes_all_are_listed_in_the_datasets_order(facts):
    assert listed(facts).tolist() == [0, 1, 2, 3]
    assert listed(facts, descending=True).tolist() == [3, 2, 1, 0]


def test_ties_keep_the_datasets_order_and_what_has_no_value_comes_last(facts):
    assert listed(facts, sort="macs_conv").tolist() == [1, 3, 2, 0]
    assert listed(facts, sort="macs_conv", descending=True).tolist() == [0, 2, 1, 3]
    assert listed(facts, sort="miou").tolist() == [3, 0, 2, 1]
    assert listed(facts, sort="miou", descending=True).tolist() == [2, 0, 3, 1]


def test_what_the_filter_leaves_is_sorted_alone(facts):
    assert listed(facts, np.array([True, False, True, True]), sort="macs_conv").tolist() == [3, 2, 0]
    assert listed(facts, np.zeros(4, bool), sort="miou").tolist() == []


def test_one_can_sort_by_what_is_known_only(facts):
    assert sort_choices(facts, "conv") == {
        "dataset order": (None, False),
        "MACs ↑": ("macs_conv", False),
        "MACs ↓": ("macs_conv", True),
        "mIoU ↑": ("miou", False),
        "mIoU ↓": ("miou", True),
        "scale class ↑": ("scale_class", False),
        "scale class ↓": ("scale_class", True),
    }
    assert "MACs ↑" not in sort_choices(facts, "fvcore")


def test_steps_go_round_and_start_at_the_first_where_the_current_is_not_listed():
    rows = np.array([4, 2, 7])
    assert [step(rows, 4, 1), step(rows, 2, -1), step(rows, 7, 1), step(rows, 4, -1)] == [2, 4, 4, 7]
    assert step(rows, 99, 1) == 4


@pytest.mark.parametrize(("current", "first"), [(0, 0), (500, 495), (999, 990), (None, 0)])
def test_a_window_holds_the_current_row(current, first):
    rows = np.arange(1000)
    assert window(rows, current, 10).tolist() == list(range(first, first + 10))
    assert window(rows[:5], current, 10).tolist() == [0, 1, 2, 3, 4]
