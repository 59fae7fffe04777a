"""Whether routes follow scale, on logs that do by construction and on logs that do not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from routeviz.errors import InputError
from routeviz.space import lattice_space
from routeviz.stats.scale import (
    correlation_verdict,
    path_correlation,
    predict_groups,
    route_correlation,
    route_measures,
)

QUICK = {"permutations": 99, "resamples": 49}


@pytest.fixture
def scenes(make_log):
    """Sixty images over 39 paths; ``strength`` is how far L3 s1 down opens with the area of the objects."""

    def build(strength, seed=0):
        space, rng = lattice_space(5, 4), np.random.default_rng(seed)
        gates = rng.uniform(0.4, 0.6, (60, space.n_paths))
        area = rng.lognormal(size=60)
        gates[:, space.path_index(3, 1, "down")] += strength * (area > np.median(area))
        classes = np.where(area > np.median(area), "large", "small")
        facts = {"objects_median_area": area, "objects_share_large": rng.random(60), "scale_class": classes}
        return make_log(*gates, space=space, **facts)

    return build


def test_measures_by_hand(log):
    table = route_measures(log)
    # Weights of the third image: 1 and 1 to scale 0, 1 to scale 1 (L1 s1 is unreached).
    assert table["open paths"].tolist() == [6, 6, 3, 4]
    np.testing.assert_allclose(table["mean scale"], [1.5 / 5, 1.1 / 4.2, 1 / 3, 1 / 4], rtol=1e-6)
    assert table["MACs (conv)"].tolist() == [40, 40, 10, 30]


def test_nothing_open_has_no_mean_scale(make_log):
    assert np.isnan(route_measures(make_log(np.zeros(8)))["mean scale"][0])


def test_a_path_that_follows_is_found(scenes):
    table = path_correlation(scenes(0.3), **QUICK)
    beyond = table[table.p_corrected < 0.05]
    assert beyond[["fact", "value", "layer", "scale", "move"]].to_numpy().tolist() == [
        ["objects_median_area", "L3 s1 down", 3, 1, "down"]
    ]
    assert beyond.change.item() == pytest.approx(0.3, abs=0.05)
    assert correlation_verdict(table).startswith(
        "An effect beyond chance: 1 of the 39 that differ between images go with 2 object-scale facts (corrected "
        "p < 0.05), most of all L3 s1 down with objects_median_area: r +0.7"
    )
    route = route_correlation(scenes(0.3), facts=["objects_median_area"], **QUICK)
    assert route.value.tolist() == ["mean scale"]
    area, measured = scenes(0.3).images.objects_median_area, route_measures(scenes(0.3))
    assert route.r.item() == pytest.approx(spearmanr(area, measured["mean scale"]).statistic)


def test_where_nothing_follows_it_says_so(scenes):
    table = path_correlation(scenes(0), **QUICK)
    assert correlation_verdict(table).startswith(
        "No effect beyond chance: none of the 39 that differ between images goes with 2 object-scale facts (smallest"
    )
    assert len(table) == 2 * 39


def test_one_route_for_all_follows_nothing(make_log):
    log = make_log(*np.ones((6, 8)), objects_median_area=np.arange(6))
    assert correlation_verdict(path_correlation(log, **QUICK)) == "No effect: nothing differs between images."


def test_shut_and_unreached_paths_count_as_0(make_log, log):
    gates = log.gates.copy()
    gates[2, 4:6] = 0.9  # what an unreached cell's gate holds is of no account
    facts = {"objects_count": [1, 2, 3, 4, 5, 6, 7, 8]}
    tables = [path_correlation(make_log(*rows, *rows, **facts), **QUICK) for rows in (gates, log.gates)]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.slow
def test_scale_is_predicted_from_a_route_that_follows_it(scenes):
    found = predict_groups(scenes(0.3), scenes(0.3).images.scale_class, permutations=24)
    assert found.accuracy > 0.9
    assert found.p == 1 / 25
    assert found.chance == 0.5
    assert np.mean(found.shuffled) == pytest.approx(0.5, abs=0.06)
    assert found.confusion.to_numpy().sum() == found.images == 60
    assert np.diag(found.confusion).sum() == pytest.approx(60 * found.accuracy)
    assert found.verdict == "The route tells more than chance (p 0.040)."
    # No path opens or shuts, so which are open tells nothing.
    blind = predict_groups(scenes(0.3), scenes(0.3).images.scale_class, features="open", permutations=9)
    assert blind.accuracy == 0.5
    assert blind.verdict.startswith("No effect beyond chance")


@pytest.mark.slow
def test_without_an_effect_prediction_is_at_chance(scenes):
    found = [predict_groups(scenes(0, seed), scenes(0, seed).images.scale_class, permutations=4) for seed in range(8)]
    assert np.mean([one.accuracy for one in found]) == pytest.approx(0.5, abs=0.08)
    # With four shuffles p is one of 0.2, 0.4, ... 1, each as likely.
    assert np.mean([one.p for one in found]) == pytest.approx(0.6, abs=0.25)


def test_what_lies_between_two_groups_is_predicted_too(make_log):
    space, rng = lattice_space(2, 4, scales=2), np.random.default_rng(0)
    gates = 0.5 + 0.01 * rng.standard_normal((60, space.n_paths))
    gates[:, 0] += np.arange(60) % 3 * 0.1
    found = predict_groups(make_log(*gates), pd.Series(np.arange(60) % 3), permutations=1)
    assert found.accuracy == 1


def test_images_without_a_group_are_left_out(scenes):
    log = scenes(0.3)
    groups = log.images.scale_class.where(np.arange(60) < 50)
    assert predict_groups(log, groups, permutations=1).images == 50


def test_bad_input_is_refused(log, scenes):
    with pytest.raises(InputError, match="knows nothing of the scale of objects"):
        path_correlation(log)
    with pytest.raises(InputError, match="scale_class holds no numbers"):
        path_correlation(scenes(0), facts=["scale_class"])
    with pytest.raises(InputError, match="no column 'objects_share_tiny'"):
        path_correlation(scenes(0), facts=["objects_share_tiny"])
    for groups, words in ((["a"] * 60, "groups of 60 images"), (["a"] * 57 + ["b"] * 3, "57 images .a., 3 images .b.")):
        with pytest.raises(InputError, match=words):
            predict_groups(scenes(0), pd.Series(groups))
    with pytest.raises(InputError, match="unknown features 'macs'; valid: activation, open"):
        predict_groups(scenes(0), pd.Series(["a", "b"] * 30), features="macs")
