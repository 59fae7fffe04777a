"""Bootstrap intervals of mIoU where the answer is known."""

import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.metrics import mean_iou
from routeviz.stats import bootstrap, miou_difference, miou_interval


def images(rng, n_images, accuracy, n_classes=3, pixels=200):
    """Confusion matrices of images whose pixels are right with a chance of their own, around an accuracy."""
    labels = rng.integers(0, n_classes, (n_images, pixels))
    chance = np.clip(rng.normal(accuracy, 0.1, (n_images, 1)), 0, 1)
    right = rng.random(labels.shape) < chance
    predicted = np.where(right, labels, rng.integers(0, n_classes, labels.shape))
    tables = np.zeros((n_images, n_classes, n_classes), int)
    np.add.at(tables, (np.arange(n_images)[:, None], labels, predicted), 1)
    return tables


def test_the_value_is_the_datasets_miou_and_lies_within():
    tables = images(np.random.default_rng(0), 60, 0.7)
    found = miou_interval(tables, resamples=999)
    assert found.value == pytest.approx(mean_iou(tables.sum(axis=0)))
    assert found.low < found.value < found.high
    assert found.error == pytest.approx((found.high - found.low) / 3.92, rel=0.2)


def test_by_hand_for_two_images():
    # One image all right, one all wrong, of one class each way: draws are both right (1/4), one each (1/2), both wrong.
    right, wrong = np.array([[4, 0], [0, 0]]), np.array([[0, 4], [0, 0]])
    found = miou_interval(np.stack([right, wrong]), resamples=4000)
    assert found.value == 0.5  # 4 of 8 pixels of the one class that is present
    assert (found.low, found.high) == (0, 1)
    assert found.error == pytest.approx(np.sqrt(1 / 8), rel=0.05)


def test_classes_that_no_drawn_image_holds_are_left_out():
    # Class 1 is in the second image alone, and always wrong; without it the mIoU is 1.
    tables = np.array([[[5, 0], [0, 0]], [[5, 0], [5, 0]]])
    assert miou_interval(tables, resamples=500).high == 1


def test_a_network_differs_from_itself_by_nothing():
    tables = images(np.random.default_rng(1), 30, 0.6)
    assert miou_difference(tables, tables, resamples=200) == (0, 0, 0, 0)


def test_pairs_are_told_apart_where_single_intervals_overlap():
    # Images differ much in difficulty; the better network is better on every one by a little.
    rng = np.random.default_rng(2)
    worse = images(rng, 80, 0.6)
    better = worse.copy()
    for label in range(3):
        moved = better[:, label, (label + 1) % 3] // 4
        better[:, label, label] += moved
        better[:, label, (label + 1) % 3] -= moved
    apart = miou_difference(better, worse, resamples=999)
    single = [miou_interval(tables, resamples=999) for tables in (better, worse)]
    assert apart.value == pytest.approx(single[0].value - single[1].value)
    assert apart.low > 0
    assert single[0].low < single[1].high
    turned = miou_difference(worse, better, resamples=999)
    assert (turned.low, turned.high) == pytest.approx((-apart.high, -apart.low))


def test_intervals_of_equal_networks_hold_zero_as_often_as_they_say():
    rng, held = np.random.default_rng(3), 0
    for seed in range(60):
        labels = rng.integers(0, 3, (40, 150))
        tables = []
        for _ in range(2):
            right = rng.random(labels.shape) < rng.uniform(0.4, 0.9, (40, 1))
            predicted = np.where(right, labels, (labels + 1) % 3)
            table = np.zeros((40, 3, 3), int)
            np.add.at(table, (np.arange(40)[:, None], labels, predicted), 1)
            tables.append(table)
        found = miou_difference(*tables, resamples=400, seed=seed)
        held += found.low <= 0 <= found.high
    assert 50 <= held <= 60  # 57 of 60 expected


def test_draws_depend_on_the_seed_alone(monkeypatch):
    tables = images(np.random.default_rng(4), 25, 0.7)
    first = miou_interval(tables, resamples=300, seed=5)
    assert miou_interval(tables, resamples=300, seed=5) == first
    assert miou_interval(tables, resamples=300, seed=6) != first
    monkeypatch.setattr(bootstrap, "GATHERED", 1000)
    assert miou_interval(tables, resamples=300, seed=5) == first


def test_bad_input_is_refused():
    tables = images(np.random.default_rng(0), 4, 0.7)
    with pytest.raises(InputError, match="two or more images"):
        miou_interval(tables[:1])
    with pytest.raises(InputError, match="give \\(image, class, class\\)"):
        miou_interval(tables[0])
    with pytest.raises(InputError, match="nothing is labelled"):
        miou_interval(np.zeros((3, 2, 2), int))
    for other in (tables[:3], tables[::-1]):
        with pytest.raises(InputError, match="not evaluated on the same images"):
            miou_difference(tables, other)
