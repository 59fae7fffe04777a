import numpy as np
import pytest
import torch

from routeviz.network import NetworkConfig, Normalization, RoutingNetwork
from routeviz.training.learner import normalised, parameter_groups


@pytest.mark.parametrize("normalization", [Normalization(), Normalization((1, 2, 3), (4, 5, 6), "RGB")])
def test_batch_is_normalised_as_the_network_normalises_one_image(normalization):
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=2, stem_width=4, normalization=normalization))
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), dtype=np.uint8)
    batch = normalised(torch.from_numpy(images), normalization)
    assert torch.equal(batch, torch.stack([net.preprocess(image) for image in images]))


def test_only_batch_norms_are_spared_the_weight_decay():
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=2, stem_width=4))
    decayed, spared = parameter_groups(net, 1e-4)
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    assert (decayed["weight_decay"], spared["weight_decay"]) == (1e-4, 0)
    assert len(decayed["params"]) + len(spared["params"]) == len(names)
    assert all(".norm." in names[id(parameter)] for parameter in spared["params"])
    assert not any(".norm." in names[id(parameter)] for parameter in decayed["params"])
