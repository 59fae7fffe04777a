"""Times made of MACs, so that the answer is known."""

import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.stats import fit_times


def parts(macs, seconds):
    kinds = ["stem", "operation", "operation", "path", "path", "gate"]
    moves = ["", "", "", "up", "keep", ""]
    return pd.DataFrame({"part": kinds, "move": moves, "macs_conv": macs, "seconds": seconds})


MACS = np.array([600, 100, 200, 50, 0, 30], float) * 1e6


def test_times_on_a_line_are_explained_wholly():
    found = fit_times(parts(MACS, 1e-3 + 2e-9 * MACS))
    assert found.r2 == pytest.approx(1)
    assert found.per_mac == pytest.approx(2e-9)
    assert found.per_part == pytest.approx(1e-3)
    assert found.share_of_macs == pytest.approx(1.96 / 1.966)
    assert found.kinds.kind.tolist() == ["stem", "operation", "path up", "path keep", "gate"]
    assert found.kinds.parts.tolist() == [1, 2, 1, 1, 1]
    np.testing.assert_allclose(found.kinds.residual, 0, atol=1e-12)
    assert found.kinds.macs_share.sum() == pytest.approx(1)
    assert found.kinds.time_share.sum() == pytest.approx(1)


def test_what_takes_longer_than_its_macs_say_is_told():
    seconds = 2e-9 * MACS
    seconds[3] += 0.2
    found = fit_times(parts(MACS, seconds)).kinds.set_index("kind")
    assert found.residual.idxmax() == "path up"
    assert found.residual["path up"] > 0
    assert found.residual.sum() == pytest.approx(0, abs=1e-9)
    assert found.residual_share["path up"] == pytest.approx(found.residual["path up"] / seconds[3])


def test_times_that_have_nothing_to_do_with_macs_are_not_explained():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"part": "operation", "move": "", "macs_conv": rng.random(2000) * 1e6})
    assert fit_times(table.assign(seconds=rng.random(2000))).r2 < 0.01


def test_parts_without_a_time_are_left_out_and_too_few_are_refused():
    seconds = 2e-9 * MACS
    seconds[1] = np.nan
    assert fit_times(parts(MACS, seconds)).kinds.set_index("kind").parts["operation"] == 1
    with pytest.raises(InputError, match="times of 2 parts"):
        fit_times(parts(MACS, seconds).iloc[:3])
    with pytest.raises(InputError, match="of different MACs"):
        fit_times(parts(MACS * 0, seconds))
