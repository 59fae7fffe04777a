from dataclasses import replace

import pytest

from routeviz.training import TrainConfig


@pytest.fixture(scope="session")
def config():
    """A run of seconds: 8 steps on six small scenes."""
    return TrainConfig(
        dataset="scenes",
        options={"length": 6, "size": [64, 64]},
        resize=(32, 64),
        crop=(32, 32),
        layers=4,
        width=4,
        stem_width=4,
        batch_size=4,
        steps=8,
        warmup_steps=2,
        base_rate=0.1,
        budget_start=0.5,
        checkpoint_every=3,
        eval_every=4,
        log_every=1,
    )


@pytest.fixture(scope="session")
def other(config):
    """Make the same run with some settings changed."""
    return lambda **settings: replace(config, **settings)
