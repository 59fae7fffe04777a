"""routeviz's own checkpoints: a safetensors file whose header says all that the weights do not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from routeviz.errors import CheckpointError, InputError, one_line
from routeviz.network.checkpoints.fit import few
from routeviz.network.network import RoutingNetwork
from routeviz.writing import whole_file

FORMAT = "routeviz"
SCHEMA = 1
# One entry holds everything: safetensors writes several in an order that changes from run to run.
_ENTRY = "routeviz"
RECORDED = "recorded network"
"""Entry of the header under which the weights of another kind of network say which it is."""
_HEADER = {"format": str, "schema": int, "step": int, "config": dict, "extra": dict, "digest": str}


def save_checkpoint(
    net: RoutingNetwork,
    path: str | Path,
    *,
    step: int = 0,
    extra: Mapping[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a network as a checkpoint; equal networks give equal files, and a file is there as a whole or not at all.

    Parameters
    ----------
    net : RoutingNetwork
        Not wrapped in DistributedDataParallel.
    path : str or Path
        By habit ``*.safetensors``.
    step : int
        Training step.
    extra : mapping, optional
        Whatever else should travel with the weights, fit for JSON.
    half : bool
        Round the convolutions' weights to float16, for a file of half the size. Norms and biases stay float32: a norm's
        running variance can lie beyond float16. Loaded, all are float32 again, and gates may differ in the third digit.

    Raises
    ------
    InputError
        If ``extra`` is not fit for JSON.
    CheckpointError
        If the file cannot be written.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    if half:
        weights = {name: tensor.half() if tensor.ndim == 4 else tensor for name, tensor in weights.items()}
    header = {
        "format": FORMAT,
        "schema": SCHEMA,
        "step": int(step),
        "config": net.config.to_dict(),
        "extra": extra or {},
    }
    try:
        # Read back, so that the digest is of what a reader will see: a tuple, say, becomes a list.
        header = json.loads(json.dumps(header))
    except (TypeError, ValueError) as error:
        raise InputError(f"extra is not fit for JSON: {error}; give plain numbers, text, lists and dicts") from None
    header["digest"] = _digest(header, weights)
    data = safetensors.torch.save(weights, {_ENTRY: json.dumps(header, sort_keys=True)})
    with whole_file(path, CheckpointError) as draft:
        draft.write_bytes(data)


def read_checkpoint_header(path: str | Path) -> dict[str, Any]:
    """Read what a checkpoint of routeviz says of itself, without its weights.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        ``format`` ("routeviz"), ``schema``, ``step``, ``config`` (see :meth:`NetworkConfig.to_dict`), ``extra`` and
        ``digest`` (SHA-256 of the rest of the header and of the weights).

    Raises
    ------
    CheckpointError
        If the file is no such checkpoint, is damaged, or was written by a newer version.
    """
    path = Path(path)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as a safetensors file: {one_line(error)}") from error
    if RECORDED in metadata:
        raise CheckpointError(
            f"{path} holds the weights of {metadata[RECORDED]!a:.60}, a recorded network, which only its own program "
            "runs: look at its route log instead (routeviz stats LOG, routeviz dashboard LOG)"
        )
    if _ENTRY not in metadata:
        raise CheckpointError(
            f"{path} is a safetensors file of something else: its header has no {_ENTRY!r}, its tensors are "
            f"{few(map(ascii, names)) or 'none'}; give a file that routeviz wrote, or if it is a network of your own, "
            "record it where it runs (routeviz.record)"
        )
    try:
        header = json.loads(metadata[_ENTRY])
        schema = header["schema"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError(f"{path} has a damaged header: {one_line(error)}") from error
    if schema != SCHEMA:
        raise CheckpointError(f"{path} has schema {schema!a:.40}, this routeviz reads {SCHEMA}; was it a newer one's?")
    damaged = [key for key, kind in _HEADER.items() if not isinstance(header.get(key), kind)]
    if damaged or header["format"] != FORMAT:
        raise CheckpointError(f"{path} has a damaged header: {few(damaged) or 'format'} is not what routeviz writes")
    return header


def read_own(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read header and weights of one of routeviz's own checkpoints; raises CheckpointError if a bit has changed."""
    header = read_checkpoint_header(path)
    try:
        weights = safetensors.torch.load(path.read_bytes())
        intact = _digest(header, weights) == header["digest"]
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} cannot be read as a safetensors file: {one_line(error)}") from error
    if not intact:
        raise CheckpointError(f"{path} is damaged: header and weights are not those it was written with; copy it again")
    return header, weights


def _digest(header: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over the header, but for the digest in it, and over names, kinds, shapes and bytes of the weights."""
    rest = {key: value for key, value in header.items() if key != "digest"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    for name, tensor in sorted(weights.items()):
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
