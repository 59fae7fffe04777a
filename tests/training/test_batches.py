import warnings

import numpy as np
import pytest
import torch

from routeviz.datasets import Sample, open_dataset
from routeviz.errors import DatasetError, InputError
from routeviz.training.batches import Crops, batches, cut, image_index, resized

WHOLE = {"crop": (20, 30), "scale": (1.0, 1.0), "flip": False, "fill": (1, 2, 3), "ignore_index": 255}


class Pictures:
    """Images of one grey value each, labelled with it; some cannot be read."""

    ignore_index = 255

    def __init__(self, n, *, broken=(), labelled=True):
        self.n, self.broken, self.labelled, self.reads = n, broken, labelled, []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        self.reads.append(index)
        if index in self.broken:
            raise DatasetError(f"image {index} is broken")
        image = np.full((40, 40, 3), index, np.uint8)
        return Sample(image=image, label=image[..., 0] if self.labelled else None, id=str(index), file=f"{index}.png")


@pytest.fixture
def picture():
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), rng.integers(0, 5, (20, 30), dtype=np.uint8)


def rng(*key):
    return np.random.default_rng(key)


def drawn(crops, **where):
    return list(batches(crops, **where))


def test_crop_of_the_whole_image_at_scale_1_is_the_image(picture):
    image, label = cut(*picture, **WHOLE, rng=rng(0))
    np.testing.assert_array_equal(image, picture[0])
    np.testing.assert_array_equal(label, picture[1])


def test_flip_mirrors_image_and_label_in_about_half_of_the_cases(picture):
    mirrored = 0
    for seed in range(200):
        image, label = cut(*picture, **WHOLE | {"flip": True}, rng=rng(seed))
        if (image == picture[0][:, ::-1]).all():
            mirrored += 1
            np.testing.assert_array_equal(label, picture[1][:, ::-1])
        else:
            np.testing.assert_array_equal(label, picture[1])
    assert 70 < mirrored < 130


def test_smaller_image_is_surrounded_by_fill_and_ignored_label(picture):
    image, label = cut(*picture, **WHOLE | {"scale": (0.5, 0.5)}, rng=rng(3))
    inside = label != 255
    assert inside.sum() == 10 * 15
    assert (image[~inside] == (1, 2, 3)).all()


def test_label_stays_on_its_image_at_any_scale():
    # The left half is black and of class 0, the right half white and of class 1.
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    label = (image[..., 0] > 0).astype(np.uint8)
    for seed in range(50):
        cut_image, cut_label = cut(
            image, label, crop=(32, 32), scale=(0.5, 2), flip=True, fill=(0, 0, 0), ignore_index=255, rng=rng(seed)
        )
        assert set(np.unique(cut_label)) <= {0, 1, 255}
        inside = cut_label != 255
        wrong = (cut_image[..., 0] > 127) != (cut_label == 1)
        assert (wrong & inside).any(axis=0).sum() <= 1  # at most the column on the border


def test_crop_has_the_scale_that_was_asked_for():
    # Stripes of 8 pixels become stripes of 16.
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, np.arange(64) // 8 % 2 == 1] = 255
    label = (image[..., 0] > 0).astype(np.uint8)
    crops = cut(image, label, crop=(32, 64), scale=(2, 2), flip=False, fill=(0,) * 3, ignore_index=255, rng=rng(0))
    changes = np.flatnonzero(np.diff(crops[1][0].astype(int)))
    assert set(np.diff(changes)) == {16}


def test_every_epoch_shows_every_image_once_in_another_order():
    epochs = [[image_index(7, drawn, 10) for drawn in range(10 * epoch, 10 * epoch + 10)] for epoch in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 3
    assert epochs[0] != epochs[1]
    assert image_index(7, 23, 10) == epochs[2][3]


def test_batches_from_the_middle_are_those_of_a_run_from_the_start(config):
    data = open_dataset("scenes", split="train", **config.options)
    whole = drawn(Crops(data, config, fill=(0, 0, 0)), start=0)
    rest = drawn(Crops(data, config, fill=(0, 0, 0)), start=5)
    assert len(whole) == 8
    for (image, label), (other_image, other_label) in zip(whole[5:], rest, strict=True):
        assert torch.equal(image, other_image)
        assert torch.equal(label, other_label)


def test_ranks_share_each_batch_and_together_see_all_of_it(config):
    data = open_dataset("scenes", split="train", **config.options)
    crops = Crops(data, config, fill=(0, 0, 0))
    shares = [drawn(crops, start=6, rank=rank, ranks=2) for rank in range(2)]
    for (images, labels), first, second in zip(drawn(crops, start=6), *shares, strict=True):
        assert torch.equal(images, torch.cat([first[0], second[0]]))
        assert torch.equal(labels, torch.cat([first[1], second[1]]))


def test_batch_that_ranks_cannot_share_is_refused(config):
    crops = Crops(Pictures(3), config, fill=(0, 0, 0))
    with pytest.raises(InputError, match="batch_size 4"):
        drawn(crops, start=0, ranks=3)


def test_loading_processes_change_nothing(other):
    data = open_dataset("scenes", split="train", length=6, size=(64, 64))
    alone = drawn(Crops(data, other(workers=0), fill=(0, 0, 0)), start=5)
    with warnings.catch_warnings():
        # From Python 3.12 on a fork beside threads warns; the loader's processes touch no torch thread.
        warnings.simplefilter("ignore", DeprecationWarning)
        helped = drawn(Crops(data, other(workers=2), fill=(0, 0, 0)), start=5)
    for (image, label), (other_image, other_label) in zip(alone, helped, strict=True):
        assert torch.equal(image, other_image)
        assert torch.equal(label, other_label)


def test_another_seed_gives_other_batches(other):
    data = open_dataset("scenes", split="train", length=6, size=(64, 64))
    first, second = (drawn(Crops(data, other(seed=seed), fill=(0,) * 3), start=7)[0][0] for seed in (0, 1))
    assert not torch.equal(first, second)


def test_unreadable_image_is_replaced_and_reported_once(config, caplog):
    pictures = Pictures(6, broken={1, 2})
    seen = torch.cat([label.flatten() for _, label in drawn(Crops(pictures, config, fill=(0, 0, 0)), start=0)])
    assert set(seen.tolist()) == {0, 3, 4, 5, 255}
    assert sorted(pictures.reads) == list(range(6))
    assert sorted(record.getMessage() for record in caplog.records) == [
        "left out of training: image 1 is broken",
        "left out of training: image 2 is broken",
    ]


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (Pictures(0), "empty"),
        (Pictures(2, broken={0, 1}), "can be read"),
        (Pictures(2, labelled=False), "has no label"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(config, pictures, message):
    with pytest.raises((DatasetError, InputError), match=message):
        Crops(pictures, config, fill=(0, 0, 0))


def test_resizing_keeps_labels_whole_and_sizes_as_asked(picture):
    image, label = resized(*picture, (10, 15))
    assert image.shape == (10, 15, 3)
    assert set(np.unique(label)) <= set(range(5))
    assert resized(*picture, (20, 30))[0] is picture[0]
    assert resized(picture[0], None, (10, 15))[1] is None
