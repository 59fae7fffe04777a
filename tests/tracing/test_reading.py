import os
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeviz.errors import LogError
from routeviz.tracing import trace
from routeviz.tracing.reading import Reading, equal_sizes


def reading(index, size):
    return Reading(index, np.empty((*size, 3), np.uint8), None, {}, {})


@given(st.lists(st.sampled_from([(4, 4), (4, 6), (6, 4)]), max_size=60), st.integers(1, 9), st.integers(1, 20))
def test_batches_are_of_one_size_and_bounded(sizes, batch_size, look_ahead):
    taken = []

    def stream():
        for index, size in enumerate(sizes):
            taken.append(index)
            yield reading(index, size)

    given_out = []
    for batch in equal_sizes(stream(), batch_size, look_ahead):
        assert 1 <= len(batch) <= batch_size
        assert len({one.image.shape for one in batch}) == 1
        assert len(taken) - len(given_out) <= max(look_ahead, 1)
        given_out += [one.index for one in batch]
    assert sorted(given_out) == list(range(len(sizes)))


def test_the_size_that_waits_longest_goes_first():
    sizes = [(4, 6), (4, 4), (4, 4), (6, 4), (4, 4), (4, 6)]
    batches = equal_sizes([reading(i, size) for i, size in enumerate(sizes)], 3, 4)
    assert [[one.index for one in batch] for batch in batches] == [[0], [1, 2, 4], [3], [5]]


@pytest.mark.parametrize("n", [10, 80])
def test_few_images_are_held_however_many_there_are(net, pictures, n):
    alive, most = [], []

    class Picture(np.ndarray):
        pass

    class Counted(pictures):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            image = sample.image.view(Picture)
            alive.append(weakref.ref(image))
            most.append(sum(picture() is not None for picture in alive))
            return type(sample)(image=image, label=sample.label, id=sample.id, file=sample.file)

    trace(net, Counted(n), batch_size=2, look_ahead=3, workers=0)
    assert max(most) <= 3 + 2 + 1


def test_a_reader_that_dies_is_one_clear_line(net, pictures, tmp_path):
    class Alive(pictures):
        name = "the same"

    class Deadly(Alive):
        def __getitem__(self, index):
            if index == 5:
                os._exit(1)
            return super().__getitem__(index)

    with pytest.raises(LogError, match=r"a process that reads images died: .*run again, with fewer or no workers"):
        trace(net, Deadly(8), out=tmp_path, workers=1, shard_size=2)
    assert len(trace(net, Alive(8), out=tmp_path, workers=1, shard_size=2)) == 8
