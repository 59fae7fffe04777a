"""What one module computes for an input: fvcore's count of its operators, sliced by convention."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import nn

with warnings.catch_warnings():
    # Importing fvcore compiles one of its losses with torch.jit.script, which torch has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.jit_handles import get_shape

CONVENTIONS = ("conv", "fvcore", "released")
"""Ways of counting MACs; a number is never shown without the name of its own."""

CONVENTION_NOTES = {
    "conv": (
        "multiply-adds of the convolutions that execute",
        "batch norms, ReLUs, pooling, resizing, the gates' tanh, products with gates and sums",
    ),
    "fvcore": (
        "what fvcore's FlopCountAnalysis counts on what executes: convolutions, batch norms (2 per value), bilinear "
        "resizing (4 per value), pooling (1 per value)",
        "ReLUs, the gates' tanh, products with gates and sums",
    ),
    "released": (
        "what the code released with the paper reports: convolutions, batch norms (2 per value), ReLUs (1 per value), "
        "pooling (1 per value); the whole decoder and every gate always, the first convolution as if it were padded",
        "resizing, operation and gate of layer 0, the ReLUs of the last layer's paths, and the width of the decoder, "
        "which is counted at height × height",
    ),
}
"""For each convention: what it counts, and what it leaves out or gets wrong on purpose."""

RECORDED_NOTE = (
    "multiply-adds of convolutions, matrix products and attention, as torch counts them on what executes",
    "norms, activations, pooling and sums",
)
"""The same of the costs of a recorded network, which has one convention."""

_PRODUCTS = ("conv", "linear", "addmm", "mm", "matmul", "bmm", "einsum")


def count_operators(module: nn.Module, shape: Sequence[int]) -> Counter[str]:
    """Count a module's operators in evaluation mode, on one input.

    Parameters
    ----------
    module : nn.Module
        Left as it is: a copy is traced, on the CPU.
    shape : (C, H, W)
        Shape of its input, without the batch.

    Returns
    -------
    Counter of str to int
        fvcore's counts by operator, and ``relu``, which fvcore leaves out: 1 per value of a feature map.
    """
    module = copy.deepcopy(module).float().cpu().eval()
    analysis = FlopCountAnalysis(module, (torch.zeros(1, *shape),))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.set_op_handle("aten::relu", _relu, "aten::relu_", _relu)
    with torch.no_grad():
        return Counter({name: int(count) for name, count in analysis.by_operator().items()})


def in_convention(operators: Counter[str], convention: str) -> int:
    """Return the MACs of counted operators in one convention; what it leaves out is in `CONVENTION_NOTES`."""
    if convention == "conv":
        return sum(operators[name] for name in _PRODUCTS)
    left_out = "relu" if convention == "fvcore" else "upsample_bilinear2d"
    return operators.total() - operators[left_out]


def _relu(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    shape = get_shape(outputs[0])
    # The gate's max(0, tanh z) acts on one value a path: no feature map.
    return Counter({"relu": prod(shape) if len(shape) == 4 else 0})
