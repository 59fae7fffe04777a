"""What the parts of any gated network cost, and what its routes cost with them. No torch."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.space import RoutingSpace
from routeviz.space.bits import byte_sums, pack, weighted
from routeviz.space.states import checked, flow, in_blocks


@dataclass(frozen=True, eq=False)
class PartCosts:
    """MACs of the parts of a network for one row of a log: an image of one size, or a token.

    Attributes
    ----------
    space : RoutingSpace
    convention : str
        ``"conv"``: multiply-adds of convolutions and matrix products.
    fixed : int
        Of all that runs for every row, such as stem and head.
    operation : ndarray, (cell,) int64
        Of what a cell computes where it is open.
    gate : ndarray, (cell,) int64
        Of what decides in a cell, wherever it is reached.
    path : ndarray, (path,) int64
        Of what a path computes where it is open.
    size : tuple of int, optional
        Shape of the input that was measured, without the batch, such as (1, 8, 8); of any input where it is missing.

    Raises
    ------
    InputError
        If the numbers are not those of the space's cells and paths.
    """

    space: RoutingSpace
    fixed: int
    operation: np.ndarray
    gate: np.ndarray
    path: np.ndarray
    convention: str = "conv"
    size: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        n_cells, n_paths = self.space.n_cells, self.space.n_paths
        if not isinstance(self.fixed, int | np.integer) or isinstance(self.fixed, bool) or self.fixed < 0:
            raise InputError(f"fixed costs of {self.fixed!a:.40}; give a whole number of at least 0")
        for name, length in (("operation", n_cells), ("gate", n_cells), ("path", n_paths)):
            values = np.asarray(getattr(self, name))
            whole = values.dtype.kind in "iu" and (values <= np.iinfo(np.int64).max).all()
            if values.shape != (length,) or not whole or (values < 0).any():
                raise InputError(f"costs of {name} of shape {values.shape}; give {length} whole numbers of at least 0")
            object.__setattr__(self, name, values.astype(np.int64))

    @property
    def total(self) -> int:
        """MACs with every path open."""
        return int(self.fixed + self.operation.sum() + self.gate.sum() + self.path.sum())

    def macs(self, gates: np.ndarray) -> np.ndarray:
        """Count the MACs of routes.

        Parameters
        ----------
        gates : ndarray, (image, path) float
            Activations; NaN counts as 0.

        Returns
        -------
        ndarray, (image,) int64
            Fixed costs, gates of reached cells, operations of open cells and open paths.
        """
        return self.by_part(gates).sum(axis=1).to_numpy()

    def by_part(self, gates: np.ndarray) -> pd.DataFrame:
        """MACs of routes by part: one row a route, int64 columns fixed, operations, gates and paths, as for `macs`."""
        gates = checked(self.space, gates)
        counts = {"fixed": np.full(len(gates), self.fixed, np.int64)}
        counts |= {name: np.empty(len(gates), np.int64) for name in ("operations", "gates", "paths")}
        sums = {"operations": self.operation, "gates": self.gate, "paths": self.path}
        sums = {name: byte_sums(costs) for name, costs in sums.items()}

        def count(rows: slice, some: np.ndarray) -> None:
            found = flow(self.space, some)
            counts["operations"][rows] = weighted(sums["operations"], pack(found.live))
            counts["gates"][rows] = weighted(sums["gates"], pack(found.reached))
            counts["paths"][rows] = weighted(sums["paths"], pack(found.opened))

        in_blocks(gates, count)
        return pd.DataFrame(counts)

    @property
    def size_text(self) -> str:
        """The size in words, as a log of several sizes names it in each row: ``1x8x8``."""
        return "x".join(map(str, self.size or ()))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, fit for JSON, without the space."""
        return {
            "convention": self.convention,
            "fixed": int(self.fixed),
            **{name: getattr(self, name).tolist() for name in ("operation", "gate", "path")},
            **({} if self.size is None else {"size": list(self.size)}),
        }

    @classmethod
    def from_dict(cls, space: RoutingSpace, data: Mapping[str, Any]) -> PartCosts:
        """Inverse of `to_dict`; raises InputError where a part is missing or does not fit the space."""
        try:
            lists = {name: list(data[name]) for name in ("operation", "gate", "path")}
            fixed, convention, size = data["fixed"], str(data["convention"]), data.get("size")
            size = None if size is None else tuple(map(operator.index, size))
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"not the costs of a network's parts: {error}") from None
        for number in (fixed, *lists["operation"], *lists["gate"], *lists["path"]):
            if type(number) is not int or not 0 <= number <= np.iinfo(np.int64).max:
                raise InputError(f"not the costs of a network's parts: {number!a:.40} is no number of multiply-adds")
        parts = {name: np.array(numbers, dtype=np.int64) for name, numbers in lists.items()}
        return cls(space, fixed, **parts, convention=convention, size=size)
