import math

import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import lattice_space
from routeviz.stats import summary


def values(log):
    return {figure.key: figure.value for figure in summary(log)}


def test_routes_by_hand(log):
    found = values(log)
    assert found["images"] == 4
    assert found["distinct_routes"] == 3
    assert found["top_route"] == 1 / 2
    # Frequencies 1/2, 1/4, 1/4: 1.5 bits
    assert found["effective_routes"] == pytest.approx(2**1.5)


def test_paths_by_hand(log):
    found = values(log)
    assert found["open_paths"] == pytest.approx((3 + 2 + 3 + 0 + 3 + 1 + 4 + 3) / 32)
    assert (found["decided_paths"], found["always_open"], found["never_open"]) == (6, 1, 1)
    # Open sets of the images, as bits: 11101011 twice, 00100011, 10001110; pairs differ in 0, 3, 3, 4, 4 and 5 paths.
    assert found["route_distance"] == pytest.approx((0 + 3 + 3 + 4 + 4 + 5) / 6 / 8)


def test_cells_by_hand(log):
    found = values(log)
    # Reached cells: 5 + 5 + 4 + 5; the third image leaves L1 s1 unreached.
    assert found["unreached_cells"] == pytest.approx(1 / 20)
    assert found["open_cells"] + found["closed_cells"] + found["unreached_cells"] == pytest.approx(1)
    assert found["starved_cells"] == pytest.approx(4 / 19)
    assert found["image_blind_cells"] == pytest.approx(5 / 19)


def test_macs_by_hand(log):
    found = values(log)
    assert [found[f"macs_conv_{name}"] for name in ("mean", "max", "min", "varying")] == [30, 40, 10, 0.75]
    assert found["macs_conv_std"] == pytest.approx(math.sqrt(150))
    assert found["expected_macs_released_mean"] == 2.5
    assert "macs_fvcore_mean" not in found
    units = {figure.key: figure.unit for figure in summary(log)}
    assert units["macs_conv_mean"] == "MACs, conv"
    assert units["macs_released_mean"] == "MACs, released"


def test_equal_images_have_one_route_and_no_diversity(make_log, log):
    found = values(make_log(*[log.gates[0]] * 5))
    assert (found["distinct_routes"], found["effective_routes"], found["gate_entropy"]) == (1, 1, 0)
    assert (found["route_distance"], found["decided_paths"]) == (0, 0)


def test_one_image_has_no_pairs(make_log, log):
    assert "route_distance" not in values(make_log(log.gates[0]))


def test_random_routes_are_as_diverse_as_can_be(make_log):
    space, rng = lattice_space(6, 4), np.random.default_rng(0)
    found = values(make_log(*(rng.random((400, space.n_paths)) < 0.5), space=space))
    assert found["distinct_routes"] > 390
    assert found["effective_routes"] == pytest.approx(400, rel=0.05)
    assert found["gate_entropy"] > 0.8


def test_every_figure_says_what_it_is(log):
    figures = summary(log)
    assert len({figure.key for figure in figures}) == len(figures)
    assert all(figure.definition and figure.unit and figure.name for figure in figures)
    assert {type(figure.value) for figure in figures} == {int, float}


def test_an_empty_log_is_refused(make_log):
    with pytest.raises(InputError, match="no images"):
        summary(make_log())
