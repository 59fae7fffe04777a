from collections.abc import Callable

import pytest
import torch
from torch import nn


class Gated(nn.Module):
    """Three linear blocks with gates of one logit each; as any user's model, it knows nothing of routeviz."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.gates = nn.ModuleList(nn.Linear(4, 1) for _ in range(3))

    def forward(self, x):
        return self.by_hand(x, {})

    def by_hand(self, x, forced):
        """The same with some blocks left out, or run whatever their gates say."""
        for at, (block, gate) in enumerate(zip(self.blocks, self.gates, strict=True)):
            runs = gate(x) > 0 if at not in forced else torch.full((len(x), 1), bool(forced[at]))
            x = x + runs * block(x)
        return x


@pytest.fixture
def model() -> Gated:
    torch.manual_seed(2)
    return Gated().eval()


@pytest.fixture(scope="session")
def hooks() -> Callable[[nn.Module], list]:
    """What is attached to a model."""
    return lambda model: [hook for part in model.modules() for hook in (*part._forward_hooks, *part._forward_pre_hooks)]
