"""Mutual information where it is known: none, all, and what scikit-learn counts."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mutual_info_score

from routeviz.errors import InputError
from routeviz.stats import dynamics, image_groups, mutual_information

FREE = [1, 3, 4, 6, 7]
"""Paths that may open and shut without a cell being closed or unreached, so that gates are what is open."""


@pytest.fixture
def switched(make_log, space):
    """Build a log whose free paths are open as given, ``(image, 5)``; all others are open for every image."""

    def build(is_open, **facts):
        gates = np.ones((len(is_open), space.n_paths))
        gates[:, FREE] = is_open
        return make_log(*gates, **facts)

    return build


def test_it_is_what_scikit_learn_counts(switched, space):
    rng = np.random.default_rng(0)
    is_open, groups = (
        rng.random((60, 5)) < 0.4,
        pd.DataFrame({"a": rng.choice(list("xyz"), 60), "b": rng.random(60) < 0.3}),
    )
    table = mutual_information(switched(is_open), groups, permutations=1)
    assert table.grouping.tolist() == ["a"] * 5 + ["b"] * 5
    assert table.path.tolist() == [space.path_names[path] for path in FREE] * 2
    expected = [mutual_info_score(groups[name], is_open[:, path]) / np.log(2) for name in "ab" for path in range(5)]
    np.testing.assert_allclose(table.bits, expected, atol=1e-9)


def test_a_path_that_is_the_group_tells_all_of_it(switched):
    rng = np.random.default_rng(1)
    is_open = rng.random((48, 5)) < 0.5
    is_open[:, 2] = np.arange(48) % 2
    table = mutual_information(switched(is_open), pd.Series(np.arange(48) % 2, name="odd"))
    assert table.bits[2] == pytest.approx(1)
    assert table.p[2] == 1 / 200
    assert (table.p.drop(2) > 0.05).all()


def test_without_a_relation_what_is_counted_is_what_chance_gives(switched):
    rng = np.random.default_rng(2)
    tables = [
        mutual_information(
            switched(rng.random((60, 5)) < 0.5), pd.Series(rng.choice(3, 60)), permutations=19, seed=seed
        )
        for seed in range(200)
    ]
    counted, chance = (np.mean([table[name].mean() for table in tables]) for name in ("bits", "chance"))
    # The known bias of the count: (groups - 1)(states - 1) / 2n nats.
    assert counted == pytest.approx(2 / (2 * 60 * np.log(2)), rel=0.1)
    assert chance == pytest.approx(counted, rel=0.1)
    # One false alarm in any of five paths in a twentieth of the cases, as the correction promises: 10 ± 3 of 200.
    alarms = sum(table.p.min() <= 0.05 for table in tables)
    assert 2 <= alarms <= 19


def test_paths_that_never_change_are_left_out(switched, log):
    table = mutual_information(switched(np.tile([1, 0, 1, 0, 1], (8, 1))), pd.Series(np.arange(8) % 2))
    assert table.empty
    assert table.columns.tolist() == ["grouping", "path", "layer", "scale", "move", "bits", "chance", "p"]
    assert len(mutual_information(log, pd.Series([1, 1, 2, 2]))) == 6


def test_images_without_a_group_are_left_out(switched):
    rng = np.random.default_rng(3)
    is_open, group = rng.random((40, 5)) < 0.5, pd.Series(np.arange(40) % 3, dtype=float)
    group[30:] = np.nan
    pd.testing.assert_frame_equal(
        mutual_information(switched(is_open), group), mutual_information(switched(is_open[:30]), group[:30])
    )


def test_groups_of_a_log(switched):
    is_open = np.ones((6, 5))
    found = image_groups(
        switched(
            is_open,
            scale_class=list("aabbcc"),
            objects_median_area=[9, 1, 2, np.nan, 8, 4],
            objects_count_car=[0, 0, 1, 5, 0, 1],
            objects_count_sky=[1, 1, 1, 1, 2, 9],
        )
    )
    assert list(found) == ["scale class", "object scale", "classes"]
    assert found["object scale"].iloc[:, 0].tolist()[:3] == [2, 0, 0]
    assert found["object scale"].isna().sum().item() == 1
    # Every image holds sky: that tells no image from another.
    assert found["classes"].to_dict("list") == {"car": [False, False, True, True, False, True]}
    assert image_groups(switched(is_open)) == {}
    assert image_groups(switched(is_open, scale_class="small")) == {}


def test_of_many_images_a_sample_is_counted(switched, monkeypatch):
    group = pd.Series(np.arange(600) % 2)
    is_open = np.random.default_rng(4).random((600, 5)) < 0.5
    is_open[:, 0] = group
    monkeypatch.setattr(dynamics, "MOST_IMAGES", 200)
    table = mutual_information(switched(is_open), group)
    assert table.bits[0] == pytest.approx(1, abs=0.02)
    # The bias is that of 200 images.
    assert table.chance.mean() == pytest.approx(1 / (2 * 200 * np.log(2)), rel=0.2)


def test_bad_input_is_refused(log):
    with pytest.raises(InputError, match="3 rows of groups for 4 images"):
        mutual_information(log, pd.Series([1, 2, 3]))
    with pytest.raises(InputError, match="no image has a group"):
        mutual_information(log, pd.Series([np.nan] * 4))
    with pytest.raises(InputError, match="0 permutations"):
        mutual_information(log, pd.Series([1, 1, 2, 2]), permutations=0)
