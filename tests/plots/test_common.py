"""The figure of common networks, by its artists."""

import numpy as np
import pytest

from routeviz import plots
from routeviz.errors import InputError
from routeviz.stats import common_sweep


@pytest.fixture
def sweep(make_log):
    table = common_sweep(make_log(), keeps=[1.0, 0.5, 0.1])
    return table.assign(macs=[20_000_000, 40_000_000, 60_000_000])


def test_curves_are_the_table_from_low_to_high(sweep):
    top, bottom = plots.plot_common(sweep, average=50_000_000)
    found = [line.get_xydata() for ax in (top, bottom) for line in ax.lines]
    expected = [
        [(0.1, 60), (0.5, 40), (1.0, 20)],
        [(0, 50), (1, 50)],
        list(zip([0.1, 0.5, 1.0], sweep.covered[::-1], strict=True)),
        list(zip([0.1, 0.5, 1.0], sweep.complete[::-1], strict=True)),
    ]
    assert len(found) == 4
    for data, points in zip(found, expected, strict=True):
        np.testing.assert_allclose(data, points)
    assert top.get_ylabel() == "MMACs, conv"


@pytest.mark.parametrize("backend", plots.BACKENDS)
def test_one_threshold_and_no_cost_are_drawn(make_log, backend):
    table = common_sweep(make_log(1, closed=True), keeps=[0.5]).assign(macs=[0])
    assert plots.plot_common(table, backend=backend) is not None


def test_what_is_missing_is_told(sweep):
    with pytest.raises(InputError, match="lacks macs; it needs keep, macs, covered, complete"):
        plots.plot_common(sweep.drop(columns="macs"))
    with pytest.raises(InputError, match="no thresholds"):
        plots.plot_common(sweep.iloc[:0])
