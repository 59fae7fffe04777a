"""The figures of experts and of rows against their MACs, by what they hold."""

import numpy as np
import pandas as pd
import pytest

from routeviz import plots
from routeviz.errors import InputError
from routeviz.plots.sheet import Dots, Grid
from routeviz.routelog import RouteLog
from routeviz.space import chain_space, experts_space


@pytest.fixture
def log():
    """Six tokens of two layers of three experts; the second layer's is the next one, but for the last token."""
    first, second = [0, 0, 1, 1, 2, 2], [1, 1, 2, 2, 0, 1]
    gates = np.concatenate([np.eye(3)[first], np.eye(3)[second]], axis=1).astype(np.float32)
    facts = {
        "id": list("abcdef"),
        "digit": ["7", "7", "10", "10", "10", "7"],
        "macs_conv": [1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000, 6_000_000],
        "accuracy": [0.1, 0.2, 0.3, 0.4, 0.5, np.nan],
        "steps": [1, 2, 3, 4, 5, 6],
        "role": ["sampled"] * 5 + ["derived"],
    }
    return RouteLog(gates, pd.DataFrame(facts), experts_space(2, 3), {"rows": "architectures"})


def grids(sheet):
    return [mark for panel in sheet.panels for mark in panel.marks if isinstance(mark, Grid)]


def test_load_classes_and_lift_are_laid_out_by_layer(log):
    sheet = plots.plot_experts.describe(log, by="digit")
    load, first, second, together = grids(sheet)
    np.testing.assert_allclose(load.values, [[1 / 3] * 3, [1 / 6, 1 / 2, 1 / 3]])
    # Classes are in the order of their numbers: 7, then 10.
    np.testing.assert_allclose(first.values, [[2 / 3, 0], [0, 2 / 3], [1 / 3, 1 / 3]])
    np.testing.assert_allclose(second.values, [[0, 1 / 3], [1, 0], [0, 2 / 3]])
    np.testing.assert_allclose(together.values, [[0, 2, 0], [0, 0, 3], [3, 1, 0]])
    assert together.texts[0][1] == "layer 0 expert 0 and layer 1 expert 1: lift 2.00"
    assert len(sheet.table()) == 6
    assert len(grids(plots.plot_experts.describe(log))) == 2


@pytest.mark.parametrize("backend", plots.BACKENDS)
def test_both_backends_draw_it(log, backend):
    for figure in (plots.plot_experts(log, by="digit", backend=backend), plots.plot_against_macs(log, "accuracy")):
        assert figure is not None


def test_rows_stand_over_their_macs_and_the_rarest_group_lies_on_top(log):
    sheet = plots.plot_against_macs.describe(log, "steps", by="role")
    sampled, derived = [mark for panel in sheet.panels for mark in panel.marks if isinstance(mark, Dots)]
    assert (sampled.name, derived.name, derived.x.tolist()) == ("sampled", "derived", [6])
    sheet = plots.plot_against_macs.describe(log, "accuracy")
    assert next(sheet.panels).title == "5 architectures, rank correlation 1.00"
    assert next(sheet.panels).marks[0].y.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_what_cannot_be_drawn_is_said(log):
    with pytest.raises(InputError, match="holds no numbers"):
        plots.plot_against_macs.describe(log, "role")
    none = RouteLog(log.gates, log.images.assign(accuracy=np.nan), log.space)
    with pytest.raises(InputError, match="no row has a number"):
        plots.plot_against_macs.describe(none, "accuracy")
    with pytest.raises(InputError, match="side by side"):
        plots.plot_experts.describe(RouteLog(np.ones((1, 2), np.float32), pd.DataFrame({"id": ["a"]}), chain_space(2)))
