"""Cost of every cell and path of a network for an image size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from routeviz.costs.operators import CONVENTIONS, count_operators, in_convention
from routeviz.errors import CostError, InputError
from routeviz.space import RoutingSpace

LOGIT_STRIDE = 4
"""The predictor works at stride 4; its logits are then resized to the image."""

_TABLES: dict[tuple[Any, tuple[int, int], str], CostTable] = {}


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


def cost_table(net: nn.Module, image_size: Sequence[int], convention: str = "conv") -> CostTable:
    """Count every part of a network for one image of a size.

    Modules of one shape are traced once, and tables are kept by (configuration, padded size, convention).

    Parameters
    ----------
    net : RoutingNetwork
    image_size : (H, W)
        As the image is; the network's own padding is added.
    convention : str
        ``"conv"``, ``"fvcore"`` or ``"released"``; `CONVENTION_NOTES` says what each counts.

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
    key = (net.config, padded, convention)
    if key not in _TABLES:
        _TABLES.update(((net.config, padded, table.convention), table) for table in _build(net, padded))
    return _TABLES[key]


class _Counts(dict):
    """Operators of modules by (repr, input shape): within one network these say all that a cost depends on."""

    def of(self, module: nn.Module | None, shape: tuple[int, int, int]) -> Counter[str]:
        if module is None:
            return Counter()
        key = (repr(module), shape)
        if key not in self:
            self[key] = count_operators(module, shape)
        return self[key]


def _build(net: nn.Module, image_size: tuple[int, int]) -> list[CostTable]:
    """The tables of all conventions, from one count of each module."""
    space, counts, (height, width) = net.space, _Counts(), image_size
    sizes = net.cell_sizes(image_size).tolist()
    inputs = [(c, h, w) for c, (h, w) in zip(space.cells.channels.tolist(), sizes, strict=True)]
    operation = [counts.of(cell.operation, shape) for cell, shape in zip(net.cells, inputs, strict=True)]
    gate = [counts.of(cell.gate, shape) for cell, shape in zip(net.cells, inputs, strict=True)]
    path = [
        counts.of(net.cells[cell].transforms[move], inputs[cell]) if move in net.cells[cell].transforms else Counter()
        for cell, move in zip(space.source, space.moves, strict=True)
    ]
    exits = np.flatnonzero(space.exits)[np.argsort(space.paths.target_scale[space.exits])]
    finals = [inputs[cell] for cell in space.source[exits]]  # what the decoder takes, finest scale first
    executed = (counts.of(net.stem, (3, height, width)), *_decoder(net, finals, counts))
    # Two pixels more give the first convolution the size that padding would give it; the decoder is counted as square.
    released = (
        counts.of(net.stem, (3, height + 2, width + 2)),
        *_decoder(net, [(c, h, h) for c, h, w in finals], counts),
    )
    tables = []
    for convention in CONVENTIONS:
        stem, stages, predictor = released if convention == "released" else executed
        columns = [
            np.array([in_convention(operators, convention) for operators in part], dtype=np.int64)
            for part in (operation, gate, path, stages)
        ]
        if convention == "released":
            columns[0][0] = columns[1][0] = 0
            columns[2][exits] = 0
        for column in columns:
            column.setflags(write=False)
        ends = in_convention(stem, convention), in_convention(predictor, convention)
        tables.append(CostTable(convention, image_size, space, ends[0], *columns, ends[1]))
    return tables


def _decoder(
    net: nn.Module, inputs: list[tuple[int, int, int]], counts: _Counts
) -> tuple[list[Counter[str]], Counter[str]]:
    """Each stage with the resizing to the next finer scale, and the predictor with that of its logits to the image."""
    stages = [
        counts.of(nn.Sequential(stage, _resize(2)) if scale else stage, shape)
        for scale, (stage, shape) in enumerate(zip(net.decoder.stages, inputs, strict=True))
    ]
    return stages, counts.of(nn.Sequential(net.decoder.predictor, _resize(LOGIT_STRIDE)), inputs[0])


def _resize(factor: int) -> nn.Module:
    return nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
