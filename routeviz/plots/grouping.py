"""Groups of a log's images: by a column, by labels of the caller's own, or by the scale of their objects."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from routeviz.errors import InputError
from routeviz.routelog import RouteLog


def labels_by(log: RouteLog, by: str | Sequence[object]) -> pd.Series:
    """Return the group of each image, as text; missing where it has none.

    Parameters
    ----------
    log : RouteLog
    by : str or sequence
        A column of the log, or one label for each image.

    Raises
    ------
    InputError
        If there is no such column, or another number of labels than of images.
    """
    if isinstance(by, str):
        values = log.facts(by)[by]
    elif len(by) != len(log):
        raise InputError(f"{len(by)} labels for {len(log)} images; give one for each, or the name of a column")
    else:
        values = pd.Series(list(by))
    values = values.astype(object)
    return values.where(values.isna(), values.astype(str))


def scale_groups(log: RouteLog) -> pd.Series:
    """Return the scale of each image's objects: ``small``, ``mixed`` or ``large``.

    The dataset's own ``scale_class`` where the log has one. Else thirds of the images by the share of labelled pixels
    that lie in small objects (``objects_share_small``): ``small`` is the third with most of them.

    Raises
    ------
    InputError
        If the log knows nothing of the scale of objects.
    """
    if "scale_class" in log.columns:
        return labels_by(log, "scale_class")
    if "objects_share_small" not in log.columns:
        raise InputError("this log does not know the scale of its images' objects; trace a dataset with labels")
    rank = log.facts("objects_share_small")["objects_share_small"].rank(pct=True)
    named = pd.cut(rank, [0, 1 / 3, 2 / 3, 1], labels=["large", "mixed", "small"])
    return named.astype(object)
