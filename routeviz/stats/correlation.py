"""Rank correlation of many values with a few facts over the same images: what is beyond chance, and how sure it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, rankdata

from routeviz.errors import InputError

MOST_IMAGES = 2_000
"""Images that are looked at; of more, a seeded sample (of a sequence, the first)."""

LEAST_IMAGES = 5

_SHUFFLED_TOGETHER = 64
_RANKED_TOGETHER = 8


def correlate(
    values: pd.DataFrame,
    facts: pd.DataFrame,
    *,
    permutations: int = 999,
    resamples: int = 999,
    confidence: float = 0.95,
    sequence: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate every column of one table with every column of another, by ranks (Spearman).

    Parameters
    ----------
    values, facts : DataFrame
        One row an image, in the same order. Images that lack any of them are left out, and so are columns that hold the
        same for all images, as they can follow nothing.
    permutations : int
        Shuffles of the images of `facts` for the p-values; all facts move together, against all values.
    resamples : int
        Bootstrap resamples of the images for the intervals (percentiles, by SciPy); 0 leaves the intervals out.
    confidence : float
        Of the intervals.
    sequence : bool
        The images are a film's frames in their order, so that neighbours are alike and not independent. Shuffles are
        then shifts of the whole sequence, its end joined to its beginning, and resamples are made of runs of about
        √images neighbours.
    seed : int

    Returns
    -------
    DataFrame
        One row a fact and value: ``fact``, ``value``; ``images`` counted; ``r``, Spearman's rank correlation; ``low``
        and ``high``, its interval (each on its own: where many are looked at, the largest r is likely too large);
        ``change``, mean of the value over the third of the images with the largest fact, less that over the third with
        the smallest; ``p``, share of shuffles, counting the images' own order among them, with an r at least as far
        from 0; ``p_corrected``, share of shuffles in which the r farthest from 0 of all rows is as far (max-statistic,
        single step): the chance of as much anywhere in the table if nothing follows anything.

    Raises
    ------
    InputError
        If the tables differ in length, fewer than five images are left, or there are no permutations.
    """
    if len(values) != len(facts):
        raise InputError(f"values of {len(values)} images and facts of {len(facts)}; give both of the same images")
    if permutations < 1 or resamples < 0 or not 0 < confidence < 1:
        raise InputError(
            f"{permutations} permutations, {resamples} resamples, confidence {confidence}; "
            "give at least 1, at least 0, and a share between 0 and 1"
        )
    complete = values.notna().to_numpy().all(axis=1) & facts.notna().to_numpy().all(axis=1)
    rows, rng = looked_at(complete, sequence=sequence, seed=seed), np.random.default_rng(seed)
    if len(rows) < LEAST_IMAGES:
        raise InputError(
            f"{len(rows)} images have {', '.join(map(str, facts))}; a correlation needs {LEAST_IMAGES} or more"
        )
    names, arrays = [], []
    for table in (facts, values):
        array = table.to_numpy(np.float64)[rows].T  # (column, image)
        varies = np.ptp(array, axis=1) > 0
        names.append(table.columns[varies])
        arrays.append(array[varies])
    fact, value = arrays
    r = unit_ranks(fact) @ unit_ranks(value).T  # (fact, value)
    p, p_corrected, low, high, change = np.full((5, *r.shape), np.nan)
    if r.size:
        p, p_corrected = _chances(fact, value, r, _orders(len(rows), permutations, sequence, rng))
        change = _change(fact, value)
    if r.size and resamples:
        low, high = _interval(fact, value, _runs(len(rows), sequence), resamples, confidence, rng)
    columns = {"r": r, "low": low, "high": high, "change": change, "p": p, "p_corrected": p_corrected}
    return pd.DataFrame(
        {"fact": np.repeat(names[0], len(names[1])), "value": np.tile(names[1], len(names[0])), "images": len(rows)}
        | {name: array.ravel() for name, array in columns.items()}
    )


def looked_at(complete: np.ndarray, *, sequence: bool = False, seed: int = 0) -> np.ndarray:
    """Positions of the images that `correlate` looks at.

    Parameters
    ----------
    complete : ndarray, (image,) bool
        Whether an image lacks nothing.
    sequence, seed
        As for `correlate`.

    Returns
    -------
    ndarray, (at most `MOST_IMAGES`,)
    """
    rows = np.flatnonzero(complete)
    if len(rows) <= MOST_IMAGES:
        return rows
    return rows[:MOST_IMAGES] if sequence else np.sort(np.random.default_rng(seed).choice(rows, MOST_IMAGES, False))


