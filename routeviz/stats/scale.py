"""Does the route follow the scale of what images show? Correlations with it, and its prediction, against chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold, cross_val_predict, permutation_test_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from routeviz.errors import InputError
from routeviz.quantities import count
from routeviz.routelog import RouteLog
from routeviz.space.kinds import is_lattice
from routeviz.space.states import open_activations
from routeviz.stats.correlation import correlate, looked_at, unit_ranks

SCALE_FACTS = (
    "objects_median_area",
    "objects_share_small",
    "objects_share_medium",
    "objects_share_large",
    "objects_count",
)
"""What a log of labelled images knows of the scale of their objects."""

CORRELATION_WORDS = {
    "mean scale": "of the cells that open paths lead to, weighted by activation; 0 is the finest",
    "r": "Spearman's rank correlation over images, with its bootstrap interval (95 %, percentiles)",
    "change": "mean over the third of the images with the largest fact, less that over the third with the smallest",
    "p": "chance of an r as far from 0 when images are shuffled",
    "corrected": "chance of one as far from 0 anywhere in the table (max-statistic over all rows)",
}
"""What figures of `path_correlation` and `route_correlation` mean."""

ALIKE = 0.3
"""From this `neighbour_likeness` on, images are not taken to be independent without a word."""

LEVEL = 0.05
"""A corrected p-value below this is called an effect."""

FEATURES = ("activation", "open")

MOST_IMAGES = 5_000
"""Images that prediction learns from and is tested on; of more, a seeded sample."""


def route_measures(log: RouteLog) -> pd.DataFrame:
    """Measure each route as a whole.

    Parameters
    ----------
    log : RouteLog

    Returns
    -------
    DataFrame
        One row an image: in a lattice ``mean scale``, of the cells that open paths lead to, weighted by activation (0
        is the finest; NaN where nothing is open); ``open paths``, their number; and, where the log has them, ``MACs
        (conv)``.
    """
    weight = open_activations(log.space, log.gates)
    total = weight.sum(axis=1)
    coarse = weight @ log.space.paths.target_scale.to_numpy(np.float64)
    table = pd.DataFrame({"open paths": (weight > 0).sum(axis=1)})
    if is_lattice(log.space):  # elsewhere no path leads to another scale
        scale = np.divide(coarse, total, out=np.full(len(log), np.nan), where=total > 0)
        table.insert(0, "mean scale", scale)
    return table.assign(**{"MACs (conv)": log.facts("macs_conv").to_numpy()}) if "macs_conv" in log.columns else table


def route_correlation(log: RouteLog, *, facts: Sequence[str] | None = None, **settings: Any) -> pd.DataFrame:
    """Correlate measures of the whole route with the scale of objects.

    Parameters
    ----------
    log, facts, **settings
        As for `path_correlation`.

    Returns
    -------
    DataFrame
        As `routeviz.stats.correlate` gives it, ``value`` being a column of `route_measures`.

    Raises
    ------
    InputError
        If the log has no such column, or too few images have the facts.
    """
    log, known = _looked_at(log, facts, settings)
    return correlate(route_measures(log), known, **settings)


def path_correlation(log: RouteLog, *, facts: Sequence[str] | None = None, **settings: Any) -> pd.DataFrame:
    """Correlate each path's activation with the scale of objects.

    Parameters
    ----------
    log : RouteLog
        Of labelled images.
    facts : sequence of str, optional
        Columns of numbers; by default those of `SCALE_FACTS` that the log has.
    **settings
        permutations, resamples, confidence, sequence and seed: see `routeviz.stats.correlate`.

    Returns
    -------
    DataFrame
        As `routeviz.stats.correlate` gives it, ``value`` being the path's name, with ``layer``, ``scale`` and ``move``.
        A shut path counts as 0, and so does one whose cell is unreached; paths with one activation for all images are
        left out.

    Raises
    ------
    InputError
        If the log has no such column, or too few images have the facts.
    """
    log, known = _looked_at(log, facts, settings)
    table = correlate(
        pd.DataFrame(open_activations(log.space, log.gates), columns=list(log.space.path_names)), known, **settings
    )
    where = log.space.paths[["layer", "scale", "move"]].set_axis(log.space.path_names)
    return table.join(where, on="value")


def neighbour_likeness(log: RouteLog, *, facts: Sequence[str] | None = None) -> float:
    """Measure how alike neighbouring images are in the scale of their objects.

    Returns
    -------
    float
        Rank correlation of each image's fact with the next image's, the largest over the facts of `path_correlation`.
        Near 0 where images are independent; near 1 for frames of a film, whose p-values need ``sequence=True``.
    """
    ranks = unit_ranks(_facts(log, facts).dropna().to_numpy(np.float64).T)
    return float(max((one[:-1] @ one[1:] for one in ranks), default=0))


def correlation_verdict(table: pd.DataFrame) -> str:
    """Say in one sentence what a table of `path_correlation` or `route_correlation` shows, no effect included."""
    if table.empty:
        return "No effect: nothing differs between images."
    n_values, n_facts = table.value.nunique(), table.fact.nunique()
    beyond = table[table.p_corrected < LEVEL]
    asked = f"of the {n_values} that differ between images"
    of_scale = set(table.fact) <= set(SCALE_FACTS)
    facts = f"{n_facts} {'object-scale ' * of_scale}facts" if n_facts > 1 else table.fact.iloc[0]
    if beyond.empty:
        smallest = table.p_corrected.min()
        return f"No effect beyond chance: none {asked} goes with {facts} (smallest corrected p {smallest:.3f})."
    top = beyond.loc[beyond.r.abs().idxmax()]
    interval = "" if np.isnan(top.low) else f" [{top.low:+.2f}, {top.high:+.2f}]"
    change = f"{top.change:+.3f}" if abs(top.change) < 1e3 else f"{top.change:+,.0f}"
    return (
        f"An effect beyond chance: {beyond.value.nunique()} {asked} go with {facts} (corrected p < {LEVEL}), "
        f"most of all {top.value} with {top.fact}: r {top.r:+.2f}{interval}, {change} from the third of the "
        "images with the smallest to that with the largest."
    )


@dataclass(frozen=True, eq=False)
class Prediction:
    """How well a group of images is told from their routes alone; see `predict_groups`.

    Attributes
    ----------
    features : str
        What of the route: ``"activation"`` or ``"open"``.
    images, folds : int
    accuracy : float
        Share of the images predicted right, each by a classifier that had not seen it; mean over folds.
    chance : float
        Share of the most frequent group: what a guess reaches that knows no route.
    shuffled : ndarray, (permutation,)
        The accuracy of the same procedure with the groups shuffled among the images.
    p : float
        Share of the shuffles, counting the images' own order among them, that reach the accuracy.
    confusion : DataFrame
        Images by true (row) and predicted (column) group.
    """

    features: str
    images: int
    folds: int
    accuracy: float
    chance: float
    shuffled: np.ndarray
    p: float
    confusion: pd.DataFrame

    @property
    def verdict(self) -> str:
        """One sentence, no effect included."""
        if self.p >= LEVEL or self.accuracy <= self.chance:
            return f"No effect beyond chance (p {self.p:.3f})."
        return f"The route tells more than chance (p {self.p:.3f})."


def predict_groups(
    log: RouteLog,
    groups: pd.Series,
    *,
    features: str = "activation",
    folds: int = 5,
    permutations: int = 99,
    seed: int = 0,
) -> Prediction:
    """Predict each image's group, such as its scale class, from its route alone.

    Linear discriminant analysis (standardised features, covariances shrunk as Ledoit and Wolf do) is cross-validated in
    stratified, shuffled folds. Images are taken as independent: frames of one film are not, and their neighbours in the
    training part would give the answer away.

    Parameters
    ----------
    log : RouteLog
    groups : Series
        One value an image; images without one are left out.
    features : str
        ``"activation"`` of every path, or only whether it is ``"open"``.
    folds : int
    permutations : int
        Shuffles for the baseline.
    seed : int

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If there is but one group, a group has fewer images than folds, or a setting cannot be used.
    """
    if features not in FEATURES:
        raise InputError(f"unknown features {features!r}; valid: {', '.join(FEATURES)}")
    if len(groups) != len(log) or folds < 2 or permutations < 1:
        raise InputError(
            f"{len(groups)} groups for {len(log)} images, {folds} folds, {permutations} permutations; "
            "give one group an image, 2 folds or more, 1 permutation or more"
        )
    rows = np.flatnonzero(groups.notna())
    if len(rows) > MOST_IMAGES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_IMAGES, replace=False))
    truth = groups.iloc[rows].astype(str).to_numpy(dtype=object)
    counts = pd.Series(truth).value_counts()
    if len(counts) < 2 or counts.min() < folds:
        rows = log.rows_are
        given = ", ".join(f"{count(n, rows)} ({name})" for name, n in counts.items()) or f"no {rows}"
        raise InputError(f"groups of {given}; prediction in {folds} folds needs two or more groups of {folds} or more")
    gates = open_activations(log.space, log.gates[rows])
    seen = gates if features == "activation" else (gates > 0).astype(np.float64)
    classifier = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis("lsqr", shrinkage="auto"))
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    # Its checks of what it is given cost more than the fits.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        accuracy, shuffled, p = permutation_test_score(
            classifier, seen, truth, cv=parts, n_permutations=permutations, random_state=seed
        )
        predicted = cross_val_predict(classifier, seen, truth, cv=parts)
    names = list(dict.fromkeys(truth))
    confusion = pd.crosstab(truth, predicted).reindex(index=names, columns=names, fill_value=0)
    return Prediction(
        features=features,
        images=len(truth),
        folds=folds,
        accuracy=float(accuracy),
        chance=float(counts.max() / len(truth)),
        shuffled=shuffled,
        p=float(p),
        confusion=confusion.rename_axis(index="truth", columns="predicted"),
    )


def _looked_at(
    log: RouteLog, names: Sequence[str] | None, settings: Mapping[str, Any]
) -> tuple[RouteLog, pd.DataFrame]:
    """The images of a log that are looked at, and their facts; of a long log only these are held in memory."""
    facts = _facts(log, names)
    how = {key: settings[key] for key in ("sequence", "seed") if key in settings}
    rows = looked_at(facts.notna().to_numpy().all(axis=1), **how)
    images = log.facts("id", *(name for name in ("macs_conv",) if name in log.columns)).iloc[rows]
    return RouteLog(log.gates[rows], images, log.space), facts.iloc[rows]


def _facts(log: RouteLog, names: Sequence[str] | None) -> pd.DataFrame:
    names = [name for name in SCALE_FACTS if name in log.columns] if names is None else list(names)
    if not names:
        if log.source.get("model"):
            raise InputError(
                "a recorded log knows nothing of the scale of objects; name facts of its own (--fact, facts=[...]), or "
                "a class to predict (--by)"
            )
        raise InputError("this log knows nothing of the scale of objects; trace labelled images")
    if unknown := [name for name in names if name not in log.columns]:
        known = [name for name in SCALE_FACTS if name in log.columns]
        raise InputError(f"this log has no column {unknown[0]!r}; of the scale of objects it has {', '.join(known)}")
    facts = log.facts(*names)
    if text := [name for name in names if not pd.api.types.is_numeric_dtype(facts[name])]:
        raise InputError(f"{text[0]} holds no numbers; correlate with columns that do, such as {SCALE_FACTS[0]}")
    return facts
