"""One image at many sizes, against the network asked size by size."""

import numpy as np
import pytest

from routeviz.datasets import Sample, open_dataset
from routeviz.errors import InputError
from routeviz.stats import rescaled_paths, rescaled_routes
from routeviz.tracing import SIZE_FACTORS, Rescaled, trace_rescaled


def test_factors_go_from_a_quarter_to_four_times_in_equal_steps():
    assert (SIZE_FACTORS[0], SIZE_FACTORS[8], SIZE_FACTORS[-1]) == (0.25, 1, 4)
    np.testing.assert_allclose(np.diff(np.log2(SIZE_FACTORS)), 0.25)


def test_each_row_is_the_route_of_the_image_at_that_size(net, pictures):
    sample, data = pictures(1)[0], pictures(1)
    log = trace_rescaled(net, sample, (2, 0.5, 1), class_names=data.class_names, ignore_index=data.ignore_index)
    assert log.images["id"].tolist() == ["picture 0 x0.5", "picture 0 x1", "picture 0 x2"]
    assert log.images[["factor", "height", "width"]].to_numpy().tolist() == [[0.5, 16, 32], [1, 32, 64], [2, 64, 128]]
    images = Rescaled(sample, (0.5, 1, 2))
    for row in range(3):
        gates = net(net.preprocess(images[row].image)[None]).gates[0].detach().numpy()
        np.testing.assert_allclose(log.gates[row], gates, atol=1e-6)
    np.testing.assert_array_equal(images[1].image, sample.image)
    np.testing.assert_array_equal(images[1].label, sample.label)
    assert len(rescaled_routes(log)) == 3
    assert len(rescaled_paths(log)) == net.space.n_paths


def test_labels_keep_their_classes_and_objects_grow():
    scenes = open_dataset("scenes", length=1, size=(64, 64))
    images = Rescaled(scenes[0], (0.5, 1, 4), class_names=scenes.class_names, ignore_index=scenes.ignore_index)
    assert set(np.unique(images[2].label)) == set(np.unique(scenes[0].label))
    np.testing.assert_array_equal(images[2].label[::4, ::4], scenes[0].label)
    np.testing.assert_array_equal(images[0].label, scenes[0].label[1::2, 1::2])


def test_an_image_without_a_label_will_do(net):
    sample = Sample(np.full((40, 50, 3), 99, np.uint8), None, "grey", "")
    log = trace_rescaled(net, sample, (1, 1.5))
    assert "miou" not in log.columns
    assert log.images["height"].tolist() == [40, 60]
    assert log.source["dataset"]["options"] == {"image": "grey", "size": [40, 50], "factors": [1.0, 1.5]}


def test_factor_1_can_stand_for_another_size(net, pictures):
    sample = pictures(1)[0]
    log = trace_rescaled(net, sample, (0.5, 1), resize=(64, 96))
    assert log.images[["height", "width"]].to_numpy().tolist() == [[32, 48], [64, 96]]
    # Straight from the image as it is, not from a copy at half the size.
    np.testing.assert_array_equal(Rescaled(sample, (1,), resize=(32, 64))[0].image, sample.image)


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ((), "factors none"),
        ((0, 1), "above 0"),
        ((1, 1), "different ones"),
        ((0.001, 1), "leaves nothing of image grey"),
    ],
)
def test_bad_factors_are_refused(factors, words):
    with pytest.raises(InputError, match=words):
        Rescaled(Sample(np.zeros((40, 50, 3), np.uint8), None, "grey", ""), factors)
