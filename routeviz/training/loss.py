"""The training loss: cross entropy over labelled pixels, and the budget constraint on the expected cost."""

from torch import Tensor
from torch.nn import functional as F

from routeviz.training.ranks import over_ranks, world_size


def cross_entropy(logits: Tensor, label: Tensor, *, ignore_index: int) -> Tensor:
    """Return the mean cross entropy over the labelled pixels of the whole batch, 0 where nothing is labelled.

    Parameters
    ----------
    logits : (N, K, H, W) float
    label : (N, H, W) integer
    ignore_index : int
        Value of pixels without a label.

    Notes
    -----
    The mean is over the pixels of all processes together. Each returns its share times their number, so that the
    average that DistributedDataParallel takes of the gradients is the gradient of that mean.
    """
    label = label.long()
    total = F.cross_entropy(logits.float(), label, ignore_index=ignore_index, reduction="sum")
    pixels = over_ranks((label != ignore_index).sum())
    return total * world_size() / pixels.clamp(min=1)


def expected_share(gates: Tensor, source: Tensor, operation: Tensor, path: Tensor, whole: float) -> Tensor:
    """Return the expected cost of a batch as a share of the whole space's cost.

    The expected cost of a cell is the largest of its activations times the cost of its operation, plus the sum of its
    activations times the cost of each path (NETWORK.md of the paper's released code: "Budget constraint").

    Parameters
    ----------
    gates : (N, P) float
        Activations.
    source : (P,) int64
        Cell of each path, `RoutingSpace.source`.
    operation, path : (cells,) and (P,) float
        MACs of each cell's operation and of each path.
    whole : float
        The same sum with every activation 1, in MACs.

    Returns
    -------
    () float
        Mean over all N images and processes; gradients reach this process's images only.
    """
    gates = gates.float()
    largest = gates.new_zeros(len(gates), len(operation))
    largest = largest.scatter_reduce(1, source.expand_as(gates), gates, "amax", include_self=False)
    share = ((largest @ operation + gates @ path) / whole).mean()
    return share + (over_ranks(share) / world_size() - share).detach()


def budget_loss(share: Tensor, *, weight: float, target: float) -> Tensor:
    """Return weight · (share - target)²: λ and μ of the paper, on the expected share of the whole space's cost."""
    return weight * (share - target) ** 2
