"""Facts of the images of a log as a table, of which most columns are read when they are first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from routeviz.routelog import RouteLog

FIRST = ("id", "image", "scale_class", "miou", "macs_")
"""Names, or beginnings of names, of what every view asks for."""


class Facts:
    """Some columns of a log's facts, used like the DataFrame that they would be.

    Parameters
    ----------
    log : RouteLog
    columns : sequence of str
        Those that `FIRST` names are read at once, the others together when one of them is first asked for; of a million
        images these take four times as long.

    Raises
    ------
    LogError
        If a column cannot be read, at once or later.
    """

    def __init__(self, log: RouteLog, columns: Sequence[str]) -> None:
        self._log, self.columns = log, tuple(columns)
        self._first = log.facts(*(name for name in columns if name.startswith(FIRST)))

    @cached_property
    def _whole(self) -> pd.DataFrame:
        rest = self._log.facts(*(name for name in self.columns if name not in self._first))
        return pd.concat([self._first, rest], axis=1)[list(self.columns)]

    def __len__(self) -> int:
        return len(self._first)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __getitem__(self, asked: str | list[str] | np.ndarray) -> pd.Series | pd.DataFrame:
        """One column or several, or the rows of a mask."""
        names = [asked] if isinstance(asked, str) else asked
        there = isinstance(names, list) and all(name in self._first for name in names)
        return (self._first if there else self._whole)[asked]

    def get(self, name: str, default: Any = None) -> Any:
        """A column, or something else where there is none."""
        return self[name] if name in self.columns else default

    @property
    def index(self) -> pd.Index:
        """Numbers of the rows."""
        return self._first.index

    @property
    def iloc(self) -> Any:
        """Rows by their positions."""
        return self._whole.iloc
