"""What gates tell of an image: the mutual information of open paths with its classes and with the scale of its objects.

Mutual information counted from a sample is never below 0 and biased upward, the more so the fewer the images. So every
figure comes with its level by chance: the mean over shuffles of the images, which keep how often each path is open and
how large each group is, and nothing else.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.routelog import RouteLog
from routeviz.stats.usage import binary_entropy

PRESENCE = "objects_count_"
MEDIAN_AREA = "objects_median_area"
SCALE_CLASS = "scale_class"

PERMUTATIONS = 199

MOST_IMAGES = 5_000
"""Images that mutual information is counted from; of more, a seeded sample."""


def image_groups(log: RouteLog) -> dict[str, pd.DataFrame]:
    """Group the images of a log by what is known of them.

    Parameters
    ----------
    log : RouteLog

    Returns
    -------
    dict of str to DataFrame
        One row an image, one column a grouping; missing where nothing is known. Those of these that tell images apart:

        - ``"scale class"``: the class of scale that the dataset knows;
        - ``"object scale"``: the median area of the image's objects, in thirds of the images;
        - ``"classes"``: for each class of the labels, whether the image holds it.
    """
    themes = {}
    if SCALE_CLASS in log.columns:
        themes["scale class"] = log.facts(SCALE_CLASS)
    if MEDIAN_AREA in log.columns:
        thirds = pd.qcut(log.facts(MEDIAN_AREA)[MEDIAN_AREA].astype(float), 3, labels=False, duplicates="drop")
        themes["object scale"] = thirds.to_frame()
    if present := [name for name in log.columns if name.startswith(PRESENCE)]:
        held = log.facts(*present).astype(float).gt(0)
        themes["classes"] = held.rename(columns=lambda name: name.removeprefix(PRESENCE))
    told = {name: table.loc[:, table.nunique() > 1] for name, table in themes.items()}
    return {name: table for name, table in told.items() if table.shape[1]}


def mutual_information(
    log: RouteLog, groups: pd.DataFrame | pd.Series, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> pd.DataFrame:
    """Measure what each path's being open tells of the group that an image belongs to.

    Parameters
    ----------
    log : RouteLog
        Its images are taken as independent of each other; frames of one film are not.
    groups : DataFrame or Series
        One row an image, one column a grouping, as `image_groups` gives them. Images without a group are left out.
    permutations : int
        Shuffles of the images; all columns move together.
    seed : int
        Of the shuffles.

    Returns
    -------
    DataFrame
        One row a grouping and path that some images open and others do not (any other path tells nothing):
        ``grouping``, ``path``, ``layer``, ``scale``, ``move``; ``bits``, the mutual information of whether the path is
        open and the group, as counted; ``chance``, its mean over shuffles; ``p``, the share of shuffles, counting the
        images' own order among them, whose largest value over all rows is as large (max-statistic: corrected for the
        number of rows).

    Raises
    ------
    InputError
        If no image has a group, there is another number of rows than of images, or no permutation.
    """
    groups = pd.DataFrame(groups)
    if len(groups) != len(log):
        raise InputError(f"{len(groups)} rows of groups for {len(log)} images; give one row for each image")
    if permutations < 1:
        raise InputError(f"{permutations} permutations; give 1 or more")
    rows = np.flatnonzero(groups.notna().all(axis=1))
    if not len(rows):
        raise InputError("no image has a group; give groups of at least some images")
    rng = np.random.default_rng(seed)
    if len(rows) > MOST_IMAGES:
        rows = np.sort(rng.choice(rows, MOST_IMAGES, replace=False))
    is_open = log.opened(rows)
    decided = np.flatnonzero(is_open.any(axis=0) & ~is_open.all(axis=0))
    is_open = is_open[:, decided].astype(np.float32)
    indicators, columns, sizes = _indicators(groups.iloc[rows])
    share = is_open.mean(axis=0, dtype=np.float64)

    def bits(order: np.ndarray) -> np.ndarray:
        """Mutual information ``(grouping, path)`` with the images' groups in another order."""
        within = (indicators[order].T @ is_open).astype(np.float64) / sizes[:, None]
        told = (sizes / len(order))[:, None] * binary_entropy(within)
        return binary_entropy(share) - np.add.reduceat(told, columns, axis=0)

    found = bits(np.arange(len(is_open)))
    chance, beyond = np.zeros_like(found), np.ones_like(found)
    for _ in range(permutations):
        shuffled = bits(rng.permutation(len(is_open)))
        chance += shuffled / permutations
        beyond += shuffled.max(initial=0) >= found - 1e-9
    paths = log.space.paths[["layer", "scale", "move"]].iloc[decided]
    paths.insert(0, "path", np.array(log.space.path_names)[decided])
    names = np.repeat(groups.columns.astype(str).to_numpy(dtype=object), len(decided))
    table = pd.concat([paths] * groups.shape[1], ignore_index=True)
    table.insert(0, "grouping", names)
    return table.assign(
        bits=np.maximum(found, 0).ravel(), chance=chance.ravel(), p=(beyond / (permutations + 1)).ravel()
    )


def _indicators(groups: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each image is in each group ``(image, group)``, where each grouping's groups begin, and their sizes."""
    parts = [pd.get_dummies(column.astype(object)).to_numpy(np.float32) for _, column in groups.items()]
    starts = np.cumsum([0, *(part.shape[1] for part in parts[:-1])])
    indicators = np.concatenate(parts, axis=1)
    return indicators, starts, indicators.sum(axis=0, dtype=np.float64)
