"""One process's network, optimizer and schedule: what a training step changes, and what a state file holds."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from routeviz.costs import budget_weights
from routeviz.network import Normalization, RoutingNetwork
from routeviz.training.config import PAPER_BATCH, TrainConfig
from routeviz.training.loss import budget_loss, cross_entropy, expected_share
from routeviz.training.ranks import Ranks, over_ranks, replicated, world_size

AUTOCAST = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Losses(NamedTuple):
    """The losses of one step, () float32 each; `expected_share` is None in a network without gates."""

    loss: Tensor
    cross_entropy: Tensor
    budget_loss: Tensor
    expected_share: Tensor | None

    def over_ranks(self) -> dict[str, float | None]:
        """Return their means over all processes, by name."""
        means = {name: value if value is None else over_ranks(value) for name, value in self._asdict().items()}
        return {name: None if mean is None else mean.item() / world_size() for name, mean in means.items()}


def normalised(images: Tensor, normalization: Normalization) -> Tensor:
    """Normalise (N, H, W, 3) uint8 RGB images as `RoutingNetwork.preprocess` does, to (N, 3, H, W) float32.

    The result lies in memory channels last.
    """
    if normalization.channels == "BGR":
        images = images.flip(-1)
    mean, std = (
        images.new_tensor(normalization.mean, dtype=torch.float32),
        images.new_tensor(normalization.std, dtype=torch.float32),
    )
    return ((images.float() - mean) / std).permute(0, 3, 1, 2)


def parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return the parameters in two groups: all others with weight decay, those of batch norms without."""
    norms = [
        parameter for module in net.modules() if isinstance(module, _BatchNorm) for parameter in module.parameters()
    ]
    known = {id(parameter) for parameter in norms}
    others = [parameter for parameter in net.parameters() if id(parameter) not in known]
    return [{"params": others, "weight_decay": weight_decay}, {"params": norms, "weight_decay": 0.0}]


class Learner:
    """Trains one network, a step at a time.

    Parameters
    ----------
    net : RoutingNetwork
        Is moved to the ranks' device, in channels-last layout.
    config : TrainConfig
    ranks : Ranks
    ignore_index : int
        Label of pixels without one.
    """

    def __init__(self, net: RoutingNetwork, config: TrainConfig, ranks: Ranks, *, ignore_index: int) -> None:
        self.config, self.ranks, self.ignore_index = config, ranks, ignore_index
        device = ranks.device
        if net.config.fixed_gates is None:
            weights = budget_weights(net, config.crop)
            self.source = torch.as_tensor(np.array(net.space.source), device=device)
            self.operation, self.path = (
                torch.as_tensor(np.asarray(cost), dtype=torch.float32, device=device)
                for cost in (weights.operation, weights.path)
            )
            self.whole = float(weights.whole)
        if ranks.size > 1 and device.type == "cuda":
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        self.net = net.to(device, memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.SGD(
            parameter_groups(self.net, config.weight_decay),
            lr=config.base_rate * config.batch_size / PAPER_BATCH,
            momentum=config.momentum,
            fused=True,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, config.rate_factor)
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        self.model = replicated(self.net, ranks)
        if config.compile:
            self.model = torch.compile(self.model)

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return self.schedule.get_last_lr()[0]

    def step(self, step: int, images: Tensor, labels: Tensor) -> Losses:
        """Take the step after `step` steps, on images (N, H, W, 3) uint8 RGB and labels (N, H, W) uint8."""
        config, device = self.config, self.ranks.device
        images = normalised(images.to(device, non_blocking=True), self.net.config.normalization)
        labels = labels.to(device, non_blocking=True)
        with torch.autocast(device.type, AUTOCAST[config.precision], enabled=config.precision != "fp32"):
            output = self.model(images)
        entropy = loss = cross_entropy(output.logits, labels, ignore_index=self.ignore_index)
        share, penalty = None, torch.zeros_like(entropy)
        if self.net.config.fixed_gates is None:
            share = expected_share(output.gates, self.source, self.operation, self.path, self.whole)
        # Left out, not multiplied by zero, before it starts: runs with and without a budget are the same till then.
        if factor := config.budget_factor(step):
            penalty = factor * budget_loss(share, weight=config.budget.weight, target=config.budget.target)
            loss = entropy + penalty
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.net.parameters(), config.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return Losses(loss, entropy, penalty, share)

    def state(self) -> dict[str, Any]:
        """Return all that the next steps depend on: no generator, as nothing draws from one between steps."""
        return {
            "network": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.net.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
