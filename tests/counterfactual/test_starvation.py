"""With starved cells and without, each against forward passes of one's own."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from routeviz.costs import macs
from routeviz.counterfactual import without_starved
from routeviz.datasets import Scenes, open_dataset
from routeviz.errors import DatasetError, InputError
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.space import cell_states


@pytest.fixture
def network(make_net):
    return partial(make_net, spread=0.5, seed=3, norm=0.3, layers=4, num_classes=7)


@pytest.fixture(scope="module")
def scenes():
    return open_dataset("scenes", length=3, size=(64, 64))


def test_it_tells_what_two_forward_passes_tell(network, scenes):
    net = network(0.1)
    found = without_starved(net, scenes)
    assert found.images.id.tolist() == scenes.ids
    assert found.images.starved.max() > 0
    assert (found.images.macs_conv_without < found.images.macs_conv)[found.images.starved > 0].all()
    for sample, row in zip(scenes, found.images.itertuples(), strict=True):
        x = net.preprocess(sample.image)[None]
        with torch.inference_mode():
            one, other = net(x), net(x, run_starved=False)
        p, q = one.logits.double().softmax(1), other.logits.double().softmax(1)
        assert row.kl == pytest.approx(float(torch.xlogy(p, p / q).sum(1).mean()), abs=1e-6)
        assert row.changed == float((one.logits.argmax(1) != other.logits.argmax(1)).double().mean())
        states = cell_states(net.space, one.gates.numpy())
        assert (row.starved, row.image_blind) == (states.starved.sum(), states.image_blind.sum())
        assert row.macs_fvcore == macs(net, one.gates.numpy(), (64, 64), convention="fvcore")
    assert found.images.kl.max() > 0
    apart = found.difference
    assert apart.value == pytest.approx(found.without.miou - found.original.miou)
    assert apart.low <= apart.value <= apart.high


def test_where_nothing_is_starved_nothing_changes(network, scenes):
    found = without_starved(network(3), scenes)
    assert (found.images[["starved", "image_blind", "kl", "changed", "gates"]] == 0).all(axis=None)
    assert found.images.macs_conv.equals(found.images.macs_conv_without.rename("macs_conv"))
    assert found.difference == (0, 0, 0, 0)


def test_images_without_a_label_are_no_part_of_the_miou(network, scenes):
    class Unlabelled(Scenes):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            return replace(sample, label=None) if index == 1 else sample

    net = network(0.1)
    whole, found = without_starved(net, scenes), without_starved(net, Unlabelled(length=3, size=(64, 64)))
    assert len(found.images) == 3
    np.testing.assert_array_equal(found.original.hits, whole.original.hits[[0, 2]])
    assert np.isfinite(found.difference).all()


def test_other_classes_are_not_scored_and_bad_input_is_refused(network, scenes):
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=3, stem_width=4)).eval()
    found = without_starved(net, scenes)
    assert found.original is None
    assert found.difference is None
    turned = network(0.1, class_names=tuple(scenes.class_names)[::-1])
    assert without_starved(turned, scenes).original is None
    with pytest.raises(InputError, match="at inference only"):
        without_starved(net.train(), scenes)

    class Unreadable(type(scenes)):
        def __getitem__(self, index):
            raise DatasetError("gone")

    with pytest.raises(DatasetError, match="no image could be read"):
        without_starved(net.eval(), Unreadable(length=2, size=(64, 64)))
    assert np.isfinite(found.images.seconds).all()
