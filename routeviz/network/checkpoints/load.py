"""Loading checkpoints of either format, told apart by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from routeviz.errors import CheckpointError, InputError, one_line
from routeviz.network.checkpoints.fit import (
    LAYERS,
    check_finite,
    check_layers,
    check_weights,
    few,
    fill,
    skeleton,
)
from routeviz.network.checkpoints.own import FORMAT, SCHEMA, read_own
from routeviz.network.checkpoints.released import (
    from_released,
    infer_config,
    layers_in,
    needed,
    released_names,
    with_backbone,
)
from routeviz.network.checkpoints.torchfile import PICKLE_START, ZIP_START, read_torch_file, state_dict_in
from routeviz.network.config import NetworkConfig, Normalization
from routeviz.network.network import RoutingNetwork


class Transfer(NamedTuple):
    """What :func:`load_pretrained` took over, as names of tensors.

    Attributes
    ----------
    taken : tuple of str
        In the file and in the network, of one shape: now the network has the file's values.
    misshapen : tuple of str
        In both, of different shapes.
    missing : tuple of str
        In the network alone. These and the misshapen keep the network's values.
    unused : tuple of str
        In the file alone; in the file's own names where the network has no such tensor.
    """

    taken: tuple[str, ...]
    misshapen: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def load_checkpoint(
    path: str | Path,
    *,
    small_gate: bool | None = None,
    normalization: Normalization | None = None,
    class_names: Sequence[str] | None = None,
    class_colors: Sequence[tuple[int, int, int]] | None = None,
    map_location: torch.device | str = "cpu",
) -> RoutingNetwork:
    """Load a network from one of routeviz's own checkpoints, or from one in the released layout.

    Its content tells which of them it is; nothing in it is run. What the weights do not say of the network is a
    keyword, and a keyword goes before what the file says.

    Parameters
    ----------
    path : str or Path
    small_gate : bool, optional
        Whether gates see their input resized by 1/4. Needed for a file of the released layout whose network has gates:
        the weights of both kinds look alike.
    normalization : Normalization, optional
        How the network wants its images. Default: as the file says; in the released layout as the released training.
    class_names : sequence of str, optional
        One name a class. Default: as the file says; in the released layout Cityscapes' for 19 classes, else none.
    class_colors : sequence of (int, int, int), optional
        One RGB colour a class; default as for ``class_names``.
    map_location : torch.device or str
        Where the network goes.

    Returns
    -------
    RoutingNetwork
        In eval mode, with ``net.provenance``: ``file`` (its name), ``sha256``, ``format`` ("routeviz" or "released"),
        ``step`` (int; None where the file does not say), ``schema`` (int; 0 for the released layout, which has none).

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, damaged, of another program, or holds more than weights; if its weights are
        not finite or fit no network; if ``small_gate`` is needed, or is not what the file says.
    InputError
        If another keyword does not fit the network in the file.
    """
    path = Path(path)
    file_format = _format(path)
    if file_format == FORMAT:
        header, weights = read_own(path)
        config, step, schema = _config(path, header["config"]), header["step"], SCHEMA
        if small_gate not in (None, config.small_gate):
            raise CheckpointError(f"{path} was trained with small_gate={config.small_gate}; leave the keyword out")
    else:
        content = read_torch_file(path)
        weights = state_dict_in(path, content)
        config, step, schema = infer_config(path, weights, small_gate=small_gate), content.get("iteration"), 0
        if class_names is not None and class_colors is None:
            class_colors = ()  # Cityscapes' colours belong to its names
    given = {"normalization": normalization, "class_names": class_names, "class_colors": class_colors}
    config = replace(config, **{name: _plain(value) for name, value in given.items() if value is not None})

    net = skeleton(path, config)
    expected = net.state_dict()
    if file_format == FORMAT:
        check_weights(path, weights, expected, config)
    else:
        weights = needed(path, weights, net)
        check_weights(path, weights, {theirs: expected[name] for name, theirs in released_names(net).items()}, config)
        weights = from_released(weights, net)
    net = fill(net, weights).to(map_location)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    net.provenance = {
        "file": path.name,
        "sha256": sha256,
        "format": file_format,
        "step": step if isinstance(step, int) else None,
        "schema": schema,
    }
    return net


def load_pretrained(net: RoutingNetwork, path: str | Path) -> Transfer:
    """Start a network from weights trained elsewhere: take over every tensor that has its name and shape.

    Parameters
    ----------
    net : RoutingNetwork
        Changed in place; may have other layers or classes than the file's network.
    path : str or Path
        One of routeviz's own checkpoints or a file in the released layout, also of a backbone alone.

    Returns
    -------
    Transfer
        Names of what was taken and of what was not.

    Raises
    ------
    CheckpointError
        If the file cannot be read, a tensor to take is not finite, or there is none to take.
    """
    path = Path(path)
    if _format(path) == FORMAT:
        _, weights = read_own(path)
    else:
        state = with_backbone(state_dict_in(path, read_torch_file(path)))
        # Only the file's own depth tells which moves the gates of its last layer have.
        layers = max(LAYERS[0], layers_in(state))
        check_layers(path, layers)
        like = NetworkConfig(layers=layers, width=2, num_classes=1, stem_width=1)
        weights = from_released(state, skeleton(path, like))
    state = net.state_dict()
    taken = {name: weights[name] for name in state if name in weights and weights[name].shape == state[name].shape}
    if not taken:
        raise CheckpointError(
            f"nothing in {path} fits this network: it holds {few(map(ascii, weights))}; give a checkpoint of routeviz "
            "or of the released layout with the same width"
        )
    check_finite(path, taken)
    net.load_state_dict(taken, strict=False)
    return Transfer(
        taken=tuple(taken),
        misshapen=tuple(name for name in state if name in weights and name not in taken),
        missing=tuple(name for name in state if name not in weights),
        unused=tuple(name for name in weights if name not in state),
    )


def _format(path: Path) -> str:
    """``"routeviz"`` or ``"released"``, by the first bytes; raises CheckpointError for anything else."""
    try:
        if path.is_dir():
            raise CheckpointError(f"{path} is a folder; give a checkpoint file inside it")
        if not path.exists():
            raise CheckpointError(f"there is no file {path}; give a checkpoint of routeviz or of the released layout")
        if not path.is_file():
            raise CheckpointError(f"{path} is no regular file; give a checkpoint of routeviz or of the released layout")
        with path.open("rb") as file:
            start = file.read(16)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {one_line(error)}") from error
    if start.startswith((ZIP_START, PICKLE_START)):
        return "released"
    if start[8:9] == b"{":  # safetensors: the length of its header, then the header as JSON
        return FORMAT
    found = f"starts with {start[:8]!r}" if start else "is empty (0 bytes)"
    raise CheckpointError(f"{path} {found}; expected a checkpoint of routeviz, or one that torch.save wrote")


def _config(path: Path, settings: dict[str, Any]) -> NetworkConfig:
    check_layers(path, settings.get("layers"))
    try:
        return NetworkConfig.from_dict(settings)
    except InputError as error:
        raise CheckpointError(f"{path} has settings that fit no network: {error}") from error


def _plain(value: Any) -> Any:
    """Sequences as tuples, which a frozen configuration needs; the rest as it is."""
    return value if isinstance(value, Normalization) else tuple(value)
