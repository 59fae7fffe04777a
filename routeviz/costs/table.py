"""Cost of every cell and path of a network for an image size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from torch import nn
from tqdm import tqdm

from routeviz.costs.operators import CONVENTIONS, count_operators, in_convention
from routeviz.errors import CostError, InputError
from routeviz.space import OPEN_THRESHOLD, RoutingSpace

LOGIT_STRIDE = 4
"""The predictor works at stride 4; its logits are then resized to the image."""

Shape = tuple[int, int, int]

_TABLES: dict[tuple[str, tuple[int, int], str], CostTable] = {}


@dataclass(frozen=True, eq=False)
class CostTable:
    """MACs of each part of a network, for one image.

    Attributes
    ----------
    convention : str
        One of `CONVENTIONS`.
    image_size : (H, W)
        As padded by the network.
    space : RoutingSpace
    stem : int
    operation : ndarray, (cell,) int64
        Of a cell's operation, which runs where the cell is open. 0 where a static network has not built it.
    gate : ndarray, (cell,) int64
        Of a cell's gate, which runs where the cell is reached and not forced on all its paths.
    path : ndarray, (path,) int64
        Of a path's transform, which runs where the path is open.
    decoder : ndarray, (scale,) int64
        Of a decoder stage with its resizing, which runs where anything was sent into the decoder at this scale or a
        coarser one.
    predictor : int
        Of the classifier and the resizing of its logits, which runs where anything was sent at all.
    """

    convention: str
    image_size: tuple[int, int]
    space: RoutingSpace
    stem: int
    operation: np.ndarray
    gate: np.ndarray
    path: np.ndarray
    decoder: np.ndarray
    predictor: int

    @property
    def total(self) -> int:
        """MACs with every path open and every gate asked."""
        parts = (self.operation, self.gate, self.path, self.decoder)
        return self.stem + self.predictor + sum(int(part.sum()) for part in parts)

    def frame(self) -> pd.DataFrame:
        """One row a part: ``part``, ``layer``, ``scale``, ``move``, ``macs``.

        Parts are stem, operation, gate, path, decoder and predictor; layer and scale are missing where a part has none,
        and move is empty for all but paths.
        """
        cells, paths = self.space.cells[["layer", "scale"]], self.space.paths[["layer", "scale", "move"]]
        rows = [
            pd.DataFrame({"part": ["stem"], "macs": [self.stem]}),
            cells.assign(part="operation", macs=self.operation),
            cells.assign(part="gate", macs=self.gate),
            paths.assign(part="path", macs=self.path),
            pd.DataFrame({"part": "decoder", "scale": range(len(self.decoder)), "macs": self.decoder}),
            pd.DataFrame({"part": ["predictor"], "macs": [self.predictor]}),
        ]
        table = pd.concat(rows, ignore_index=True)[["part", "layer", "scale", "move", "macs"]]
        return table.astype({"layer": "Int64", "scale": "Int64"}).fillna({"move": ""})


def cost_table(
    net: nn.Module, image_size: Sequence[int], convention: str = "conv", *, progress: bool = False
) -> CostTable:
    """Count every part of a network for one image of a size.

    Modules of one shape are traced once, and tables are kept by (configuration, padded size, convention).

    Parameters
    ----------
    net : RoutingNetwork
    image_size : (H, W)
        As the image is; the network's own padding is added.
    convention : str
        ``"conv"``, ``"fvcore"`` or ``"released"``; `CONVENTION_NOTES` says what each counts.
    progress : bool
        Show a bar if counting takes longer than two seconds, as it does for large images.

    Returns
    -------
    CostTable

    Raises
    ------
    CostError
        If the convention is unknown.
    InputError
        If the size is not two positive whole numbers.
    """
    if convention not in CONVENTIONS:
        raise CostError(f"unknown convention {convention!r}; valid: {', '.join(CONVENTIONS)}")
    size = np.asarray(image_size)
    if size.shape != (2,) or size.dtype.kind not in "iu" or (size < 1).any():
        raise InputError(f"image size {image_size!r}; give (height, width) in pixels, such as (512, 1024)")
    padded = net.padded_size(tuple(size.tolist()))
    # Its text, as the configuration itself can be unhashable (its names may be lists); a threshold costs nothing.
    config = repr(replace(net.config, open_threshold=OPEN_THRESHOLD))
    if (config, padded, convention) not in _TABLES:
        for table in _build(net, padded, progress=progress):
            _TABLES[config, padded, table.convention] = table
    return _TABLES[config, padded, convention]


def _build(net: nn.Module, image_size: tuple[int, int], *, progress: bool) -> list[CostTable]:
    """The tables of all conventions, from one count of each module."""
    counted = _count(part_modules(net, image_size), progress=progress)
    tables = []
    for convention in CONVENTIONS:
        columns = {}
        for part in ("stem", "operation", "gate", "path", "decoder", "predictor"):
            operators = counted[f"{convention} {part}" if f"{convention} {part}" in counted else part]
            columns[part] = np.array([in_convention(counts, convention) for counts in operators], dtype=np.int64)
        if convention == "released":
            columns["operation"][0] = columns["gate"][0] = 0
            columns["path"][net.space.exits] = 0
        for column in columns.values():
            column.setflags(write=False)
        columns["stem"], columns["predictor"] = int(columns["stem"][0]), int(columns["predictor"][0])
        tables.append(CostTable(convention=convention, image_size=image_size, space=net.space, **columns))
    return tables


def part_modules(
    net: nn.Module, image_size: tuple[int, int], built: Any = None
) -> dict[str, list[tuple[nn.Module | None, Shape]]]:
    """Every part's modules and the shapes of their inputs; None for a module that a static network has not built.

    ``built`` holds stem, cells and decoder; by default they are the network's own.
    """
    built = net if built is None else built
    space, cells, (height, width) = net.space, list(built.cells), image_size
    sizes = net.cell_sizes(image_size).tolist()
    shapes = [(c, h, w) for c, (h, w) in zip(space.cells.channels.tolist(), sizes, strict=True)]
    transforms = [dict(cell.transforms.items()) for cell in cells]
    moves = zip(space.source.tolist(), space.moves, strict=True)
    exits = np.flatnonzero(space.exits)[np.argsort(space.paths.target_scale[space.exits])]
    finals = [shapes[cell] for cell in space.source[exits]]  # what the decoder takes, finest scale first
    square = [(c, h, h) for c, h, _ in finals]
    stages = [
        nn.Sequential(stage, _resize(2)) if scale else stage  # stages hand on to the next finer scale
        for scale, stage in enumerate(built.decoder.stages)
    ]
    predictor = nn.Sequential(built.decoder.predictor, _resize(LOGIT_STRIDE))
    return {
        "stem": [(built.stem, (3, height, width))],
        "operation": [(cell.operation, shape) for cell, shape in zip(cells, shapes, strict=True)],
        "gate": [(cell.gate, shape) for cell, shape in zip(cells, shapes, strict=True)],
        "path": [(transforms[cell].get(move), shapes[cell]) for cell, move in moves],
        "decoder": list(zip(stages, finals, strict=True)),
        "predictor": [(predictor, finals[0])],
        # Two pixels more give the first convolution the size that padding would give it.
        "released stem": [(built.stem, (3, height + 2, width + 2))],
        "released decoder": list(zip(stages, square, strict=True)),
        "released predictor": [(predictor, square[0])],
    }


def _count(parts: dict[str, list[tuple[nn.Module | None, Shape]]], *, progress: bool) -> dict[str, list[Counter[str]]]:
    """Operators of every module; those of one repr and input shape are counted once.

    Within one network a repr says all that a cost depends on.
    """
    named = {part: [(repr(module), module, shape) for module, shape in members] for part, members in parts.items()}
    distinct = {(name, shape): module for members in named.values() for name, module, shape in members}
    counts = {
        key: Counter() if module is None else count_operators(module, key[1])
        for key, module in tqdm(distinct.items(), desc="counting", unit="module", delay=2, disable=not progress)
    }
    return {part: [counts[name, shape] for name, _, shape in members] for part, members in named.items()}


def _resize(factor: int) -> nn.Module:
    return nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
