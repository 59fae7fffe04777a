"""The released layout: its names, its order of a gate's channels, and what its weights say of the network."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from routeviz.errors import CheckpointError, InputError
from routeviz.network.checkpoints.fit import check_layers, few, skeleton
from routeviz.network.config import NetworkConfig
from routeviz.network.network import RoutingNetwork
from routeviz.space import RoutingSpace
from routeviz.writing import whole_file

MOVE_ORDER = ("keep", "up", "down")
"""Order of a gate's channels in the file; a cell without one of the moves leaves it out."""

FIXED_GATE = "gate_weights_beta"

PARTS = {
    "stem.0": "backbone.stem.stem_1",
    "stem.1.depthwise": "backbone.stem.stem_2.0",
    "stem.1.pointwise": "backbone.stem.stem_2.1",
    "stem.2.depthwise": "backbone.stem.stem_3.0",
    "stem.2.pointwise": "backbone.stem.stem_3.1",
    "decoder.stages": "sem_seg_head.layer_decoder_list",
    "decoder.predictor": "sem_seg_head.predictor",
}
CELL_PARTS = {
    "operation.0.depthwise": "cell_ops._ops.0.op.0",
    "operation.0.pointwise": "cell_ops._ops.0.op.1",
    "operation.1.depthwise": "cell_ops._ops.0.op.2",
    "operation.1.pointwise": "cell_ops._ops.0.op.3",
    "gate.reduce": "gate_conv_beta.0",
    "gate.score": "gate_conv_beta.2",
    "transforms.up": "res_up",
    "transforms.down": "res_down",
}

# What the published weights were trained on: 19 classes mean these unless the caller names others.
CITYSCAPES = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}


def cell_names(space: RoutingSpace) -> list[str]:
    """Name that the released layout gives each cell."""
    places = zip(space.cells.layer, space.cells.scale, strict=True)
    return [
        f"backbone.all_cell_list.{layer - 1}.{scale}" if layer else "backbone.init_layer" for layer, scale in places
    ]


def released_names(net: RoutingNetwork) -> dict[str, str]:
    """Name in the released layout of each tensor in the network's state dict."""
    cells = cell_names(net.space)
    names = {}
    for name in net.state_dict():
        # There a norm is a child of its convolution, here they stand side by side.
        plain = name.replace(".conv.", ".")
        if plain.startswith("cells."):
            _, cell, inner = plain.split(".", 2)
            names[name] = f"{cells[int(cell)]}.{_renamed(inner, CELL_PARTS)}"
        else:
            names[name] = _renamed(plain, PARTS)
    return names


def _renamed(name: str, parts: Mapping[str, str]) -> str:
    ours = next(part for part in parts if name.startswith(f"{part}."))
    return parts[ours] + name.removeprefix(ours)


def _in_space_order(values: Tensor, moves: tuple[str, ...]) -> Tensor:
    order = sorted(moves, key=MOVE_ORDER.index)
    return values[[order.index(move) for move in moves]]


def _in_file_order(values: Tensor, moves: tuple[str, ...]) -> Tensor:
    return values[[moves.index(move) for move in sorted(moves, key=MOVE_ORDER.index)]]


def _moves(name: str, space: RoutingSpace) -> tuple[str, ...] | None:
    """Moves of the cell that a tensor scores, in the space's order; None for a tensor whose channels are not moves."""
    if ".gate.score." not in name:
        return None
    return space.moves[space.paths_from(int(name.split(".")[1]))]


def infer_config(path: Path, state: Mapping[str, Tensor], *, small_gate: bool | None) -> NetworkConfig:
    """Read a network's settings off its weights.

    Parameters
    ----------
    path : Path
        Named in errors.
    state : mapping of released name to Tensor
    small_gate : bool or None
        The one setting that leaves no trace in the weights; needed where the network has gates.

    Raises
    ------
    CheckpointError
        If a tensor is missing that says a setting, the settings fit no space, or ``small_gate`` is needed and None.
    """
    sizes = {
        "stem_width": "backbone.stem.stem_1.weight",
        "width": "backbone.stem.stem_3.1.weight",
        "num_classes": "sem_seg_head.predictor.weight",
    }
    missing = [name for name in sizes.values() if name not in state or state[name].ndim != 4]
    if missing:
        hint = "; a backbone alone can start a training: routeviz train --init" if layers_in(state) else ""
        raise CheckpointError(
            f"{path} is no checkpoint of the released layout: it lacks {few(missing)}, "
            f"it has {few(map(ascii, state))}{hint}"
        )
    fixed = not any(".gate_conv_beta." in name for name in state)
    if small_gate is None and not fixed:
        raise CheckpointError(
            f"{path} does not say which gate it was trained with, and its weights fit both: pass small_gate=True where "
            "the gate sees its input resized by 1/4, else False (on the command line --small-gate or --full-gate)"
        )
    check_layers(path, layers_in(state))
    settings = {setting: int(state[name].shape[0]) for setting, name in sizes.items()}
    is_cityscapes = settings["num_classes"] == len(CITYSCAPES)
    try:
        config = NetworkConfig(
            layers=layers_in(state),
            **settings,
            small_gate=bool(small_gate) and not fixed,
            class_names=tuple(CITYSCAPES) if is_cityscapes else (),
            class_colors=tuple(CITYSCAPES.values()) if is_cityscapes else (),
        )
        return replace(config, fixed_gates=_fixed_gates(path, state, config.space)) if fixed else config
    except InputError as error:
        raise CheckpointError(f"{path} fits no routing network: {error}") from error


