"""Which paths matter, and which are costly, often open and useless: the words, and the limits behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from routeviz.costs import CONVENTIONS
from routeviz.errors import InputError

RANKINGS = {
    "changed": ("changed_open", False),
    "kl": ("kl_open", False),
    "miou": ("miou", True),
    "macs": ("saved", False),
}
"""What paths can be ranked by: the column of the table, and whether its smallest value comes first."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What costly, often open and useless mean.

    Attributes
    ----------
    often : float
        A path is often open where at least this share of the images opens it.
    costly : float
        It is costly where closing it saves at least this share of the MACs of the images that open it.
    pixels, miou : float
        It is useless where closing it changes the class of at most this share of the pixels of the images that open
        it and, where there are labels, lowers the mIoU over all of them by at most this much (0.001: 0.1 points).

    Raises
    ------
    InputError
        If one is not in [0, 1].
    """

    often: float = 0.5
    costly: float = 0.001
    pixels: float = 0.005
    miou: float = 0.001

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise InputError(f"the limit {name} is {value:g}; give a share from 0 to 1, as 0.005 for 0.5 %")

    def words(self, convention: str, *, labelled: bool) -> dict[str, str]:
        """Each word with its definition."""
        fall = f", and mIoU falls by at most {100 * self.miou:g} points" if labelled else ""
        return {
            "often open": f"open in at least {100 * self.often:g} % of the images",
            "costly": f"closing it saves at least {100 * self.costly:g} % of the MACs ({convention}) where it is open",
            "useless": f"closing it changes at most {100 * self.pixels:g} % of the pixels where it is open{fall}",
        }


def flag_paths(table: pd.DataFrame, limits: Limits | None = None, *, convention: str = "conv") -> pd.DataFrame:
    """Add to a table of `Importance` which paths are costly, often open and useless.

    Parameters
    ----------
    table : DataFrame
        As `Importance.table` gives it.
    limits : Limits, optional
    convention : str
        Of the MACs.

    Returns
    -------
    DataFrame
        The table with bool columns ``often_open``, ``costly``, ``useless``, and ``flagged`` where all three hold. A
        path that no image opens is none of them.

    Raises
    ------
    InputError
        If the convention is unknown, or the table is another one.
    """
    limits = limits or Limits()
    if missing := [name for name in (_saved(convention), "miou", "open", "changed_open") if name not in table]:
        raise InputError(f"table of paths lacks {', '.join(missing)}; give that of Importance.table")
    saved = table[_saved(convention)].to_numpy(float)
    falls = -np.nan_to_num(table["miou"].to_numpy(float))
    with np.errstate(invalid="ignore"):  # NaN where no image opens a path: it is nothing then
        words = {
            "often_open": (table["open"].to_numpy() >= limits.often) & (table["open"].to_numpy() > 0),
            "costly": saved >= limits.costly,
            "useless": (table["changed_open"].to_numpy(float) <= limits.pixels) & (falls <= limits.miou),
        }
    return table.assign(**words, flagged=np.logical_and.reduce(list(words.values())))


def ranked(table: pd.DataFrame, by: str = "changed", *, convention: str = "conv") -> pd.DataFrame:
    """Sort the paths that any image opens, those that matter most first.

    Parameters
    ----------
    table : DataFrame
        As `Importance.table` gives it.
    by : str
        ``"changed"`` (pixels) or ``"kl"``, where a path is open; ``"miou"``, the largest fall first; or ``"macs"``, the
        largest saving first.
    convention : str
        Of the MACs.

    Raises
    ------
    InputError
        If the ranking or the convention is unknown, or nothing is known to rank by.
    """
    if by not in RANKINGS:
        raise InputError(f"unknown ranking {by!r}; valid: {', '.join(RANKINGS)}")
    column, smallest_first = RANKINGS[by]
    column = _saved(convention) if by == "macs" else column
    found = table[table["open"] > 0]
    if len(found) and found[column].isna().all():
        raise InputError(f"nothing is known to rank paths by {by}: these images have no labels; choose another")
    return found.sort_values(column, ascending=smallest_first, kind="stable")


def _saved(convention: str) -> str:
    if convention not in CONVENTIONS:
        raise InputError(f"unknown convention {convention!r}; valid: {', '.join(CONVENTIONS)}")
    return f"saved_{convention}"
