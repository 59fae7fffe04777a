from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from routeviz.routelog import RouteLog
from routeviz.space import RoutingSpace, cell_states, lattice_space


@pytest.fixture(scope="session")
def space() -> RoutingSpace:
    return lattice_space(4, 4)


@pytest.fixture(scope="session")
def make_gates(space: RoutingSpace) -> Callable[[int, int], np.ndarray]:
    """Random gates as a network gives them: shut paths are 0, those of unreached cells NaN."""

    def make(n: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        gates = np.where(rng.random((n, space.n_paths)) < 0.5, 0, rng.random((n, space.n_paths))).astype(np.float32)
        gates[(cell_states(space, gates).state == 0)[:, space.source]] = np.nan
        return gates

    return make


@pytest.fixture(scope="session")
def make_images() -> Callable[[int, int], pd.DataFrame]:
    """Facts of n images, the first of them at some position of a dataset."""

    def make(n: int, start: int = 0) -> pd.DataFrame:
        at = np.arange(start, start + n)
        return pd.DataFrame(
            {
                "id": [f"image {i}" for i in at],
                "file": [f"road/ümlaut {i}.png" for i in at],
                "height": 100 + at,
                "macs_conv": 10**12 + at,
                "miou": np.where(at % 3 == 0, np.nan, at / 1000),
            }
        )

    return make


@pytest.fixture
def log(space, make_gates, make_images) -> RouteLog:
    return RouteLog(make_gates(100), make_images(100), space, {"settings": {"resize": None}, "schema": 1})
