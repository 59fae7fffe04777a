"""How experts (branches, groups) are used: load, balance, specialisation, and which are open together."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.metrics import mutual_info_score

from routeviz.errors import InputError
from routeviz.routelog import RouteLog
from routeviz.space import kind_of

MOST_ROWS = 20_000
"""Rows that mutual information is counted from; of more, a seeded sample of whole images."""

UNIT = "image"
"""The column that says of which image a token is: tokens of one image are not independent."""


def chooses(log: RouteLog) -> bool:
    """Whether the log's space has cells with several paths side by side, as a layer of experts has."""
    return bool(_choosing(log))


def expert_load(log: RouteLog) -> pd.DataFrame:
    """Count how much each expert (branch, group) of each layer is given.

    Parameters
    ----------
    log : RouteLog
        Of a space whose cells choose among paths side by side; rows are images or tokens.

    Returns
    -------
    DataFrame
        One row a path: ``cell``, ``path``, ``way`` (its name within the cell); ``rows``, how many open it; ``load``,
        their share of all that the cell's paths are given; ``weight``, the share of the activations.

    Raises
    ------
    InputError
        If no cell chooses, or the log has no rows.
    """
    tables = []
    for cell, paths in _checked(log):
        opened, gates = log.opened(slice(None))[:, paths], np.nan_to_num(log.gates[:, paths]).astype(np.float64)
        rows, weight = opened.sum(axis=0), np.where(opened, gates, 0).sum(axis=0)
        tables.append(
            pd.DataFrame(
                {
                    "cell": log.space.cell_names[cell],
                    "path": log.space.path_names[paths],
                    "way": log.space.ways[paths],
                    "rows": rows,
                    "load": rows / max(rows.sum(), 1),
                    "weight": weight / (weight.sum() or 1),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def expert_balance(log: RouteLog) -> pd.DataFrame:
    """Measure how evenly each layer's experts are used.

    Parameters
    ----------
    log : RouteLog
        As for `expert_load`.

    Returns
    -------
    DataFrame
        One row a cell: ``cell``, ``experts``; ``chosen``, mean number that a row opens; ``least`` and ``most``, the
        smallest and largest load; ``variation``, coefficient of variation of the rows that experts are given (standard
        deviation over mean; its square is the loss of Shazeer et al., arXiv 1701.06538); ``chance``, what it comes to
        where every row chooses as many at random; ``balance``, experts times the sum of load times weight (the loss of
        Switch Transformers, arXiv 2101.03961, with the weights that the log holds for the router's probabilities): 1
        where both are even, the number of experts where one gets all.

    Raises
    ------
    InputError
        As `expert_load`.
    """
    load, rows = expert_load(log), []
    for cell, table in load.groupby("cell", sort=False):
        n, given = len(table), int(table.rows.sum())
        mean = given / n
        # Each row chooses k of n at random: a count is binomial, with share k / n.
        share = given / (n * len(log))
        rows.append(
            {
                "cell": cell,
                "experts": n,
                "chosen": given / len(log),
                "least": float(table.load.min()),
                "most": float(table.load.max()),
                "variation": float(table.rows.std(ddof=0) / mean) if given else np.nan,
                "chance": float(np.sqrt((1 - share) / (share * len(log)))) if given else np.nan,
                "balance": float(n * (table.load * table.weight).sum()) if given else np.nan,
            }
        )
    return pd.DataFrame(rows)


def expert_classes(log: RouteLog, *, by: str) -> pd.DataFrame:
    """Count which share of each class opens each expert.

    Parameters
    ----------
    log : RouteLog
        As for `expert_load`.
    by : str
        A column of the log that names a class for each row.

    Returns
    -------
    DataFrame
        One row a path, indexed by its name; one column a class, as text, in order: share of its rows that open it.

    Raises
    ------
    InputError
        As `expert_load`, or if there is no such column.
    """
    paths = np.concatenate([np.arange(paths.start, paths.stop) for _, paths in _checked(log)])
    classes = _classes(log, by)
    opened = log.opened(slice(None))[:, paths]
    shares = {name: opened[classes == name].mean(axis=0) for name in sorted(classes.unique(), key=_in_order)}
    return pd.DataFrame(shares, index=[log.space.path_names[path] for path in paths])


def expert_specialisation(log: RouteLog, *, by: str, permutations: int = 99, seed: int = 0) -> pd.DataFrame:
    """Measure what each layer's choice tells of the class of its row.

    Parameters
    ----------
    log : RouteLog
        As for `expert_load`.
    by : str
        A column of the log that names a class for each row.
    permutations : int
        Shuffles of the classes; where all tokens of an image have one, whole images are shuffled.
    seed : int

    Returns
    -------
    DataFrame
        One row a cell: ``cell``; ``bits``, the mutual information of the class and the set of paths that a row opens;
        ``chance``, its mean over shuffles, which is not 0: counted information is biased upward, the more so the more
        sets there are; ``p``, the share of shuffles, counting the order as it is among them, that come to as much;
        ``entropy``, that of the classes, in bits: the most that could be told.

    Raises
    ------
    InputError
        As `expert_classes`, or if there is no permutation.
    """
    if permutations < 1:
        raise InputError(f"{permutations} permutations; give 1 or more")
    rng, cells = np.random.default_rng(seed), _checked(log)
    codes, units = _classes(log, by).astype("category").cat.codes.to_numpy(), _units(log, by)
    kept = _some(units, rng)
    codes, units = codes[kept], np.unique(units[kept], return_inverse=True)[1]
    # The class of a unit is that of its first row: they are all the same, or every row is its own unit.
    of_unit = codes[np.unique(units, return_index=True)[1]]
    choices = [_choice(log, paths)[kept] for _, paths in cells]
    found = np.array([_bits(choice, codes) for choice in choices])
    chance, beyond = np.zeros(len(cells)), np.ones(len(cells))
    for _ in range(permutations):
        shuffled = rng.permutation(of_unit)[units]
        bits = np.array([_bits(choice, shuffled) for choice in choices])
        chance += bits / permutations
        beyond += bits >= found - 1e-12
    return pd.DataFrame(
        {
            "cell": [log.space.cell_names[cell] for cell, _ in cells],
            "bits": found,
            "chance": chance,
            "p": beyond / (permutations + 1),
            "entropy": _bits(codes, codes),
        }
    )


def expert_coactivation(log: RouteLog) -> pd.DataFrame:
    """Count which experts of different layers are open together.

    Parameters
    ----------
    log : RouteLog
        As for `expert_load`.

    Returns
    -------
    DataFrame
        One row a pair of paths of two cells, the earlier first: ``cell``, ``path``, ``other_cell``, ``other_path``;
        ``together``, share of the rows that open both; ``lift``, that over the product of their own shares: 1 where
        one tells nothing of the other, NaN where one is never open.

    Raises
    ------
    InputError
        As `expert_load`.
    """
    opened, names, tables = log.opened(slice(None)).astype(np.float64), log.space.path_names, []
    share = opened.mean(axis=0)
    for (cell, paths), (other, others) in combinations(_checked(log), 2):
        together = opened[:, paths].T @ opened[:, others] / len(log)
        expected = np.outer(share[paths], share[others])
        lift = np.divide(together, expected, out=np.full_like(together, np.nan), where=expected > 0)
        a, b = np.indices(together.shape).reshape(2, -1)
        tables.append(
            pd.DataFrame(
                {
                    "cell": log.space.cell_names[cell],
                    "path": np.array(names[paths])[a],
                    "other_cell": log.space.cell_names[other],
                    "other_path": np.array(names[others])[b],
                    "together": together.ravel(),
                    "lift": lift.ravel(),
                }
            )
        )
    columns = ["cell", "path", "other_cell", "other_path", "together", "lift"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _choosing(log: RouteLog) -> list[tuple[int, slice]]:
    """Cells of several paths side by side, and their paths."""
    space = log.space
    if kind_of(space).layout != "lanes":
        return []
    slices = [(cell, space.paths_from(cell)) for cell in range(space.n_cells)]
    return [(cell, paths) for cell, paths in slices if paths.stop - paths.start > 1]


def _checked(log: RouteLog) -> list[tuple[int, slice]]:
    if not len(log):
        raise InputError("the log has no images; there is nothing to describe")
    found = _choosing(log)
    if not found:
        raise InputError(
            f"no cell of this space ({kind_of(log.space).title}) chooses among paths side by side; load and "
            "balance are of experts, branches, channel groups and choice blocks"
        )
    return found


def _classes(log: RouteLog, by: str) -> pd.Series:
    values = log.facts(by)[by]
    if values.isna().any():
        raise InputError(f"column {by!r} is missing in {int(values.isna().sum())} rows; give one that names each")
    return values.astype(str)


def _units(log: RouteLog, by: str) -> np.ndarray:
    """What is shuffled: images where all of an image's rows are of one class, else rows."""
    if UNIT in log.columns and by != UNIT:
        facts = log.facts(UNIT, by)
        if facts.groupby(UNIT)[by].nunique().max() == 1:
            return facts[UNIT].astype("category").cat.codes.to_numpy()
    return np.arange(len(log))


def _some(units: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of so many units as make up `MOST_ROWS`."""
    if len(units) <= MOST_ROWS:
        return np.arange(len(units))
    n_units = int(units.max()) + 1
    chosen = rng.choice(n_units, max(2, n_units * MOST_ROWS // len(units)), replace=False)
    return np.flatnonzero(np.isin(units, chosen))


def _choice(log: RouteLog, paths: slice) -> np.ndarray:
    """A number for each set of paths that rows open, ``(row,)``."""
    return np.unique(log.opened(slice(None))[:, paths], axis=0, return_inverse=True)[1]


def _bits(one: np.ndarray, other: np.ndarray) -> float:
    return float(max(mutual_info_score(one, other), 0) / np.log(2))


def _in_order(name: str) -> tuple[float, str]:
    """Numbers by their size, before words."""
    return (float(name), "") if name.replace(".", "", 1).isdigit() else (float("inf"), name)
