import json

import pytest

from routeviz.errors import InputError
from routeviz.training import Budget, TrainConfig


def test_rate_rises_linearly_and_falls_with_the_poly_schedule():
    config = TrainConfig(steps=100, warmup_steps=10)
    assert config.rate_factor(0) == pytest.approx(0.1)
    assert config.rate_factor(4) == pytest.approx(0.5 * 0.96**0.9)
    assert config.rate_factor(50) == pytest.approx(0.5**0.9)
    assert config.rate_factor(100) == 0


def test_without_warm_up_the_first_step_has_the_full_rate():
    assert TrainConfig(steps=100, warmup_steps=0).rate_factor(0) == 1


def test_budget_starts_after_40_percent_and_is_full_2_percent_later():
    config = TrainConfig(steps=100, warmup_steps=0, budget=Budget(0.5, 0.1))
    assert config.branch_step == 40
    assert [config.budget_factor(step) for step in (0, 39, 40, 41, 99)] == [0, 0, 0.5, 1, 1]


def test_raw_run_never_has_a_budget():
    config = TrainConfig(steps=100, warmup_steps=0)
    assert {config.budget_factor(step) for step in range(101)} == {0}


def test_settings_come_back_from_json():
    config = TrainConfig(resize=(180, 240), budget=Budget(0.8, 0.1), options={"length": 3}, scale=(0.75, 1.5))
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_differences_are_named_with_both_values(other, config):
    assert config.differences(other(options={"length": 6, "size": (64, 64)})) == []
    assert config.differences(other(steps=9, width=6)) == ["width 4, was 6", "steps 8, was 9"]
    assert config.differences(other(root="elsewhere", workers=3)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch_size": 0},
        {"warmup_steps": 5000},
        {"crop": (0, 32)},
        {"scale": (2.0, 0.5)},
        {"precision": "int8"},
        {"budget_start": 1.5},
        {"architecture": "unet", "budget": Budget(0.5, 0.1)},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError):
        TrainConfig(**wrong)


@pytest.mark.parametrize(("weight", "target"), [(0, 0.1), (-1, 0.1), (0.5, 1.1), (0.5, -0.1), (float("nan"), 0.1)])
def test_budget_outside_its_range_is_refused(weight, target):
    with pytest.raises(InputError, match="budget weight"):
        Budget(weight, target)


def test_unknown_setting_is_named():
    with pytest.raises(InputError, match="colour"):
        TrainConfig.from_dict({"colour": 1})
