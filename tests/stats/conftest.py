import numpy as np
import pandas as pd
import pytest

from routeviz.routelog import RouteLog
from routeviz.space import lattice_space


@pytest.fixture
def space():
    """Five cells and eight paths: two scales, two layers after the first."""
    space = lattice_space(2, 4, scales=2)
    assert space.path_names == (
        *("L0 s0 keep", "L0 s0 down"),
        *("L1 s0 keep", "L1 s0 down", "L1 s1 up", "L1 s1 keep"),
        *("L2 s0 keep", "L2 s1 keep"),
    )
    return space


@pytest.fixture
def make_log(space):
    """Build a log from rows of gates and columns of facts."""

    def build(*rows, space=space, **facts):
        images = pd.DataFrame({"id": [f"image {index}" for index in range(len(rows))], **facts})
        return RouteLog(np.array(rows, np.float32).reshape(len(rows), space.n_paths), images, space, {})

    return build


@pytest.fixture
def log(make_log):
    """Four images: two of one route, one that closes L0 and so leaves L1 s1 unreached, one that starves it."""
    nan = np.nan
    return make_log(
        [0.5, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0],
        [0.7, 0.1, 1.0, 0.0, 0.4, 0.0, 1.0, 1.0],
        [0.0, 0.0, 1.0, 0.0, nan, nan, 1.0, 1.0],
        [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0],
        macs_conv=[40, 40, 10, 30],
        macs_released=[50, 50, 20, 40],
        expected_macs_released=[1.0, 2.0, 3.0, 4.0],
    )
