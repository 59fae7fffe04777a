import math

import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import lattice_space
from routeviz.stats import Figure, summary


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


def test_routes_taken_once_are_the_chance_of_a_new_one(log, make_log):
    # Two images share a route, two have one of their own.
    assert values(log)["new_route"] == 1 / 2
    assert values(make_log(*[log.gates[0]] * 5))["new_route"] == 0


def test_the_chance_of_a_new_route_is_right(make_log, space):
    # 16 routes of known frequencies: L2 s0, L2 s1, L0 s0 down and L1 s0 down open and shut on their own.
    rng = np.random.default_rng(0)
    chances = np.array([0.7, 0.5, 0.1, 0.02])
    gates = np.ones((300, 8))
    gates[:, [6, 7, 1, 3]] = rng.random((300, 4)) < chances
    bits = (np.arange(16)[:, None] >> np.arange(4)) & 1
    frequency = np.where(bits, chances, 1 - chances).prod(axis=1)
    seen = np.zeros(16, bool)
    seen[gates[:, [6, 7, 1, 3]].astype(int) @ [1, 2, 4, 8]] = True
    assert values(make_log(*gates))["new_route"] == pytest.approx(frequency[~seen].sum(), abs=0.015)


def test_information_by_hand(make_log):
    # L2 s1 keep is open for the large ones alone; all else is open for all.
    gates = np.ones((40, 8))
    gates[:20, 7] = 0
    found = values(make_log(*gates, scale_class=["small"] * 20 + ["large"] * 20, objects_median_area=[5] * 40))
    assert found["information_scale_class"] == pytest.approx(1)
    assert 0 < found["information_scale_class_chance"] < 0.06
    assert found["paths_telling_scale_class"] == 1
    assert "information_object_scale" not in found


def test_static_routes_tell_nothing(make_log, log):
    found = values(make_log(*[log.gates[0]] * 6, scale_class=list("aabbcc")))
    keys = ("information_scale_class", "information_scale_class_chance", "paths_telling_scale_class")
    assert [found[key] for key in keys] == [0, 0, 0]


def test_macs_vary_between_images_of_one_size_only(make_log, log):
    rows, macs = [log.gates[0]] * 4, [40, 30, 8, 8]
    assert values(make_log(*rows, macs_conv=macs))["macs_conv_varying"] == 0.8
    sizes = {"height": [9, 9, 4, 4], "width": [9, 9, 4, 4]}
    assert values(make_log(*rows, macs_conv=macs, **sizes))["macs_conv_varying"] == pytest.approx((0.25 + 0) / 2)


def test_images_that_cost_nothing_vary_by_nothing(log, make_log):
    found = {figure.key: figure for figure in summary(make_log(*log.gates, macs_conv=[0] * len(log)))}
    assert found["macs_conv_varying"].value == 0
    assert found["macs_conv_varying"].text == "0.0 %"


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
    assert all(figure.definition and figure.unit and figure.name and figure.topic for figure in figures)
    assert {type(figure.value) for figure in figures} == {int, float}


def test_an_empty_log_is_refused(make_log):
    with pytest.raises(InputError, match="no images"):
        summary(make_log())


def test_a_figure_is_written_as_people_read_it():
    def text(value, unit):
        return Figure("key", "name", value, unit, "definition").text

    assert text(4096, "MACs, conv") == "4.096 k"
    assert text(118_085_140_448, "MACs, conv") == "118.085 G"
    assert text(0.5, "share of images") == "50.0 %"
    assert text(1500, "images") == "1,500"
    assert text(2.5, "bits") == "2.500"
