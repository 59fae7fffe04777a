"""Expected cost, which the budget constraint of training steers: activations as weights, in the released convention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import nn

from routeviz.costs.routes import size_tables
from routeviz.costs.table import cost_table
from routeviz.space.states import activations, checked, in_blocks


class BudgetWeights(NamedTuple):
    """Weights of the expected cost: sum over cells of max(alpha)·operation, plus sum over paths of alpha·path.

    Attributes
    ----------
    operation : ndarray, (cell,) float64
        MACs of each cell's operation; 0 for layer 0.
    path : ndarray, (path,) float64
        MACs of each path; 0 for the last layer's.
    whole : float
        The cost of the whole space: the expected cost with every activation 1.
    """

    operation: np.ndarray
    path: np.ndarray
    whole: float


def budget_weights(net: nn.Module, image_size: Sequence[int]) -> BudgetWeights:
    """Give the weights of the expected cost for images of one size.

    Without stem, gates and decoder, as released ("Learning Dynamic Routing for Semantic Segmentation", CVPR 2020,
    section 3.4); what images really cost follows from which paths are open, and is not what the budget steers.

    Parameters
    ----------
    net : RoutingNetwork
    image_size : (H, W)

    Returns
    -------
    BudgetWeights
    """
    table = cost_table(net, image_size, "released")
    operation, path = table.operation.astype(np.float64), table.path.astype(np.float64)
    return BudgetWeights(operation, path, float(operation.sum() + path.sum()))


def expected_macs(net: nn.Module, gates: np.ndarray, image_size: Sequence[int] | np.ndarray) -> np.ndarray:
    """Compute the expected cost of routes, in MACs of the released convention.

    Parameters
    ----------
    net : RoutingNetwork
    gates : ndarray, (image, path) float
        NaN counts as 0.
    image_size : (H, W) or ndarray (image, 2)
        As the images are.

    Returns
    -------
    ndarray, (image,) float64

    Raises
    ------
    InputError
        If a shape does not fit the network's space or the number of images.
    """
    space, gates = net.space, checked(net.space, gates)
    tables, which = size_tables(net, image_size, len(gates), "released")
    operation = np.stack([table.operation for table in tables]).astype(np.float64)  # (size, cell)
    path = np.stack([table.path for table in tables]).astype(np.float64)  # (size, path)
    result = np.empty(len(gates))

    def weigh(rows: slice, some: np.ndarray) -> None:
        alphas = activations(some)  # (path, image)
        largest = [alphas[space.paths_from(cell)].max(axis=0) for cell in range(space.n_cells)]
        if len(tables) == 1:
            result[rows] = operation[0] @ largest + path[0] @ alphas
        else:
            result[rows] = np.einsum("ic,ci->i", operation[which[rows]], largest)
            result[rows] += np.einsum("ip,pi->i", path[which[rows]], alphas)

    in_blocks(gates, weigh)
    return result
