"""The processes of one training: one, or those that `torchrun` started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

# The name of the option that leaves each rank its own running statistics; the second is that of torch before 2.13.
OWN_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")
    if name in signature(DistributedDataParallel).parameters
)


@dataclass(frozen=True)
class Ranks:
    """This process's place among all: its rank, their number, and the device it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined_ranks(device: str | torch.device | None = None) -> Iterator[Ranks]:
    """Join the processes that `torchrun` started (gloo on CPU, nccl on GPU) if they are not joined yet, or be alone.

    Parameters
    ----------
    device : str or torch.device, optional
        None takes a GPU where there is one, and then one GPU a process.
    """
    kind = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1 and kind.type == "cuda":
        kind = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(kind)
    starts = size > 1 and not distributed.is_initialized()
    if starts:
        distributed.init_process_group("nccl" if kind.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank() if distributed.is_initialized() else 0, world_size(), kind)
    finally:
        if starts:
            distributed.destroy_process_group()


def world_size() -> int:
    """Return the number of training processes: 1 outside `torchrun`."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def over_ranks(value: Tensor) -> Tensor:
    """Return the sum of a value over all training processes; gradients do not pass."""
    total = value.detach().clone()
    if distributed.is_initialized():
        distributed.all_reduce(total)
    return total


def gathered(value: object) -> list:
    """Return the values that all training processes gave, by rank."""
    if not distributed.is_initialized():
        return [value]
    values = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


def replicated(net: nn.Module, ranks: Ranks) -> nn.Module:
    """Return the network as the ranks train it together: gradients are averaged after every backward pass.

    Notes
    -----
    On GPU the batch norms of `net` must already be synchronised (`torch.nn.SyncBatchNorm`), which torch offers on GPU
    only. On CPU every rank normalises its own share of the batch and keeps its own running statistics, which
    `average_statistics` brings together: the batch norm then sees batch_size / ranks images, so give each rank enough.
    """
    if ranks.size == 1:
        return net
    devices = [ranks.device] if ranks.device.type == "cuda" else None
    return DistributedDataParallel(net, device_ids=devices, **{OWN_BUFFERS: False})


def average_statistics(net: nn.Module) -> None:
    """Set the running statistics of every batch norm to their mean over the ranks.

    They are moving averages, so their mean is the moving average of the ranks' mean, however seldom it is taken.
    """
    if world_size() == 1:
        return
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    buffers = [buffer for norm in norms for buffer in (norm.running_mean, norm.running_var)]
    mean = over_ranks(torch.cat(buffers)) / world_size()
    for buffer, values in zip(buffers, mean.split([len(buffer) for buffer in buffers]), strict=True):
        buffer.copy_(values)
