"""Networks side by side: accuracy, MACs and parameters, with the published figures and what explains a difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from routeviz.errors import InputError
from routeviz.stats import published
from routeviz.stats.published import PAPER, Published, published_figures

PAPER_NETWORK = (64, 19)
"""Width and classes of the published networks."""


@dataclass(frozen=True, kw_only=True)
class NetworkFacts:
    """What is known of one network; None for what is not.

    Attributes
    ----------
    name : str
    dynamic : bool
        Whether images decide over its paths.
    layers, width, num_classes : int
    parameters : int or None
    macs_avg, macs_max, macs_min : float or None
        Over images, in one convention and for one size of image; of a recorded log, over its rows.
    miou : float or None
        In [0, 1].
    dataset : str
        On which the mIoU was measured.
    published : str
        The name that it is published under, such as ``dynamic-a`` or ``unet``; empty, or any other, for none.
    cell_macs : float or None
        MACs of one open cell's operation, mean over the space, in the same convention: in it a difference is told.
    notes : tuple of str
        What a reader must know of the figures.
    """

    name: str
    dynamic: bool
    layers: int
    width: int
    num_classes: int
    parameters: int | None
    macs_avg: float | None = None
    macs_max: float | None = None
    macs_min: float | None = None
    miou: float | None = None
    dataset: str = ""
    published: str = ""
    cell_macs: float | None = None
    notes: tuple[str, ...] = ()


def compare_networks(networks: Sequence[NetworkFacts], *, image_size: tuple[int, int], convention: str) -> pd.DataFrame:
    """Set networks side by side, with what was published of them.

    Parameters
    ----------
    networks : sequence of NetworkFacts
        Their MACs counted for one size of image and in one convention.
    image_size : (H, W)
    convention : str

    Returns
    -------
    DataFrame
        One row a network: ``network``, ``dynamic``, ``miou``, ``macs_avg``, ``macs_max``, ``macs_min``, ``parameters``;
        ``published_miou``, ``published_macs``, ``published_parameters`` and ``published_by``, missing where nothing is
        published or it is of other settings; ``miou_difference``, ``macs_difference`` (of the average) and
        ``parameters_difference``, ours less theirs; ``notes``, a tuple of str, which say what explains a difference.

    Raises
    ------
    InputError
        If there are no networks.
    """
    if not networks:
        raise InputError("no networks to compare; give at least one")
    table = pd.DataFrame([_row(one, tuple(image_size), convention) for one in networks])
    whole = dict.fromkeys(("macs_max", "macs_min", "parameters"), "Int64")
    words = ("network", "dynamic", "published_by", "notes")
    return table.astype({name: whole.get(name, "float64") for name in table if name not in words})


def _row(facts: NetworkFacts, image_size: tuple[int, int], convention: str) -> dict[str, object]:
    theirs = published_figures(facts.published, facts.layers)
    notes, first = list(facts.notes), None
    if theirs:
        other = _other_settings(facts, image_size)
        first = None if other else theirs[0]
        notes += [f"published figures left out: they are of {other}"] if other else []
    row: dict[str, object] = {
        "network": facts.name,
        "dynamic": facts.dynamic,
        "miou": facts.miou,
        "macs_avg": facts.macs_avg,
        "macs_max": facts.macs_max,
        "macs_min": facts.macs_min,
        "parameters": facts.parameters,
        **{f"published_{what}": getattr(first, what, None) for what in ("miou", "macs", "parameters")},
        "published_by": first.source if first else None,
    }
    for what, ours in (("miou", facts.miou), ("macs", facts.macs_avg), ("parameters", facts.parameters)):
        known = None not in (ours, row[f"published_{what}"])
        comparable = what != "miou" or facts.dataset == published.DATASET
        row[f"{what}_difference"] = ours - row[f"published_{what}"] if known and comparable else None
    if first:
        notes += _explained(facts, theirs, convention)
    return row | {"notes": tuple(notes)}


def _other_settings(facts: NetworkFacts, image_size: tuple[int, int]) -> str:
    """In what the published network differs from this one; empty where in nothing."""
    parts = []
    if image_size != published.IMAGE_SIZE:
        parts.append("images of 1024x2048")
    if (facts.width, facts.num_classes) != PAPER_NETWORK:
        parts.append(f"C = {PAPER_NETWORK[0]} and {PAPER_NETWORK[1]} classes")
    return " and ".join(parts)


def _explained(facts: NetworkFacts, theirs: tuple[Published, ...], convention: str) -> Iterator[str]:
    first, *others = theirs
    if convention != published.CONVENTION:
        yield f"published MACs are of the convention {published.CONVENTION}, ours of {convention}"
    elif facts.macs_avg is not None:
        apart = facts.macs_avg - first.macs
        if abs(apart) < 0.0005e9:  # published with three decimals of a G
            yield "equal to what the released code counts"
        elif facts.published.lower().startswith(("dynamic", "common")):
            yield "which paths are open is learnt: it differs from training to training, the published ones included"
        elif facts.cell_macs:
            cells = f"{abs(apart) / facts.cell_macs:.0f} open cells {'fewer' if apart > 0 else 'more'}"
            yield (
                f"its route in the paper is not known here cell by cell; the difference is that of about {cells}, at "
                f"{facts.cell_macs / 1e9:.2f} G each at any stride"
            )
    if facts.dataset and facts.dataset != published.DATASET and first.miou is not None:
        yield f"our mIoU is of {facts.dataset}, the published one of Cityscapes: no difference is shown"
    if first.source == PAPER and not facts.dynamic:
        yield "published figures as remembered from the paper's table 1, not checked against it"
    for other in others:
        yield f"{other.source} comes to {100 * other.miou:.1f} % and {other.macs / 1e9:.1f} G"
