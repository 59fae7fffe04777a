import pytest
import torch

from routeviz.network import NetworkConfig, RoutingNetwork


@pytest.fixture(scope="session")
def make_net():
    """Build a small network whose gates differ; the higher their bias, the more paths are open."""

    def build(bias, spread, *, seed=0, weight=0.02, norm=0.0, **settings):
        torch.manual_seed(seed)
        net = RoutingNetwork(NetworkConfig(width=4, stem_width=4, **settings))
        for cell in net.cells:
            if cell.gate is not None:
                torch.nn.init.normal_(cell.gate.score.weight, std=weight)
                torch.nn.init.normal_(cell.gate.score.bias, bias, spread)
            for module in cell.modules():
                if norm and isinstance(module, torch.nn.BatchNorm2d):
                    torch.nn.init.normal_(module.bias, std=norm)
        return net.eval()

    return build
