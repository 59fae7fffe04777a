from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from routeviz.routelog import RouteLog
from routeviz.space import cell_states, lattice_space

STRANGE = "<b>$x_{1}$ & дорога %{y}</b>"
"""A name that plotly, matplotlib and HTML would each take for markup, with letters that are not Latin."""


@pytest.fixture
def make_log():
    """Random routes as a network logs them: NaN where unreached; or all closed; or nothing but one cell reached."""

    def make(
        images: int = 12,
        *,
        layers: int = 4,
        closed: bool = False,
        starving: bool = False,
        seed: int = 0,
        strange: bool = False,
    ) -> RouteLog:
        space = lattice_space(layers, 4)
        rng = np.random.default_rng(seed)
        shape = images, space.n_paths
        gates = np.where(rng.random(shape) < (1 if closed else 0.4), 0, rng.random(shape)).astype(np.float32)
        if starving:
            gates[:, [move != "keep" for move in space.moves]] = 0
            gates[:, space.paths_from(0)] = 0
        gates[(cell_states(space, gates).state == 0)[:, space.source]] = np.nan
        assert images < 12 or np.isnan(gates).any()
        names = [f"{STRANGE} {index}" if strange else f"image {index}" for index in range(images)]
        groups = np.resize([STRANGE, "large", "small"] if strange else ["small", "large", "mixed"], images)
        macs = (np.nansum(gates, axis=1) * 1e6).astype(int) + 10**8
        facts = {"id": names, "scale_class": groups, "macs_conv": macs}
        return RouteLog(gates, pd.DataFrame(facts), space)

    return make


@pytest.fixture(autouse=True)
def _no_figures_left() -> Iterator[None]:
    yield
    plt.close("all")
