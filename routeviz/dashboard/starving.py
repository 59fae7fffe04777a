"""What does it cost? MACs by kind of part, those of starved cells, and what becomes of images without these."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import caches, components, filtering, state
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.words import WORDS, percent, plain, short
from routeviz.errors import RoutevizError
from routeviz.quantities import count

if TYPE_CHECKING:
    from routeviz.dashboard.spending import Spending

LATTICE = "starved_lattice"
LISTED = 12
MOST_RUN = 24
MOST_PIXELS = 6_000_000
"""Of all images that are run: what runs here runs beside all others who use this dashboard."""


def show(collection: Collection, mask: np.ndarray, convention: str) -> None:
    """What the images that pass the filter spend; then some of them without starved cells."""
    size = collection.image_size
    if not collection.network_config or size is None:
        words = "What cells cost is counted from the network's settings, and this log does not hold them."
        st.info(words, icon=":material/info:")
        return
    key, log = filtering.passing_log(collection, mask)
    try:
        with st.spinner(f"Counting what {len(log):,} images spend in each part"):
            spent = caches.spending(key, collection.network_config, collection.how, size, convention, log)
            kinds, cells = spent.kinds, spent.cells
    except RoutevizError as error:
        st.info(plain(error), icon=":material/info:")
        return
    st.markdown(plain(verdict(spent, convention)), help=WORDS["image-blind"])
    starved = cells[cells["images"] > 0].sort_values("macs", ascending=False, kind="stable")
    if len(starved):
        lattice(spent)
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        st.markdown(f"**MACs of an image ({convention}), by kind of part**", help=WORDS["MACs"])
        st.table(by_kind(kinds), border="horizontal")
    with right:
        st.markdown("**Starved cells**", help=WORDS["image-blind"])
        if len(starved):
            st.table(by_cell(starved.head(LISTED), kinds["macs"].sum()), hide_index=True, border="horizontal")
            if len(starved) > LISTED:
                st.caption(f"And {len(starved) - LISTED} more, each of which costs less.")
        else:
            st.caption("None, in any of these images.")
    sample = f" A sample of {len(spent.log):,}, evenly spread." if len(spent.log) < len(log) else ""
    st.caption(f"Mean of {count(len(log), 'images')}, counted at {size[0]} × {size[1]}.{sample}")
    if len(starved):
        st.divider()
        without(collection, mask, convention)


def verdict(spent: Spending, convention: str) -> str:
    """Say what an image costs, and what of it starved cells do, none included."""
    total, starved, blind = spent.kinds[["macs", "starved", "blind"]].sum()
    said = f"An image costs {short(total)} MACs ({convention}) on average."
    states = spent.log.states
    if not states.starved.any():
        return f"{said} No cell is starved in any image: every cell that runs was sent something."
    cells, all_blind = (found.sum(axis=1).mean() for found in (states.starved, states.image_blind))
    return (
        f"{said} {percent(starved / total)} of it, {short(starved)}, goes into {cells:.1f} starved cells an image, "
        "which run although only zeros were sent to them. With the cells that only they feed it is "
        f"{percent(blind / total)}, {short(blind)}, in {all_blind:.1f} cells, which compute the same for every image."
    )


def lattice(spent: Spending) -> None:
    """The route of the image that spends most in starved cells."""
    log, cells = spent.log, spent.cells
    name = log.facts("id")["id"].iat[spent.most]
    components.lattice(
        log.space,
        np.nan_to_num(log.gates[spent.most]),
        key=LATTICE,
        title=f"Starved cells on the route of {name}",
        cell_notes={
            "starved in": [f"{percent(share)} of these images" for share in cells["images"]],
            "MACs while starved, mean": [short(value) for value in cells["macs"]],
        },
    )
    st.caption(plain(f"The route of {name}, the image that spends most in starved cells."))


def by_kind(kinds: pd.DataFrame) -> pd.DataFrame:
    """MACs by kind of part as a table for people, all of them last."""
    table = pd.concat([kinds, kinds.sum().to_frame("all").T])
    total = table["macs"].iat[-1]
    return pd.DataFrame(
        {
            "MACs": table["macs"].map(short),
            "share": (table["macs"] / total).map(percent),
            "in starved cells": table["starved"].map(short),
            "in cells that only they feed": (table["blind"] - table["starved"]).map(short),
        }
    )


def by_cell(starved: pd.DataFrame, total: float) -> pd.DataFrame:
    """Starved cells as a table for people, the dearest first."""
    return pd.DataFrame(
        {
            "cell": starved["cell"],
            "starved in": starved["images"].map(percent),
            "MACs there": starved["macs"].map(short),
            "share of all": (starved["macs"] / total).map(percent),
        }
    )


def without(collection: Collection, mask: np.ndarray, convention: str) -> None:
    """Run some images with starved cells and without, where that is asked for."""
    head = st.container(horizontal=True, vertical_alignment="center")
    head.markdown("**Starved cells treated as unreached**", width="content")
    wanted = head.toggle(
        "Run it",
        key=state.WITHOUT,
        bind=state.BOUND,
        help=f"Runs up to {MOST_RUN} of these images twice, as the network runs and with starved cells left out: what "
        "becomes of logits, classes, mIoU and time.",
    )
    if not wanted:
        return
    if collection.dataset is None or collection.checkpoint is None:
        st.info(plain(collection.missing), icon=":material/image_not_supported:")
        return
    if collection.how.forced is not None:
        st.info("The routes of this log were forced: trace one in which the gates are asked.", icon=":material/info:")
        return
    rows = np.flatnonzero(mask)
    height, width = collection.image_size
    most = int(np.clip(MOST_PIXELS // (height * width), 1, MOST_RUN))
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))].tolist()
    try:
        with st.spinner(f"Running {count(len(chosen), 'images')} with starved cells and without"):
            found = collection.without_starved(chosen)
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
        return
    st.markdown(plain(effect(found, convention)))
    numbers(found, convention)
    some = f"{len(chosen)} of the {len(rows):,} images that pass, evenly spread" if len(chosen) < len(rows) else ""
    said = f"{some or 'All images that pass'}. Time is of a forward pass, the median, where the dashboard runs."
    st.caption(f"{said} All images of the log, and every figure: this command.")
    st.code(command(collection), language="bash", wrap_lines=True)


def effect(found: Mapping[str, Any], convention: str) -> str:
    """Say what leaving starved cells out does, nothing included."""
    saved = 1 - found[f"macs_{convention}_without"] / found[f"macs_{convention}"]
    if not found["kl"] and not found["changed"]:
        return f"Without them nothing changes but the cost: {percent(saved)} of the MACs ({convention}) are saved."
    said = (
        f"Without them {percent(found['changed'])} of the pixels change class; {percent(saved)} of the MACs "
        f"({convention}) are saved. "
    )
    apart = found["miou_difference"]
    if apart is None:
        return f"{said}Of mIoU nothing can be said: that takes two labelled images."
    ends = f"{100 * apart['low']:+.2f} to {100 * apart['high']:+.2f} points"
    if apart["low"] <= 0 <= apart["high"]:
        return f"{said}mIoU does not change beyond chance ({ends}, 95 %)."
    return f"{said}mIoU {'rises' if apart['value'] > 0 else 'falls'} beyond chance ({ends}, 95 %)."


def numbers(found: Mapping[str, Any], convention: str) -> None:
    """What leaving starved cells out changes, beside the network as it runs."""
    places = st.columns(5)
    with places[0].container(gap=None):
        st.metric("changed pixels", percent(found["changed"]))
        st.caption(f"in {found['images_changed']} of {count(found['images'], 'images')}")
    with places[1].container(gap=None):
        st.metric(
            "KL divergence, nats", f"{found['kl']:.3g}", help="Of the class probabilities without them from those with."
        )
        st.caption(f"{found['gates']:.1f} gates an image answer otherwise")
    with places[2].container(gap=None):
        before, after = (np.nan if found[name] is None else found[name] for name in ("miou", "miou_without"))
        gain = None if np.isnan(after) else f"{100 * (after - before):+.2f} points"
        st.metric("mIoU of these images", percent(after), gain, help=WORDS["mIoU"])
        st.caption(f"with them {percent(before)}")
    with places[3].container(gap=None):
        before, after = found[f"macs_{convention}"], found[f"macs_{convention}_without"]
        change = f"{100 * (after / before - 1):+.2f}%"
        st.metric(f"MACs ({convention})", short(after), change, delta_color="inverse", help=WORDS["MACs"])
        st.caption(f"with them {short(before)}")
    with places[4].container(gap=None):
        saved = found["time_saved"]
        change = f"{-100 * saved['median']:+.1f}%"
        st.metric("time", f"{1e3 * found['seconds_without']:.1f} ms", change, delta_color="inverse")
        ends = f"quartiles {-100 * saved['high']:+.1f} to {-100 * saved['low']:+.1f}%"
        st.caption(f"with them {1e3 * found['seconds']:.1f} ms; {ends}")


def command(collection: Collection) -> str:
    """The command that runs all images of the log with starved cells and without."""
    root = getattr(collection.dataset, "root", None)
    words = ["routeviz", "costs", str(collection.log.folder), "--starved"]
    words += ["--checkpoint", str(collection.checkpoint.path)]
    words += ["--root", str(root)] if root is not None else []
    return shlex.join(words + collection.gate_flag())
