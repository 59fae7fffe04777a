"""What the parts of any gated network cost, and what its routes cost with them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.space import OPEN_THRESHOLD, STATES, RoutingSpace, cell_states

BLOCK = 16_384
"""Routes that are counted together: their cell states need memory."""


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

    def __post_init__(self) -> None:
        n_cells, n_paths = self.space.n_cells, self.space.n_paths
        for name, length in (("operation", n_cells), ("gate", n_cells), ("path", n_paths)):
            values = np.asarray(getattr(self, name))
            if values.shape != (length,) or values.dtype.kind not in "iu" or (values < 0).any():
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
        gates = np.asarray(gates)
        rows = [np.zeros((0, 4), np.int64)]
        for start in range(0, len(gates), BLOCK):
            block = gates[start : start + BLOCK]
            state = cell_states(self.space, block).state
            reached = state != STATES.index("unreached")
            is_open = (block > OPEN_THRESHOLD) & reached[:, self.space.source]
            # Sums of int64 over a mask are exact.
            fixed = np.full(len(block), self.fixed, np.int64)
            operations = (state == STATES.index("open")) @ self.operation
            rows.append(np.stack([fixed, operations, reached @ self.gate, is_open @ self.path], axis=1))
        return pd.DataFrame(np.concatenate(rows), columns=["fixed", "operations", "gates", "paths"])

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, fit for JSON, without the space."""
        return {
            "convention": self.convention,
            "fixed": int(self.fixed),
            **{name: getattr(self, name).tolist() for name in ("operation", "gate", "path")},
        }

    @classmethod
    def from_dict(cls, space: RoutingSpace, data: Mapping[str, Any]) -> PartCosts:
        """Inverse of `to_dict`; raises InputError where a part is missing or does not fit the space."""
        try:
            parts = {name: np.array(data[name], dtype=np.int64) for name in ("operation", "gate", "path")}
            return cls(space, int(data["fixed"]), **parts, convention=str(data["convention"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"not the costs of a network's parts: {error}") from None
