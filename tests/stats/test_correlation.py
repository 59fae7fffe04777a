"""Correlations where the answer is known, and where there is none."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from routeviz.errors import InputError
from routeviz.stats import correlation
from routeviz.stats.correlation import correlate


def frame(rng, n, columns, name):
    return pd.DataFrame(rng.standard_normal((n, columns)), columns=[f"{name}{i}" for i in range(columns)])


def test_r_is_spearmans():
    rng = np.random.default_rng(0)
    values, facts = frame(rng, 40, 3, "v"), frame(rng, 40, 2, "f").round(0)  # with ties
    table = correlate(values, facts, permutations=1, resamples=0)
    assert table[["fact", "value"]].to_numpy().tolist() == [[f"f{f}", f"v{v}"] for f in range(2) for v in range(3)]
    expected = [spearmanr(values[v], facts[f]).statistic for f in facts for v in values]
    np.testing.assert_allclose(table.r, expected)
    assert table[["low", "high"]].isna().all(axis=None)


def test_what_follows_is_found_and_what_does_not_is_not():
    rng = np.random.default_rng(1)
    facts, values = frame(rng, 80, 1, "f"), frame(rng, 80, 30, "v")
    values["v7"] = np.exp(facts.f0)
    values["v9"] = -facts.f0 + 0.5 * rng.standard_normal(80)
    table = correlate(values, facts, permutations=199, resamples=99).set_index("value")
    assert table[table.p_corrected < 0.05].index.tolist() == ["v7", "v9"]
    assert table.r["v7"] == pytest.approx(1)
    assert table.p_corrected["v7"] == table.p["v7"] == 1 / 200
    assert (table.p_corrected >= table.p).all()
    third = facts.f0.rank() > 53
    low = facts.f0.rank() < 28
    assert table.change["v9"] == pytest.approx(values.v9[third].mean() - values.v9[low].mean())


def test_p_values_are_even_where_nothing_follows():
    rng = np.random.default_rng(2)
    tables = [
        correlate(frame(rng, 30, 20, "v"), frame(rng, 30, 2, "f"), permutations=99, resamples=0, seed=seed)
        for seed in range(300)
    ]
    # One test each is even on its own...
    own = np.array([table.p[0] for table in tables])
    assert np.mean(own <= 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(own <= 0.5) == pytest.approx(0.5, abs=0.09)
    # ... so the smallest of forty is almost always small, and corrected for that it is even again.
    assert np.mean([table.p.min() <= 0.05 for table in tables]) > 0.7
    smallest = np.array([table.p_corrected.min() for table in tables])
    for level in (0.05, 0.2, 0.5, 0.8):
        assert np.mean(smallest <= level) == pytest.approx(level, abs=3.2 * (level * (1 - level) / 300) ** 0.5)


def test_the_interval_covers_what_is_true():
    # Spearman's r of a bivariate normal with correlation c is 6/pi * asin(c / 2).
    rng, c = np.random.default_rng(3), 0.6
    true, covered = 6 / np.pi * np.arcsin(c / 2), []
    for seed in range(60):
        x, y = rng.multivariate_normal([0, 0], [[1, c], [c, 1]], 60).T
        row = correlate(pd.DataFrame({"v": x}), pd.DataFrame({"f": y}), permutations=1, resamples=199, seed=seed).iloc[
            0
        ]
        assert row.low < row.r < row.high
        covered.append(row.low <= true <= row.high)
    assert 0.84 <= np.mean(covered) <= 1


def test_neighbours_that_are_alike_raise_no_alarm_in_a_sequence():
    rng, alarms = np.random.default_rng(4), {False: 0, True: 0}
    kernel = np.ones(12) / 12
    for seed in range(60):
        # Two films that have nothing to do with each other, each smooth.
        films = [pd.DataFrame({name: np.convolve(rng.standard_normal(111), kernel, "valid")}) for name in "vf"]
        for sequence in alarms:
            p = correlate(*films, permutations=99, resamples=0, sequence=sequence, seed=seed).p_corrected[0]
            alarms[sequence] += p <= 0.05
    assert alarms[False] > 20
    assert alarms[True] <= 8


def test_a_sequence_is_resampled_in_runs_and_shuffled_by_shifts():
    x = np.repeat(np.arange(10.0), 10)
    apart = correlate(pd.DataFrame({"v": x}), pd.DataFrame({"f": (x - 4) ** 2}), resamples=199)
    runs = correlate(pd.DataFrame({"v": x}), pd.DataFrame({"f": (x - 4) ** 2}), resamples=199, sequence=True)
    assert (runs.high - runs.low)[0] > 2 * (apart.high - apart.low)[0]
    # 99 shifts, the order given among 100: no p-value is finer, however many are asked for.
    np.testing.assert_allclose(runs.p * 100, (runs.p * 100).round())


def test_lacking_and_constant_columns_and_images():
    rng = np.random.default_rng(5)
    values, facts = frame(rng, 40, 2, "v"), frame(rng, 40, 2, "f")
    facts.iloc[30:, 1] = np.nan
    values["same"] = 3.0
    table = correlate(values, facts, permutations=9, resamples=9)
    pd.testing.assert_frame_equal(table, correlate(values[:30], facts[:30], permutations=9, resamples=9))
    assert set(table.value) == {"v0", "v1"}
    assert (table.images == 30).all()
    nothing = correlate(values[["same"]], facts, permutations=9, resamples=9)
    assert nothing.empty
    assert nothing.columns.tolist() == table.columns.tolist()


def test_a_value_that_resamples_can_make_constant_has_an_interval():
    values = pd.DataFrame({"v": np.eye(1, 20)[0]})
    row = correlate(values, pd.DataFrame({"f": np.arange(20.0)}), permutations=9, resamples=99).iloc[0]
    assert row.low < 0 <= row.high


def test_of_many_images_a_sample_is_looked_at(monkeypatch):
    monkeypatch.setattr(correlation, "MOST_IMAGES", 50)
    rng = np.random.default_rng(6)
    values, facts = frame(rng, 400, 1, "v"), frame(rng, 400, 1, "f")
    assert correlate(values, facts, permutations=1, resamples=0).images[0] == 50
    first = correlate(values, facts, permutations=1, resamples=0, sequence=True)
    assert first.r[0] == pytest.approx(spearmanr(values.v0[:50], facts.f0[:50]).statistic)


def test_bad_input_is_refused():
    table = pd.DataFrame({"f": [1.0, 2, 3, 4, np.nan]})
    with pytest.raises(InputError, match="4 images have f; a correlation needs 5"):
        correlate(table, table)
    with pytest.raises(InputError, match="values of 5 images and facts of 3"):
        correlate(table, table[:3])
    with pytest.raises(InputError, match="0 permutations"):
        correlate(table, table, permutations=0)
