"""Whether weights fit a network, and filling the network with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from routeviz.errors import CheckpointError, InputError, one_line
from routeviz.network.config import NetworkConfig
from routeviz.network.network import RoutingNetwork

LAYERS = range(3, 501)
"""Depths that are read from a file: four scales need 3 layers, and no number in a file may fill the memory."""

COUNTER = "num_batches_tracked"
"""Batch norm's counter, which files of old torch versions lack and inference does not read."""


class _Uninitialised(TorchFunctionMode):
    """Skip ``normal_``: for tensors without memory it does nothing, but imports half of torch to do so."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == "normal_":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def check_layers(path: Path, layers: Any) -> None:
    """Raise CheckpointError unless a network of as many layers can be built."""
    if not isinstance(layers, int) or layers not in LAYERS:
        raise CheckpointError(f"{path} has {layers!a:.40} layers; a routing network has {LAYERS[0]} to {LAYERS[-1]}")


def skeleton(path: Path, config: NetworkConfig) -> RoutingNetwork:
    """Build a network whose weights take no memory, to hold a file against.

    Raises
    ------
    CheckpointError
        If no network has these settings; names the file at ``path``.
    """
    try:
        with torch.device("meta"), _Uninitialised():
            return RoutingNetwork(config)
    except (InputError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise CheckpointError(f"{path} fits no routing network: {one_line(error)}") from error


def check_weights(
    path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor], config: NetworkConfig
) -> None:
    """Raise CheckpointError unless the weights are those of the network: their names, shapes and kinds, all finite.

    Parameters
    ----------
    path : Path
        Named in the error.
    found, expected : mapping of name to Tensor
        In the file's own names; of ``expected`` only shapes and kinds are read.
    config : NetworkConfig
        Named in the error.
    """
    both = [name for name in expected if name in found]
    missing = [name for name in expected if name not in found and not name.endswith(COUNTER)]
    extra = [name for name in found if name not in expected]
    unlike = [
        f"{name!a} is {_kind(found[name])} instead of {_kind(expected[name])}"
        for name in both
        if _kind(found[name]) != _kind(expected[name])
    ]
    faults = [f"it lacks {few(map(ascii, missing))}"] if missing else []
    faults += [f"it also has {few(map(ascii, extra))}"] if extra else []
    faults += [few(unlike)] if unlike else []
    if faults:
        raise CheckpointError(
            f"{path} does not fit a routing network of {config.layers} layers, width {config.width}, stem width "
            f"{config.stem_width} and {config.num_classes} classes: {'; '.join(faults)}"
        )
    check_finite(path, found)


def check_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError naming the tensors that hold NaN or infinity."""
    broken = [name for name, tensor in weights.items() if not tensor.float().isfinite().all()]
    if broken:
        raise CheckpointError(f"{path} holds NaN or infinite weights in {few(map(ascii, broken))}; it cannot be used")


def fill(net: RoutingNetwork, weights: Mapping[str, Tensor]) -> RoutingNetwork:
    """Give a skeleton its memory and these weights, in the network's names; returns it in eval mode."""
    net.to_empty(device="cpu")
    if net.fixed_gates is not None:
        net.fixed_gates.copy_(torch.tensor(net.config.fixed_gates))
    if net.open_threshold is not None:
        net.open_threshold.copy_(torch.tensor(net.config.open_threshold))
    state = net.state_dict()
    net.load_state_dict({name: weights[name] if name in weights else tensor.zero_() for name, tensor in state.items()})
    return net.eval()


def _kind(tensor: Tensor) -> str:
    return f"{'float' if tensor.is_floating_point() else 'not float'} {list(tensor.shape)}"


def few(names: Iterable[str], limit: int = 3) -> str:
    """Name the first few and count the rest, for an error of one line."""
    names = list(names)
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(name[:160] for name in names[:limit]) + rest
