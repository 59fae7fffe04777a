"""Population of a log whose rows are tokens that choose experts, and of one whose rows are architectures."""

import numpy as np
import pandas as pd
import pytest

from routeviz.dashboard import tradeoff
from routeviz.routelog import RouteLog
from routeviz.space import experts_space

VIEW = "routeviz/dashboard/views/population.py"


@pytest.fixture
def population(open_app, tmp_path):
    def run(source, **facts):
        choices = np.tile(np.eye(4, dtype=np.float32), (10, 2))
        images = pd.DataFrame({"id": [f"row {at}" for at in range(40)]} | facts)
        RouteLog(choices, images, experts_space(2, 4), {"model": "Mine"} | source).save(tmp_path / "log")
        app = open_app(tmp_path)
        app.switch_page(VIEW).run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def test_tokens_are_called_tokens_and_the_balance_of_experts_is_shown(population):
    image, kind = np.repeat([f"image {at}" for at in range(10)], 4), np.tile(list("wxyz"), 10)
    app = population({}, image=image, kind=kind)
    words = [item.value for item in app.markdown]
    assert "**40** of 40 tokens" in words
    assert "**Use of experts**" in words
    (table,) = [item.value for item in app.dataframe if "variation" in item.value]
    assert table.variation.tolist() == [0, 0]
    assert table.bits.tolist() == pytest.approx([2, 2])
    assert not any("against MACs" in word for word in words)


def test_facts_of_architectures_stand_against_their_macs(population):
    app = population({"rows": "architectures"}, macs_conv=np.arange(40) + 1, accuracy=np.linspace(0, 1, 40))
    words = [item.value for item in app.markdown]
    assert "**Architectures: a fact against MACs**" in words
    assert any("40 architectures" in item.value for item in app.caption)


def test_whole_numbers_and_truth_values_stand_against_macs_as_fractions_do(population):
    right = np.arange(40) % 2
    app = population({}, macs_conv=np.arange(40) + 1, kind=list("wxyz") * 10, correct=right, sure=right == 1, loss=0.5)
    (fact,) = [box for box in app.selectbox if box.key == tradeoff.AGAINST]
    assert fact.options == ["loss", "correct", "sure"]
    fact.select("correct").run()
    assert not app.exception, app.exception[0].message


def test_scores_that_views_name_elsewhere_are_offered_and_costs_are_not():
    facts = pd.DataFrame({"id": ["a"], "miou": [0.5], "iou_sky": [0.1], "macs_conv": [1], "height": [2], "depth": [3]})
    assert tradeoff.numbers(facts) == ["miou", "iou_sky", "depth"]
