"""The one filter that all views share: a list of conditions in words, which hold together; no streamlit.

Conditions are text, so that they can be shown, typed and kept in the address as they are: ``L3 s1 up open``,
``MACs (conv) 69 M to 70.5 M``, ``mIoU 40% to 60%``, ``scale class small or mixed``, ``digit is 3``, ``loss 0.1 to 2``,
``cluster 2 of 4``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from routeviz.quantities import UNITS, quantity
from routeviz.routelog import RouteLog
from routeviz.space import STATES, kind_of

if TYPE_CHECKING:
    from routeviz.dashboard.population import Population

UNKNOWN = "unknown"
"""The name of rows that a column of names says nothing of."""

MOST_CORNERS = 24
MOST_CONDITIONS = 40
MOST_CLUSTERS = 12

_N = r"(-?[\d.]+(?:e[+-]?\d+)?)"
_AMOUNT = rf"{_N} ?([kMGT]?)"
_RANGE = rf"{_N} to {_N}"
_WORDS = "open|shut|closed|unreached"
_IS = r"(\w+) is (.+)"


@dataclass(frozen=True)
class Evidence:
    """What conditions are about: the facts of images, and where there is a log, its routes.

    ``population()`` and ``nearest(metric)`` (the nearest architecture of each image) are called where a condition needs
    them.
    """

    facts: pd.DataFrame
    log: RouteLog | None = None
    population: Callable[[], Population] | None = None
    nearest: Callable[[str], Sequence[str]] | None = None


def passing(conditions: Iterable[str], evidence: Evidence) -> tuple[np.ndarray, list[str]]:
    """Which images meet all conditions.

    Returns
    -------
    mask : ndarray, (image,) bool
    unknown : list of str
        Conditions that say nothing about these images; they are left out.
    """
    mask, unknown = np.ones(len(evidence.facts), bool), []
    for condition in list(conditions)[:MOST_CONDITIONS]:
        one = _holds(condition, evidence)
        if one is None:
            unknown.append(condition)
        else:
            mask &= one
    return mask, unknown


def subject(condition: str) -> str:
    """What a condition is about: of one subject there is one condition at a time."""
    if re.match(r"id\b", condition):
        return "id"
    if re.match("box|lasso", condition):
        return "place"
    if found := re.fullmatch(_IS, condition):
        return found[1]
    if found := re.fullmatch(rf"(.+) (?:{_WORDS}|{_RANGE})", condition):
        return found[1]
    return re.split(r" (?=-?\d)|(?<=class) |(?<=nearest) ", condition)[0]


def replaced(conditions: Sequence[str], condition: str) -> list[str]:
    """The conditions with a new one in place of that of the same subject."""
    about = subject(condition)
    return [*without(conditions, about), condition]


def without(conditions: Sequence[str], about: str) -> list[str]:
    """The conditions but for those of a subject."""
    return [one for one in conditions if subject(one) != about]


def about(conditions: Sequence[str], wanted: str) -> str:
    """The condition of a subject; empty where there is none."""
    return next((one for one in conditions if subject(one) == wanted), "")


def turned(conditions: Sequence[str], name: str, *, cell: bool) -> list[str]:
    """What a click on a path or cell makes of the conditions: open, then not open, then any."""
    shut = "closed" if cell else "shut"
    now = about(conditions, name)
    if now == f"{name} open":
        return replaced(conditions, f"{name} {shut}")
    return without(conditions, name) if now == f"{name} {shut}" else replaced(conditions, f"{name} open")


def macs_between(convention: str, low: float, high: float) -> str:
    """Condition on MACs; five digits of each end are kept."""
    return f"MACs ({convention}) {amount(low)} to {amount(high)}"


def amount(number: float) -> str:
    """A count with its unit, in five digits."""
    return quantity(number, ".5g", ".5g")


def share_between(low: float, high: float) -> str:
    """Condition on mIoU, from shares."""
    return f"mIoU {100 * low:.4g}% to {100 * high:.4g}%"


def activation_between(name: str, low: float, high: float) -> str:
    """Condition on the activation of a path, or (``layer 3``) of any path of a layer."""
    return f"{name} {low:.3g} to {high:.3g}"


def classes_among(column: str, values: Sequence[str]) -> str:
    """Condition on a fact in words, such as the scale class."""
    return f"{column.replace('_', ' ')} {' or '.join(values)}"


def one_of(column: str, values: Sequence[object]) -> str:
    """Condition on any column of the log that names a class for each row: ``digit is 3 or 5``."""
    return f"{column} is " + " or ".join(map(str, values))


def inside(x: Sequence[float], y: Sequence[float], *, box: bool) -> str:
    """Condition on the place among the principal components: within a rectangle, or an outline of few corners."""
    if box:
        return f"box {min(x):.4g} to {max(x):.4g}, {min(y):.4g} to {max(y):.4g}"
    every = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_CORNERS)).astype(int))
    return "lasso " + ", ".join(f"{x[at]:.3g} {y[at]:.3g}" for at in every)


def outline(condition: str) -> np.ndarray | None:
    """Corners of a condition on the place, ``(corner, 2)``; None for any other."""
    if found := re.fullmatch(rf"box {_N} to {_N}, {_N} to {_N}", condition):
        left, right, low, high = map(_number, found.groups())
        return np.array([(left, low), (right, low), (right, high), (left, high)])
    if re.fullmatch(rf"lasso {_N} {_N}(?:, {_N} {_N}){{2,}}", condition):
        return np.array([_number(text) for text in re.findall(_N, condition.removeprefix("lasso"))]).reshape(-1, 2)
    return None


def span(condition: str) -> tuple[float, float] | None:
    """Ends of a condition on MACs (as counts), mIoU (as shares) or an activation; None for any other."""
    if found := re.fullmatch(rf"MACs \(\w+\) {_AMOUNT} to {_AMOUNT}", condition):
        low, low_unit, high, high_unit = found.groups()
        return _number(low) * UNITS[low_unit], _number(high) * UNITS[high_unit]
    if found := re.fullmatch(rf"mIoU {_N}% to {_N}%", condition):
        return _number(found[1]) / 100, _number(found[2]) / 100
    found = re.fullmatch(rf"(.+) {_RANGE}", condition) if subject(condition) != "place" else None
    return (_number(found[2]), _number(found[3])) if found else None


def _holds(condition: str, evidence: Evidence) -> np.ndarray | None:
    facts = evidence.facts
    if condition.startswith("id has "):
        text = condition.removeprefix("id has ")
        return facts["id"].str.contains(text, case=False, regex=False).to_numpy(bool)
    if found := re.match(r"MACs \((\w+)\) ", condition):
        return _between(facts, f"macs_{found[1]}", condition)
    if condition.startswith("mIoU "):
        return _between(facts, "miou", condition)
    if condition.startswith("scale class ") and "scale_class" in facts:
        return _named(facts["scale_class"], condition.removeprefix("scale class "))
    if (found := re.fullmatch(_IS, condition)) and found[1] in facts:
        return _named(facts[found[1]], found[2])
    if (found := re.fullmatch(rf"(\w+) {_RANGE}", condition)) and found[1] in facts:
        return _between(facts, found[1], condition) if pd.api.types.is_numeric_dtype(facts[found[1]]) else None
    return None if evidence.log is None or not len(evidence.log) else _route_holds(condition, evidence)


def _named(column: pd.Series, names: str) -> np.ndarray:
    """Which rows of a column have one of some names; a name may itself hold "or"."""
    wanted = [names, *names.split(" or ")]
    found = column.astype(str).isin(wanted) & column.notna()
    return (found | column.isna()).to_numpy(bool) if UNKNOWN in wanted else found.to_numpy(bool)


def _between(facts: pd.DataFrame, column: str, condition: str) -> np.ndarray | None:
    ends = span(condition)
    if ends is None or column not in facts:
        return None
    # The ends were rounded to five digits: what was at an end when it was chosen is still within.
    slack = 5e-5 * max(map(abs, ends))
    return facts[column].between(ends[0] - slack, ends[1] + slack).to_numpy(bool)


def _route_holds(condition: str, evidence: Evidence) -> np.ndarray | None:
    space = evidence.log.space
    if found := re.fullmatch(rf"(.+) ({_WORDS})", condition):
        name, word = found.groups()
        if name in space.path_names and word in ("open", "shut"):
            is_open = evidence.population().opened(space.path_names.index(name))
            return is_open if word == "open" else ~is_open
        if name in space.cell_names and word in STATES:
            return evidence.log.states.state[:, space.cell_names.index(name)] == STATES.index(word)
        return None
    if found := re.fullmatch(rf"(.+) {_RANGE}", condition):
        name, low, high = found[1], _number(found[2]), _number(found[3])
        if name in space.path_names:
            return evidence.population().between(space.path_names.index(name), low, high)
        if layer := re.fullmatch(rf"{kind_of(space).column} (\d+)", name):
            return evidence.population().any_between(int(layer[1]), low, high)
    if found := re.fullmatch(r"cluster (\d+) of (\d+)", condition):
        number, total = int(found[1]), int(found[2])
        if not 1 <= number <= total <= MOST_CLUSTERS:
            return None
        return evidence.population().clusters(total).cluster == number - 1
    if found := re.fullmatch(r"nearest (\w+) \((\w+)\)", condition):
        names = evidence.nearest(found[2])
        return None if names is None else np.asarray(names) == found[1]
    corners = outline(condition)
    return None if corners is None else _within(evidence.population().places, corners)


def _within(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Which places lie within a polygon: a ray to the right from there crosses its edges an odd number of times."""
    x, y = places.astype(np.float64).T
    odd = np.zeros(len(places), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        odd ^= crosses & (x < x0 + (x1 - x0) * (y - y0) / ((y1 - y0) or 1.0))
    return odd


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
