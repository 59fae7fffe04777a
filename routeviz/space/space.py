"""The routing space: cells and the paths between them, as tables, in the one order that everything uses."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from routeviz.errors import InputError

CELL_COLUMNS = ("layer", "scale", "stride", "channels")
PATH_COLUMNS = ("layer", "scale", "move", "target_layer", "target_scale")
STEM_STRIDE = 4
LATTICE_MOVES = {"up": -1, "keep": 0, "down": 1}


@dataclass(frozen=True, eq=False)
class RoutingSpace:
    """Cells and candidate paths of a routing network, independent of any weights.

    The first cell is the one that the stem feeds; the paths of a cell stand together, in the order of the cells, so the
    gates of one image are one vector ``(path,)`` and a cell's gates are a slice of it.

    Parameters
    ----------
    kind : str
        What the cells and paths form: a key of `routeviz.space.KINDS`. ``"lattice"`` is the space of layers and scales
        of the routing network.
    cells : DataFrame
        One row a cell, sorted: ``layer``, ``scale``, ``stride`` (input pixels per feature), ``channels``; where they
        are not called by layer and scale, ``name``; where more than the first are fed from outside, ``fed`` (bool).
    paths : DataFrame
        One row a path: ``layer`` and ``scale`` of its source cell, ``move``, ``target_layer``, ``target_scale``, and
        ``name`` where cell and move do not name it. A path whose target is no cell leaves the space (in the lattice:
        into the decoder).
    pass_move : str
        The move along which a closed cell passes its input on; empty where it passes it along none.
    bypass : bool
        Whether a closed cell's input goes on beside its paths to wherever they lead, as in a residual network.
    zeros : bool
        Whether an open cell sends zeros along the paths that are shut, as the routing network does, or nothing.

    Raises
    ------
    InputError
        If a column is missing, a path starts at no cell or leads back, the paths are not grouped in the order of the
        cells, two cells or paths have one name, or no cell is fed.
    """

    kind: str
    cells: pd.DataFrame
    paths: pd.DataFrame
    pass_move: str = "keep"
    bypass: bool = False
    zeros: bool = True

    def __post_init__(self) -> None:
        self._check_tables()
        positions = [self._positions.get(place, -1) for place in zip(self.paths.layer, self.paths.scale, strict=True)]
        if -1 in positions:
            raise InputError(
                f"path {positions.index(-1)} starts at no cell of the space; add the cell or drop the path"
            )
        if positions != sorted(positions):
            raise InputError("paths are out of order; sort them by the cell they start at, in the order of the cells")
        back = np.flatnonzero((self.target <= self.source) & ~self.exits)
        if len(back):
            # What routes do is derived cell by cell: an input that comes later would be lost without a word.
            at, to = (self.cell_names[cell[back[0]]] for cell in (self.source, self.target))
            raise InputError(f"path {back[0]} leads back, from cell {at} to {to}; a path leads to a cell further on")
        names = (*self.cell_names, *self.path_names)
        if not all(isinstance(name, str) for name in names):
            raise InputError("the names of cells and paths must be text")
        if len(set(names)) < len(names):
            # Gates, forced routes and tables find cells and paths by their names.
            twice = Counter(names).most_common(1)[0][0]
            raise InputError(f"two cells or paths are called {twice!r}; give each a name of its own, in a column name")

    def _check_tables(self) -> None:
        """Raise InputError where a table holds what no space can have: a file may claim anything."""
        for table, columns, name in ((self.cells, CELL_COLUMNS, "cells"), (self.paths, PATH_COLUMNS, "paths")):
            missing = [column for column in columns if column not in table]
            if missing:
                raise InputError(f"table of {name} lacks {', '.join(missing)}; it needs {', '.join(columns)}")
            numbers = table[[column for column in columns if column != "move"]]
            if len(table) and not all(dtype.kind in "iu" for dtype in numbers.dtypes):
                raise InputError(f"table of {name} holds what is no whole number in {', '.join(numbers)}")
        texts = (self.kind, self.pass_move, *self.paths.move)
        if not all(isinstance(text, str) for text in texts):
            raise InputError("kind, pass_move and the moves of the paths must be text")
        # No number in a file may fill the memory: without gaps there are at most as many layers and scales as cells.
        places, n_cells = self.cells[["layer", "scale"]], len(self.cells)
        if n_cells == 0 or places.duplicated().any() or places.min().min() < 0 or places.max().max() >= n_cells:
            raise InputError(f"{n_cells} cells, some at one place or outside; number layers and scales from 0")
        if self.cells[["stride", "channels"]].min().min() < 1:
            raise InputError("a cell has a stride and a number of channels of at least 1")
        if "fed" in self.cells and not (self.cells.fed.dtype == bool and self.cells.fed.any()):
            raise InputError("fed says of each cell true or false, and true of at least one")

    @cached_property
    def _positions(self) -> dict[tuple[int, int], int]:
        places = zip(self.cells.layer.tolist(), self.cells.scale.tolist(), strict=True)
        return {place: index for index, place in enumerate(places)}

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.cells)

    @property
    def n_paths(self) -> int:
        """Number of paths, which is the number of gates."""
        return len(self.paths)

    @cached_property
    def layers(self) -> int:
        """L, the number of the last layer; layer 0 is the cell after the stem."""
        return int(self.cells.layer.max())

    @cached_property
    def scales(self) -> int:
        """Number of scales; scale 0 is the finest."""
        return int(self.cells.scale.max()) + 1

    @cached_property
    def source(self) -> np.ndarray:
        """Index of the cell each path starts at, ``(path,)`` intp."""
        places = zip(self.paths.layer.tolist(), self.paths.scale.tolist(), strict=True)
        return _frozen(np.array([self._positions[place] for place in places], dtype=np.intp))

    @cached_property
    def target(self) -> np.ndarray:
        """Index of the cell each path leads to, ``(path,)`` intp; -1 where it leaves the space."""
        places = zip(self.paths.target_layer.tolist(), self.paths.target_scale.tolist(), strict=True)
        return _frozen(np.array([self._positions.get(place, -1) for place in places], dtype=np.intp))

    @cached_property
    def moves(self) -> tuple[str, ...]:
        """Move of each path: up (finer), keep, down (coarser) in the lattice."""
        return tuple(self.paths.move)

    @cached_property
    def ways(self) -> tuple[str, ...]:
        """Move of each path, and its target where a cell has several of one move: cell and way name a path."""
        rivals = Counter(zip(self.source, self.moves, strict=True))
        return tuple(
            f"{move} to {target}" if rivals[source, move] > 1 else move
            for source, move, target in zip(self.source, self.moves, self.paths.target_layer, strict=True)
        )

    @cached_property
    def passes(self) -> np.ndarray:
        """Whether a closed source cell passes its input along the path, ``(path,)`` bool."""
        return _frozen(np.array([move == self.pass_move for move in self.moves]))

    @cached_property
    def exits(self) -> np.ndarray:
        """Whether the path leaves the space, ``(path,)`` bool."""
        return _frozen(self.target == -1)

    @cached_property
    def fed(self) -> np.ndarray:
        """Cells that are fed from outside, ``(cell,)`` bool: the first, or those that the table says."""
        first = np.arange(self.n_cells) == 0
        return _frozen(self.cells.fed.to_numpy(bool, copy=True) if "fed" in self.cells else first)

    @cached_property
    def _slices(self) -> tuple[slice, ...]:
        starts = np.searchsorted(self.source, np.arange(self.n_cells + 1))
        return tuple(slice(int(a), int(b)) for a, b in pairwise(starts))

    def paths_from(self, cell: int) -> slice:
        """Slice of the paths that start at a cell."""
        return self._slices[cell]

    @cached_property
    def _named(self) -> dict[str, np.ndarray]:
        cells = {name: np.arange(at.start, at.stop) for name, at in zip(self.cell_names, self._slices, strict=True)}
        paths = {name: np.array([path]) for path, name in enumerate(self.path_names)}
        return {name: _frozen(numbers) for name, numbers in (cells | paths).items()}

    def paths_named(self, name: str) -> np.ndarray:
        """Positions of the paths that a name stands for: that path, or all of that cell's.

        Parameters
        ----------
        name : str
            One of `path_names` or `cell_names`.

        Returns
        -------
        ndarray, (path,) int

        Raises
        ------
        InputError
            If nothing is called so.
        """
        if not isinstance(name, str) or name not in self._named:
            known = ", ".join((*self.cell_names[:2], *self.path_names[:2]))
            raise InputError(f"the space has no cell or path {name!r}; it has {known} and so on")
        return self._named[name]

    def cell_index(self, layer: int, scale: int) -> int:
        """Position of the cell at ``(layer, scale)``; raises InputError where there is none."""
        try:
            return self._positions[layer, scale]
        except KeyError:
            raise InputError(f"no cell at layer {layer}, scale {scale}; {self._extent()}") from None

    def path_index(self, layer: int, scale: int, move: str) -> int:
        """Position of the path that leaves ``(layer, scale)`` by ``move``; raises InputError where there is not one."""
        cell = self.cell_index(layer, scale)
        paths = self.paths_from(cell)
        offered = self.moves[paths]
        if move not in offered:
            raise InputError(f"cell {self.cell_names[cell]} has no path {move!r}; it offers {', '.join(offered)}")
        if offered.count(move) > 1:
            raise InputError(f"cell {self.cell_names[cell]} has several paths {move!r}; find one in path_names")
        return paths.start + offered.index(move)

    def _extent(self) -> str:
        return f"the space has layers 0 to {self.layers} and scales 0 to {self.scales - 1}"

    @property
    def unnamed(self) -> bool:
        """Whether cells are called by layer and scale, as in the lattice, and not by names of their own."""
        return "name" not in self.cells

    @cached_property
    def cell_names(self) -> tuple[str, ...]:
        """Short name of each cell, such as ``L3 s1``."""
        if self.unnamed:
            return tuple(f"L{layer} s{scale}" for layer, scale in self._positions)
        return tuple(self.cells.name)

    @cached_property
    def path_names(self) -> tuple[str, ...]:
        """Short name of each path, such as ``L3 s1 up``."""
        if "name" in self.paths:
            return tuple(self.paths.name)
        return tuple(f"{self.cell_names[cell]} {move}" for cell, move in zip(self.source, self.moves, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, fit for JSON."""
        # What is as in a lattice is left out: spaces keep the digests that logs and routes know them by.
        rules = {"bypass": self.bypass} if self.bypass else {}
        rules |= {} if self.zeros else {"zeros": False}
        return {
            "kind": self.kind,
            "pass_move": self.pass_move,
            **rules,
            "cells": self.cells.to_dict("list"),
            "paths": self.paths.to_dict("list"),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RoutingSpace:
        """Inverse of :meth:`to_dict`; raises InputError where a part is missing."""
        try:
            rules = {"bypass": bool(data.get("bypass", False)), "zeros": bool(data.get("zeros", True))}
            cells, paths = pd.DataFrame(data["cells"]), pd.DataFrame(data["paths"])
            return cls(data["kind"], cells, paths, data["pass_move"], **rules)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"not a routing space: {error}; expected kind, pass_move, cells and paths") from None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the space's tables, hexadecimal: equal spaces have equal digests."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RoutingSpace) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"RoutingSpace({self.kind}: {self.layers + 1} layers, {self.n_cells} cells, {self.n_paths} paths)"


