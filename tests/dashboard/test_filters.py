import numpy as np
import pandas as pd
import pytest

import routeviz as rv
from routeviz.dashboard import filters
from routeviz.dashboard.filters import Evidence, passing
from routeviz.dashboard.population import Population

SPACE = rv.lattice_space(3, 4)


@pytest.fixture
def facts():
    return pd.DataFrame(
        {
            "id": ["a1", "b2", "A3", "c4"],
            "macs_conv": [30_000_000, 10_000_000, 20_000_000, 10_004_000],
            "miou": [0.5, np.nan, 0.9, 0.1],
            "scale_class": ["small", "large", "small", "mixed"],
        }
    )


@pytest.fixture
def evidence(facts):
    gates = np.random.default_rng(0).uniform(0.3, 1, (4, SPACE.n_paths)).astype(np.float32)
    gates[1, SPACE.paths_from(0)] = 0  # closed: its input passes on at scale 0, and the cell L1 s1 is unreached
    gates[2, SPACE.path_index(0, 0, "keep")] = 0.25
    log = rv.RouteLog(gates, facts, SPACE)
    population = Population(log)
    return Evidence(facts, log, lambda: population, lambda metric: np.array(["unet", "fpn", "unet", "fcn32s"]))


def rows(evidence, *conditions):
    mask, unknown = passing(conditions, evidence)
    assert unknown == []
    return np.flatnonzero(mask).tolist()


def test_no_condition_passes_all(evidence):
    assert rows(evidence) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("id has a", [0, 2]),
        ("id has .", []),
        ("MACs (conv) 10 M to 20 M", [1, 2, 3]),
        ("MACs (conv) 15 M to 0.02 G", [2]),
        ("mIoU 10% to 50%", [0, 3]),
        ("scale class small", [0, 2]),
        ("scale class small or mixed", [0, 2, 3]),
        ("L0 s0 down open", [0, 2, 3]),
        ("L0 s0 down shut", [1]),
        ("L1 s1 unreached", [1]),
        ("L1 s1 open", [0, 2, 3]),
        ("L1 s1 up shut", [1]),
        ("L0 s0 keep 0.2 to 0.25", [2]),
        ("nearest unet (jaccard)", [0, 2]),
    ],
)
def test_a_condition_in_words_means_what_it_says(evidence, condition, expected):
    assert rows(evidence, condition) == expected


def test_conditions_hold_together(evidence):
    assert rows(evidence, "scale class small", "mIoU 0% to 60%") == [0]
    assert rows(evidence, "L0 s0 down open", "id has a3") == [2]


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "nonsense",
        "L99 s9 open",
        "L0 s0 sideways open",
        "MACs (fvcore) 1 M to 2 M",
        "MACs (conv) 1.1.1 M to x",
        "cluster 0 of 4",
        "cluster 2 of 4000000",
        "box 1 to 2",
        "lasso 1 2",
        "<b>bold</b>",
    ],
)
def test_what_says_nothing_about_these_images_is_left_out_and_named(evidence, condition):
    mask, unknown = passing([condition], evidence)
    assert mask.all()
    assert unknown == [condition]


def test_without_a_log_conditions_on_routes_are_left_out(facts):
    conditions = ["L0 s0 down open", "box 0 to 1, 0 to 1", "id has a"]
    mask, unknown = passing(conditions, Evidence(facts))
    assert mask.tolist() == [True, False, True, False]
    assert unknown == conditions[:2]


def test_a_box_and_the_same_lasso_hold_the_same_images(evidence):
    x, y = evidence.population().places[:3].T
    box = filters.inside(x, y, box=True)
    low, high = np.array([x, y]).min(axis=1) - 0.05, np.array([x, y]).max(axis=1) + 0.05
    corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    lasso = filters.inside(*zip(*corners, strict=True), box=False)
    wide = filters.inside((low[0], high[0]), (low[1], high[1]), box=True)
    assert filters.outline(box).shape == filters.outline(lasso).shape == (4, 2)
    assert rows(evidence, wide) == rows(evidence, lasso)
    assert set(rows(evidence, lasso)) >= {0, 1, 2}
    assert rows(evidence, "box 100 to 101, 0 to 1") == []


