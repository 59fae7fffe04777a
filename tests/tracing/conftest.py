from __future__ import annotations

import numpy as np
import pytest
import torch

from routeviz.datasets import Sample
from routeviz.network import NetworkConfig, RoutingNetwork

SIZES = ((32, 64), (40, 50), (32, 64), (64, 32), (33, 65))


class Pictures:
    """Random labelled pictures of several sizes; what `samples` holds in place of one is returned, or raised."""

    name = "pictures"
    class_names = ("road", "sky", "car")
    ignore_index = 255

    def __init__(self, n: int, sizes=SIZES, samples=None) -> None:
        self.n, self.sizes, self.samples = n, sizes, samples or {}

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Sample:
        if isinstance(self.samples.get(index), Exception):
            raise self.samples[index]
        if index in self.samples:
            return self.samples[index]
        rng = np.random.default_rng(index)
        size = self.sizes[index % len(self.sizes)]
        image = (rng.integers(0, 200, 3) + rng.integers(0, 56, (*size, 3))).astype(np.uint8)
        blocks = rng.choice([0, 1, 2, 255], (-(-size[0] // 8), -(-size[1] // 8)))
        label = np.kron(blocks, np.ones((8, 8), int))[: size[0], : size[1]]
        return Sample(image=image, label=label, id=f"picture {index}", file=f"{index}.png")


@pytest.fixture
def pictures() -> type[Pictures]:
    return Pictures


@pytest.fixture(scope="session")
def net() -> RoutingNetwork:
    """A small network whose gates shut some paths and close some cells, not the same for every picture."""
    torch.manual_seed(1)
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=3, stem_width=4)).eval()
    with torch.no_grad():
        for cell in net.cells:
            cell.gate.score.weight.normal_(std=0.01)
            cell.gate.score.bias.normal_(mean=0.2, std=0.3)
    return net