def layers_in(state: Mapping[str, Tensor]) -> int:
    """L, as many as the file has lists of cells."""
    matches = (re.match(r"backbone\.all_cell_list\.(\d+)\.", name) for name in state)
    return len({match[1] for match in matches if match})


def _fixed_gates(path: Path, state: Mapping[str, Tensor], space: RoutingSpace) -> tuple[float, ...]:
    values: list[float] = []
    for cell, cell_name in enumerate(cell_names(space)):
        name, moves = f"{cell_name}.{FIXED_GATE}", space.moves[space.paths_from(cell)]
        if name not in state or state[name].numel() != len(moves):
            found = f"of shape {list(state[name].shape)}" if name in state else "missing"
            raise CheckpointError(f"{path} has no gate weights: {name} must hold {len(moves)} fixed gates, is {found}")
        values += _in_space_order(state[name].flatten().float(), moves).tolist()
    if not all(0 <= value <= 1 for value in values):
        raise CheckpointError(f"{path} has a fixed gate outside 0 to 1 in its tensors {FIXED_GATE}")
    return tuple(values)


def needed(path: Path, state: Mapping[str, Tensor], net: RoutingNetwork) -> dict[str, Tensor]:
    """Leave out the fixed gates, which are settings, and weights that a network with some of them shut does not use."""
    unused: set[str] = set()
    if net.config.fixed_gates is not None and min(net.config.fixed_gates) < 1:
        whole = skeleton(path, replace(net.config, fixed_gates=(1.0,) * net.space.n_paths))
        unused = set(released_names(whole).values()) - set(released_names(net).values())
    return {
        name: tensor for name, tensor in state.items() if name not in unused and not name.endswith(f".{FIXED_GATE}")
    }


def with_backbone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give a bare backbone's tensors the prefix that they have inside the whole network."""
    if any(name.startswith("backbone.") for name in state):
        return dict(state)
    bare = ("stem.stem_", "init_layer.", "all_cell_list.")
    return {f"backbone.{name}" if name.startswith(bare) else name: tensor for name, tensor in state.items()}


def from_released(state: Mapping[str, Tensor], net: RoutingNetwork) -> dict[str, Tensor]:
    """Bring tensors of the released layout to the network's names, and gates to the space's order of paths.

    Tensors that the network has no place for keep their name.
    """
    ours = {theirs: name for name, theirs in released_names(net).items()}
    weights = {}
    for theirs, tensor in state.items():
        name = ours.get(theirs, theirs)
        moves = _moves(name, net.space) if theirs in ours else None
        reorder = moves is not None and tensor.shape[:1] == (len(moves),)
        weights[name] = _in_space_order(tensor, moves) if reorder else tensor
    return weights


def to_released(net: RoutingNetwork) -> dict[str, Tensor]:
    """Weights of a network under the names, and with the order of gate channels, of the released layout."""
    names = released_names(net)
    state = {}
    for name, tensor in net.state_dict().items():
        moves = _moves(name, net.space)
        state[names[name]] = _in_file_order(tensor, moves) if moves else tensor
    if net.fixed_gates is not None:
        for cell, cell_name in enumerate(cell_names(net.space)):
            paths = net.space.paths_from(cell)
            values = _in_file_order(net.fixed_gates[paths], net.space.moves[paths])
            state[f"{cell_name}.{FIXED_GATE}"] = values.view(1, -1, 1, 1)
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}


def export_released(net: RoutingNetwork, path: str | Path, *, step: int = 0) -> None:
    """Write a network in the released layout, for programs that read that; see :func:`save_checkpoint` for our own.

    What the layout has no place for is lost: kind of gate, normalisation, names and colours of classes. Of a network
    with fixed gates only what its route uses is written.

    Parameters
    ----------
    net : RoutingNetwork
    path : str or Path
        By habit ``*.pth``.
    step : int
        Training step, written as ``iteration``.

    Raises
    ------
    InputError
        If the network closes paths under a threshold of its own: it would be another network.
    """
    if net.open_threshold is not None:
        raise InputError("the released layout has no place for an open threshold; write a *.safetensors checkpoint")
    file = io.BytesIO()
    torch.save({"model": to_released(net), "iteration": int(step)}, file)
    with whole_file(path, CheckpointError) as draft:
        draft.write_bytes(file.getvalue())