def unit_ranks(table: np.ndarray) -> np.ndarray:
    """Ranks along the last axis (equal values share theirs), centred and of length 1: their products are correlations.

    Where all values are equal the ranks are 0, and so is every correlation with them.
    """
    ranks = rankdata(table, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(ranks, axis=-1, keepdims=True)
    return np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)


def _orders(n: int, permutations: int, sequence: bool, rng: np.random.Generator) -> np.ndarray:
    """Orders of the images under chance, ``(permutation, image)``: of a sequence there are no more than n - 1."""
    if sequence:
        shifts = rng.permutation(np.arange(1, n))[:permutations]
        return (np.arange(n) + shifts[:, None]) % n
    return rng.permuted(np.tile(np.arange(n), (permutations, 1)), axis=1)


def _chances(fact: np.ndarray, value: np.ndarray, r: np.ndarray, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P-value of each correlation on its own, and of the whole table's largest being as large; ``(fact, value)``."""
    fact, value = unit_ranks(fact), unit_ranks(value)
    own, largest = np.ones_like(r), np.ones_like(r)
    reach = np.abs(r) - 1e-9
    for some in np.array_split(orders, -(-len(orders) // _SHUFFLED_TOGETHER)):
        chance = np.abs(fact[:, some] @ value.T)  # (fact, permutation, value)
        own += (chance >= reach[:, None]).sum(axis=1)
        largest += (chance.max(axis=(0, 2))[:, None, None] >= reach).sum(axis=0)
    return own / (len(orders) + 1), largest / (len(orders) + 1)


def _runs(n: int, sequence: bool) -> np.ndarray:
    """Positions of images that are drawn together, ``(run, image)``: each alone, or neighbours."""
    length = round(n**0.5) if sequence else 1
    return (np.arange(0, n, length)[:, None] + np.arange(length)) % n


def _interval(
    fact: np.ndarray, value: np.ndarray, runs: np.ndarray, resamples: int, confidence: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    columns, n = np.concatenate([fact, value]), runs.max() + 1
    groups = [_equals(column) for column in columns]

    def correlations(drawn: np.ndarray, axis: int) -> np.ndarray:
        """Correlations ``(fact, value, ...)`` of the images in the runs drawn ``(..., run)``."""
        images = runs[drawn].reshape(-1, drawn.shape[-1] * runs.shape[1])
        batch = len(images)
        cells = (images + n * np.arange(batch)[:, None]).ravel()
        times = np.bincount(cells, minlength=batch * n).reshape(batch, n)  # how often an image is drawn
        units = np.empty((len(columns), batch, n))
        for unit, (order, starts, group) in zip(units, groups, strict=True):
            # Nothing is sorted anew: an image drawn twice has the rank of its equals, of whom there is one more.
            sizes = np.add.reduceat(times[:, order], starts, axis=1)
            centred = np.cumsum(sizes, axis=1) - (sizes + images.shape[1]) / 2
            np.multiply(centred[:, group], np.sqrt(times), out=unit)
        units = units / np.maximum(np.linalg.norm(units, axis=-1, keepdims=True), 1e-12)
        r = np.einsum("fbi,vbi->fvb", units[: len(fact)], units[len(fact) :], optimize=True)
        return r.reshape(len(fact), len(value), *drawn.shape[:-1])

    found = bootstrap(
        (np.arange(len(runs)),),
        correlations,
        n_resamples=resamples,
        batch=_RANKED_TOGETHER,
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=rng,
    ).confidence_interval
    return found.low, found.high


def _equals(column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images by their values: their order, where in it each new value begins, and the number of each image's value."""
    order = np.argsort(column, kind="stable")
    _, group, sizes = np.unique(column, return_inverse=True, return_counts=True)
    return order, np.cumsum(sizes) - sizes, group


def _change(fact: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Mean value where a fact is large less that where it is small, ``(fact, value)``."""
    low, high = np.quantile(fact, [1 / 3, 2 / 3], axis=1)[..., None]
    return np.stack(
        [
            value[:, top].mean(axis=1) - value[:, bottom].mean(axis=1)
            for top, bottom in zip(fact >= high, fact <= low, strict=True)
        ]
    )
