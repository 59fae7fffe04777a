"""Files of ``torch.save``, read without running anything in them and in no more memory than they have bytes."""

from __future__ import annotations

import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from routeviz.errors import CheckpointError, one_line
from routeviz.network.checkpoints.fit import few

ZIP_START = b"PK\x03\x04"
PICKLE_START = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)
_PICKLES_IN_OLD_FILE = 5  # magic number, protocol version, sizes of the machine, the content, keys of its storages

# Less than weights_only allows: that also calls bytearray or Tensor with any size, and so takes any amount of memory.
_ALLOWED = re.compile(
    r"collections (OrderedDict|Counter)"
    r"|torch(\.cuda)? \w+Storage"
    r"|torch (Size|device)"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
)


def read_torch_file(path: Path) -> Any:
    """Read what ``torch.save`` wrote, in its zip or its older format, with every tensor on the CPU.

    Raises
    ------
    CheckpointError
        If the file is truncated or damaged, or holds more than tensors, numbers, text and containers of them.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            is_zip = file.read(len(ZIP_START)) == ZIP_START
            file.seek(0)
            names = set(_names_in_zip(file, size) if is_zip else _names_in_old_file(file))
            foreign = sorted(name.replace(" ", ".", 1) for name in names if not _ALLOWED.fullmatch(name))
            if foreign:
                raise CheckpointError(
                    f"{path} holds more than weights: {few(map(ascii, foreign))}, and nothing of it was run; expected "
                    "tensors, numbers, text, lists and dicts; save the model's state_dict alone if you trust the file"
                )
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # damaged bytes surface as nearly any kind of error
        raise CheckpointError(f"{path} is truncated, damaged or of something else: {one_line(error)}") from error


def _names_in_zip(file: BinaryIO, size: int) -> Iterator[str]:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError("its parts are larger than the file, so it is compressed, which torch.save never does")
        damaged = archive.testzip()  # torch itself does not look at the checksums
        if damaged:
            raise ValueError(f"the checksum of {damaged!a} is wrong")
        for entry in entries:
            if entry.filename.lower().endswith(".pkl"):
                with archive.open(entry) as pickled:
                    yield from _names(pickled)


def _names_in_old_file(file: BinaryIO) -> Iterator[str]:
    for _ in range(_PICKLES_IN_OLD_FILE):
        yield from _names(file)


def _names(pickled: Any) -> Iterator[str]:
    """Classes and functions that a pickle names, as ``"module name"``: read off its opcodes, none of which runs."""
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in ("GLOBAL", "INST"):
            yield argument
        elif opcode.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
            yield f"opcode {opcode.name}"  # a name that only running the pickle would tell


def state_dict_in(path: Path, content: Any) -> dict[str, Tensor]:
    """Find the weights in a file's content: a state dict, bare or under ``model``; drops the prefix ``module.``.

    Raises
    ------
    CheckpointError
        If there is none, a value is no tensor, or the tensors claim more values than the file can hold.
    """
    expected = 'expected {"model": state_dict} or a state_dict, which maps names to tensors'
    if isinstance(content, Mapping):
        for key in ("model", "state_dict"):
            if isinstance(content.get(key), Mapping):
                content = content[key]
                break
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{path} holds {type(content).__name__} of no weights; {expected}")
    others = [f"{name!a} ({type(value).__name__})" for name, value in content.items() if not isinstance(value, Tensor)]
    if others or not all(isinstance(name, str) for name in content):
        raise CheckpointError(f"{path} holds {few(others) or 'names that are no text'}; {expected}")
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in content.values())
    if claimed > path.stat().st_size:
        raise CheckpointError(f"{path} claims {claimed} bytes of weights, more than the file has; get it anew")
    prefix = "module." if all(name.startswith("module.") for name in content) else ""
    return {name.removeprefix(prefix): tensor.detach() for name, tensor in content.items()}
