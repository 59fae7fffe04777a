import pickle

import numpy as np
import pytest
from scipy import ndimage
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from routeviz.datasets import SCALE_CLASSES, Scenes, open_dataset
from routeviz.errors import DatasetError, InputError
from routeviz.metrics import object_facts

IMAGES = 180


@pytest.fixture(scope="module")
def scenes():
    dataset = Scenes(split="train", length=IMAGES)
    return dataset, list(dataset)


def object_areas(label):
    components, _ = ndimage.label(label > 0, np.ones((3, 3)))
    return np.bincount(components.ravel())[1:]


def scale_classes(dataset):
    return np.array([dataset.facts(i)["scale_class"] for i in range(len(dataset))])


def accuracy(features, target):
    return cross_val_score(KNeighborsClassifier(15), np.reshape(features, (len(target), -1)), target, cv=5).mean()


def test_a_scene_depends_on_its_index_alone():
    dataset = open_dataset("scenes", split="val", length=9)
    backwards = [pickle.loads(pickle.dumps(dataset))[i] for i in reversed(range(9))][::-1]
    longer = Scenes(split="val", length=30)
    for i, other in enumerate(backwards):
        for sample in (dataset[i], longer[i]):
            np.testing.assert_array_equal(sample.image, other.image)
            np.testing.assert_array_equal(sample.label, other.label)
            assert (sample.id, sample.file) == (f"val-{i:05d}", "")


def test_splits_seeds_and_indices_share_no_scene():
    datasets = [Scenes(split="train"), Scenes(split="val"), Scenes(split="test"), Scenes(split="val", seed=1)]
    images = {dataset[i].image.tobytes() for dataset in datasets for i in range(4)}
    assert len(images) == 16


@pytest.mark.parametrize("size", [(128, 256), (64, 128), (150, 101), (256, 256)])
def test_any_size_is_drawn(size):
    dataset = Scenes(size=size, length=6)
    for i, sample in enumerate(dataset):
        assert sample.image.shape == (*size, 3)
        assert sample.label.shape == size
        assert (sample.image.dtype, sample.label.dtype) == (np.uint8, np.uint8)
        assert sample.label.max() < len(dataset.class_names)
        shares = object_areas(sample.label) / sample.label.size
        assert (shares.max() > 0.04) == (dataset.facts(i)["scale_class"] != "small")


def test_the_scale_class_is_what_the_label_shows(scenes):
    dataset, samples = scenes
    for i, sample in enumerate(samples):
        shares = object_areas(sample.label) / sample.label.size
        large, small = (shares > 0.04).sum(), (shares < 0.02).sum()
        assert large + small == len(shares)
        expected = {"small": large == 0 and small > 12, "large": small == 0 and large in (2, 3), "mixed": large == 1}
        assert expected[dataset.facts(i)["scale_class"]]
        if dataset.facts(i)["scale_class"] == "mixed":
            assert small > 5
    assert set(scale_classes(dataset)) == set(SCALE_CLASSES)


def test_the_sizes_of_the_object_facts_tell_small_objects_from_large_ones(scenes):
    dataset, samples = scenes
    for i in range(0, 30):
        facts = object_facts(np.where(samples[i].label, samples[i].label, 255), dataset.class_names, 255)
        share = {"small": facts["share_small"] == 1, "large": facts["share_small"] == 0}
        assert share.get(dataset.facts(i)["scale_class"], 0 < facts["share_small"] < 1)


def test_neither_colours_nor_covered_area_tell_the_scale_class(scenes):
    dataset, samples = scenes
    target = scale_classes(dataset)
    # A third is chance; three standard errors of a guess on this many images lie above it.
    bound = 1 / 3 + 3 * np.sqrt(2 / 9 / IMAGES)
    images = np.array([sample.image for sample in samples], np.float32)
    assert accuracy(images.mean(axis=(1, 2)), target) < bound
    assert accuracy([sample.label.astype(bool).mean() for sample in samples], target) < bound
    # The same judge does find it where it shows, so that it is no weak one.
    assert accuracy([len(object_areas(sample.label)) for sample in samples], target) > 0.95


def test_an_objects_colour_does_not_tell_its_class(scenes):
    _, samples = scenes
    colors, classes = [], []
    for sample in samples[::3]:
        for item in range(1, 7):
            mask = sample.label == item
            if mask.any():
                colors.append(sample.image[mask].mean(axis=0) - sample.image.mean(axis=(0, 1)))
                classes.append(item)
    assert accuracy(colors, classes) < 1 / 6 + 3 * np.sqrt(5 / 36 / len(classes))


def test_every_class_covers_about_as_much_in_every_scale_class(scenes):
    dataset, samples = scenes
    target = scale_classes(dataset)
    for scale_class in SCALE_CLASSES:
        labels = np.array([sample.label for sample in samples])[target == scale_class]
        shares = np.bincount(labels.ravel(), minlength=7) / labels.size
        assert 0.16 < shares[1:].sum() < 0.22
        # A few large objects make for a wide spread: a sixth, give or take more than half of it, would be a fault.
        assert (np.abs(shares[1:] / shares[1:].sum() - 1 / 6) < 1 / 11).all()


def test_facts_and_negative_indices(scenes):
    dataset, samples = scenes
    assert dataset.facts(-1) == dataset.facts(IMAGES - 1)
    np.testing.assert_array_equal(dataset[-1].image, samples[-1].image)
    with pytest.raises(IndexError):
        dataset[IMAGES]
    with pytest.raises(IndexError):
        dataset.facts(IMAGES)


def test_bad_settings_are_refused():
    with pytest.raises(DatasetError, match="no split 'valid'; choose one of train, val, test"):
        open_dataset("scenes", split="valid")
    with pytest.raises(InputError, match="has no option amount; it has length, size, seed"):
        open_dataset("scenes", amount=3)
    bad = {"length": (0, "9", 1.5), "seed": (-1, None), "size": ((32, 64), (64, 300), 128, "ab", ("a", "b"), (64,))}
    for options in ({option: value} for option, values in bad.items() for value in values):
        with pytest.raises(InputError, match="scenes needs a"):
            Scenes(**options)
