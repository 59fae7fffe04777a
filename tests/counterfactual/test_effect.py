"""A forced route over a dataset, against a rerun of each of its images."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from routeviz.costs import CONVENTIONS
from routeviz.counterfactual import ForcedRoute, forced_effect, rerun
from routeviz.datasets import Scenes, open_dataset
from routeviz.errors import DatasetError, InputError
from routeviz.metrics import iou, mean_iou


@pytest.fixture
def net(make_net):
    return make_net(0.6, 0.4, layers=4, num_classes=7)


@pytest.fixture(scope="module")
def scenes():
    return open_dataset("scenes", length=4, size=(64, 64))


def test_it_is_a_rerun_of_each_image(net, scenes):
    route = ForcedRoute(net.space, {"L1 s0": "closed", "L2 s1 keep": 0.5})
    found = forced_effect(net, scenes, route)
    again = partial(rerun, net, route=route, ignore_index=scenes.ignore_index)
    runs = [again(image=sample.image, label=sample.label) for sample in scenes]
    assert found.images["id"].tolist() == scenes.ids
    for row, one in zip(found.images.itertuples(), runs, strict=True):
        assert (row.changed, row.miou_original) == (one.changed.mean(), one.original.miou)
        assert row.miou_forced == one.forced.miou
        assert row.answers == (~one.paths["forced"]).sum()
        for name in CONVENTIONS:
            assert tuple(getattr(row, f"macs_{name}_{side}") for side in ("original", "forced")) == one.macs(name)
    original, forced = (sum(getattr(one, side).confusion for one in runs) for side in ("original", "forced"))
    classes = found.classes(scenes.class_names)
    np.testing.assert_allclose(classes["iou_original"], iou(original))
    np.testing.assert_allclose(classes["change"], iou(forced) - iou(original))
    assert classes["name"].tolist() == list(scenes.class_names)
    assert found.difference.value == pytest.approx(mean_iou(forced) - mean_iou(original))
    assert found.images["changed"].max() > 0


def test_what_decides_as_before_changes_nothing(net, scenes):
    found = forced_effect(net, scenes, ForcedRoute(net.space))
    assert (found.images[["changed", "answers"]] == 0).all(axis=None)
    assert (found.images["macs_conv_original"] == found.images["macs_conv_forced"]).all()
    assert (found.classes()["change"].dropna() == 0).all()
    assert found.difference == (0, 0, 0, 0)
    assert found.remarks == {}


def test_closing_what_feeds_the_only_way_through_is_told_for_all_images(net, scenes):
    found = forced_effect(net, scenes, ForcedRoute(net.space, {name: 0 for name in net.space.cell_names}))
    (first,) = [remark for remark in found.remarks if remark.startswith("Closed now")]
    assert found.remarks[first] == len(scenes)
    starved = {name: 0 for name in net.space.path_names if name != "L0 s0 keep"} | {"L0 s0 keep": 1, "L1 s0": 0}
    assert forced_effect(net, scenes, ForcedRoute(net.space, starved)).remarks


def test_labels_of_ignored_pixels_alone_are_no_labels(net, scenes):
    class Blank(Scenes):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            return replace(sample, label=np.full_like(sample.label, self.ignore_index))

    found = forced_effect(net, Blank(length=2, size=(64, 64)), ForcedRoute(net.space, {"L1 s0": "closed"}))
    assert (found.original, found.forced, found.difference) == (None, None, None)
    assert found.images["miou_original"].isna().all()


def test_some_images_some_without_labels_some_unreadable(net, scenes):
    class Odd(Scenes):
        def __getitem__(self, index):
            if index == 3:
                raise DatasetError("gone")
            sample = super().__getitem__(index)
            return replace(sample, label=None) if index == 1 else sample

    odd, forced = Odd(length=4, size=(64, 64)), ForcedRoute(net.space, {"L1 s0": "closed"})
    whole, found = forced_effect(net, scenes, forced), forced_effect(net, odd, forced)
    assert found.images["id"].tolist() == scenes.ids[:3]
    np.testing.assert_array_equal(found.original.hits, whole.original.hits[[0, 2]])
    assert np.isnan(found.images["miou_original"]).tolist() == [False, True, False]
    one = forced_effect(net, scenes, forced, images=[scenes.ids[2]])
    assert one.images["changed"].tolist() == [whole.images["changed"][2]]
    assert one.difference is None
    assert forced_effect(net, odd, forced, images=[odd.ids[1]]).classes().empty
    with pytest.raises(InputError, match="the dataset has no image 'nobody'"):
        forced_effect(net, scenes, forced, images=["nobody"])
    with pytest.raises(DatasetError, match="no image could be read"):
        forced_effect(net, odd, forced, images=[odd.ids[3]])
