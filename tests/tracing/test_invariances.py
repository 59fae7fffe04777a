"""Neither the batch an image is in, nor its place in the dataset, nor who reads it, shows in its row."""

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routeviz.space import OPEN_THRESHOLD
from routeviz.tracing import trace

N = 9


class Reordered:
    """A dataset in another order."""

    def __init__(self, dataset, order):
        self.dataset, self.order = dataset, order
        self.name, self.class_names, self.ignore_index = dataset.name, dataset.class_names, dataset.ignore_index

    def __len__(self):
        return len(self.order)

    def __getitem__(self, index):
        return self.dataset[self.order[index]]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_batch_order_and_shards_do_not_show(net, pictures, data):
    whole = trace(net, pictures(N), workers=0, batch_size=1)
    order = data.draw(st.lists(st.integers(0, N - 1), min_size=1, max_size=N, unique=True))
    how = {
        "batch_size": data.draw(st.integers(1, N)),
        "look_ahead": data.draw(st.none() | st.integers(1, N)),
        "shard_size": data.draw(st.integers(1, N)),
    }
    log = trace(net, Reordered(pictures(N), order), workers=0, **how)
    wanted = whole.select(order)
    pd.testing.assert_frame_equal(log.images, wanted.images, rtol=1e-5)
    np.testing.assert_allclose(log.gates, wanted.gates, atol=1e-6)
    np.testing.assert_array_equal(log.gates > OPEN_THRESHOLD, wanted.gates > OPEN_THRESHOLD)
    for name in (name for name in log.columns if name.startswith("macs_")):
        np.testing.assert_array_equal(log.images[name], wanted.images[name])