def test_a_long_lasso_keeps_few_corners():
    angle = np.linspace(0, 2 * np.pi, 500)
    corners = filters.outline(filters.inside(np.cos(angle), np.sin(angle), box=False))
    assert len(corners) == filters.MOST_CORNERS
    assert np.hypot(*corners.T) == pytest.approx(1, abs=0.01)


def test_there_is_one_condition_of_each_subject():
    conditions = filters.replaced(["mIoU 0% to 5%", "L3 s1 up open"], filters.share_between(0.5, 0.6))
    assert conditions == ["L3 s1 up open", "mIoU 50% to 60%"]
    conditions = filters.replaced(conditions, filters.activation_between("L3 s1 up", 0.1, 0.2))
    assert conditions == ["mIoU 50% to 60%", "L3 s1 up 0.1 to 0.2"]
    both = [filters.macs_between("conv", 1, 2), filters.macs_between("fvcore", 1, 2)]
    assert filters.replaced(both[:1], both[1]) == both
    assert filters.replaced(["box 0 to 1, 0 to 1"], "lasso 0 0, 1 1, 0 1") == ["lasso 0 0, 1 1, 0 1"]
    assert filters.replaced(["cluster 1 of 3"], "cluster 2 of 5") == ["cluster 2 of 5"]
    assert filters.replaced(["nearest unet (jaccard)"], "nearest fpn (hamming)") == ["nearest fpn (hamming)"]
    assert filters.replaced(["scale class small"], "scale class large or small") == ["scale class large or small"]


@pytest.mark.parametrize(("name", "not_open"), [("L3 s1 up", "shut"), ("L3 s1", "closed")])
def test_clicks_go_from_open_to_not_open_to_any(name, not_open):
    conditions = ["id has a"]
    for expected in (f"{name} open", f"{name} {not_open}", None):
        conditions = filters.turned(conditions, name, cell=not_open == "closed")
        assert conditions == ["id has a", *([expected] if expected else [])]


def test_ends_survive_being_written():
    for number in (0.0, 12.0, 68_412_345.0, 1.23456e11):
        low, high = filters.span(filters.macs_between("conv", number, 2 * number))
        assert (low, high) == pytest.approx((number, 2 * number), rel=1e-4)


def test_a_column_of_the_logs_own_is_asked_for_by_its_classes_or_its_range():
    table = pd.DataFrame({"id": list("abcd"), "digit": ["3", "5", "3", None], "right": [1, 0, 1, 1]})
    table["loss"] = [0.1, 2, 0.5, np.nan]
    own = Evidence(table)
    assert rows(own, "digit is 3") == [0, 2]
    assert rows(own, filters.one_of("digit", ["3", "5"])) == [0, 1, 2]
    assert rows(own, "right is 0") == [1]
    assert rows(own, "loss 0.1 to 0.5") == [0, 2]
    assert filters.replaced(["digit is 3", "loss 0 to 1"], "digit is 5") == ["loss 0 to 1", "digit is 5"]
    assert rows(own, "digit is unknown") == [3]
    assert rows(own, "digit is 5 or unknown") == [1, 3]
    assert rows(own, "right is unknown") == []
    assert passing(["size is 3", "digit 3 to 5"], own)[1] == ["size is 3", "digit 3 to 5"]


def test_rows_of_no_scale_are_found_by_the_word_that_the_legend_has_for_them():
    own = Evidence(pd.DataFrame({"id": list("abc"), "scale_class": ["small", None, "mixed"]}))
    assert rows(own, "scale class unknown") == [1]
    assert rows(own, "scale class small or unknown") == [0, 1]
    assert rows(own, "scale class small") == [0]


def test_ends_just_below_a_unit_are_written_in_the_next_one():
    assert filters.macs_between("conv", 999_499_999, 999_999_999) == "MACs (conv) 999.5 M to 1 G"
    assert filters.span("MACs (conv) 999.5 M to 1 G") == (999_500_000, 1e9)
