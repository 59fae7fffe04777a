import pytest
import torch

from routeviz.network import NetworkConfig, RoutingNetwork


@pytest.fixture(scope="session")
def make_net():
    """Build a small network whose gates disagree: many paths are shut, and which ones depends on the image."""

    def build(*, seed: int = 8, layers: int = 4, width: int = 4, **settings) -> RoutingNetwork:
        torch.manual_seed(seed)
        net = RoutingNetwork(NetworkConfig(layers=layers, width=width, num_classes=3, stem_width=6, **settings)).eval()
        for cell in net.cells:
            torch.nn.init.normal_(cell.gate.score.weight, std=1)
            torch.nn.init.normal_(cell.gate.score.bias, mean=-0.5)
        return net

    return build
