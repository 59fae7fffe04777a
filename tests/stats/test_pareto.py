"""Points that none beats, and what is said of a front, where the answer is known."""

import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.metrics import ClassCounts, mean_iou
from routeviz.routelog import RouteLog
from routeviz.space import lattice_space
from routeviz.stats import counts_of, front_verdict, miou_interval, pareto_front


def points(*rows):
    """Points of name, kind, mIoU, half an interval's width and MACs; the first is the network as trained."""
    table = pd.DataFrame(rows, columns=["name", "kind", "miou", "half", "macs_conv"])
    table["difference"] = table.miou - table.miou[0]
    return table.assign(difference_low=table.difference - table.half, difference_high=table.difference + table.half)


def test_the_front_is_what_no_point_beats():
    macs, miou = np.array([1.0, 2, 2, 3, 4]), np.array([0.5, 0.4, 0.6, 0.6, 0.7])
    assert pareto_front(macs, miou).tolist() == [0, 2, 4]
    assert pareto_front(np.array([2.0, 2.0]), np.array([0.5, 0.5])).tolist() == [0]


def test_the_cheapest_point_within_the_margin_is_told():
    table = points(
        ("as-trained", "trained", 0.5, 0, 100),
        ("a", "threshold", 0.51, 0.02, 95),
        ("b", "threshold", 0.498, 0.005, 80),
        ("c", "threshold", 0.499, 0.05, 70),
        ("d", "threshold", 0.3, 0.01, 50),
    )
    first, second = front_verdict(table)
    words = "No lower in mIoU on these images: a (+1.0 [−1.0, +3.0] points), which saves 5.0 % of the MACs (conv)."
    assert first == words
    words = "Surely within 1 point of mIoU (paired 95 % interval): b (−0.2 [−0.7, +0.3] points), which saves 20.0 %"
    assert second.startswith(words)
    assert "c (−0.1" in front_verdict(table, margin=0.06)[1]


def test_nothing_bought_is_said_plainly():
    table = points(
        ("as-trained", "trained", 0.5, 0, 100), ("a", "threshold", 0.48, 0.005, 60), ("b", "threshold", 0.5, 0, 99.5)
    )
    nothing, least = front_verdict(table)
    assert nothing.startswith("It buys nothing that is sure: no point saves 1 %")
    assert least == "The least is lost by a (−2.0 [−2.5, −1.5] points), which saves 40.0 %."
    assert front_verdict(table.iloc[:1]) == [nothing]
    with pytest.raises(InputError, match="without macs_fvcore"):
        front_verdict(table, convention="fvcore")


def test_other_networks_are_no_part_of_it_but_are_compared_with():
    swept = [("as-trained", "trained", 0.5, 0, 100), ("a", "threshold", 0.4, 0.001, 60)]
    better = front_verdict(points(*swept, ("trained less", "other", 0.45, 0.01, 55)))
    assert better[2:] == ["trained less beats 1 of these 2 points in both."]
    worse = front_verdict(points(*swept, ("small", "other", 0.3, 0.01, 70)))
    assert worse[2:] == ["a beats small in both."]
    for equal in ((0.4, 60), (0.4, 55), (0.45, 60)):  # in both, or in one
        assert len(front_verdict(points(*swept, ("like a", "other", equal[0], 0, equal[1])))) == 2


def test_counts_of_a_log_are_those_of_the_confusion_matrices():
    rng = np.random.default_rng(0)
    tables = rng.integers(0, 50, (5, 3, 3))
    counts, names = ClassCounts.of(tables), ("road", "sky", "big car")
    assert counts.miou == pytest.approx(mean_iou(tables.sum(axis=0)))
    space = lattice_space(4, 4)
    images = pd.DataFrame({"id": list("abcde")})
    for part in ("labelled", "hits", "predicted"):
        for place, name in enumerate(names):
            images[f"{part}_{name}"] = getattr(counts, part)[:, place]
    log = RouteLog(np.ones((5, space.n_paths), np.float32), images, space)
    found = counts_of(log)
    for part in ("labelled", "hits", "predicted"):
        np.testing.assert_array_equal(getattr(found, part), getattr(counts, part))
    assert miou_interval(found, resamples=200) == miou_interval(tables, resamples=200)
    with pytest.raises(InputError, match="does not hold the pixels of each class"):
        counts_of(RouteLog(log.gates, images[["id"]], space))


def test_the_miou_of_nothing_labelled_is_unknown():
    assert np.isnan(ClassCounts(*np.zeros((3, 2, 4), int)).miou)