def lattice_space(layers: int, width: int, *, scales: int = 4) -> RoutingSpace:
    """Build the routing space of layers and scales.

    Layer 0 is one cell at scale 0; each layer reaches one scale further down until all are there. A cell offers a path
    up, keep and down to the next layer where the target exists; cells of the last layer offer keep alone, into the
    decoder (Learning Dynamic Routing for Semantic Segmentation, CVPR 2020, section 3.1).

    Parameters
    ----------
    layers : int
        L, at least ``scales - 1``; the published networks have 16 and 33.
    width : int
        C, the channels at scale 0; scale s has ``C * 2**s``. Even, as a path up halves the channels.
    scales : int
        Number of scales, strides 4, 8, 16, ...

    Returns
    -------
    RoutingSpace
        For L = 16 and four scales: 62 cells, 149 paths.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    if scales < 1:
        raise InputError(f"{scales} scales; a lattice needs at least 1")
    if layers < (least := max(1, scales - 1)):
        raise InputError(f"{layers} layers; a lattice of {scales} scales needs at least {least}")
    if width < 2 or width % 2:
        raise InputError(f"width {width} is not usable; give an even number of channels of at least 2")
    present = [(layer, scale) for layer in range(layers + 1) for scale in range(min(layer + 1, scales))]
    cells = [(layer, scale, STEM_STRIDE * 2**scale, width * 2**scale) for layer, scale in present]
    places = set(present)
    paths = []
    for layer, scale in present:
        for move, step in LATTICE_MOVES.items():
            target = (layer + 1, scale + step)
            if target in places or (layer == layers and move == "keep"):
                paths.append((layer, scale, move, *target))
    return RoutingSpace("lattice", pd.DataFrame(cells, columns=CELL_COLUMNS), pd.DataFrame(paths, columns=PATH_COLUMNS))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
