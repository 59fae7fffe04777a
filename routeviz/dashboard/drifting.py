"""Drift: the routes of the same images at every checkpoint of a training run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import asked, caches, components, curves, exports, runs, state, work
from routeviz.dashboard.chooser import choose_run
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import Item
from routeviz.dashboard.steps import choose_step
from routeviz.dashboard.words import UNKNOWN, plain
from routeviz.errors import RoutevizError

LATTICE = "drift_lattice"
NAMED = 12
COLUMNS = {
    "step": "step",
    "alive": "alive",
    "born": "born",
    "died": "died",
    "changed": "changed",
    "open": "open",
    "decided": "decided",
    "entropy": "entropy, bits",
    "routes": "routes",
    "miou": "mIoU",
    "macs_released": "MACs, M",
    "expected_macs_released": "expected, M",
    "warnings": "warnings",
}
"""What the table of all steps shows of `routeviz.stats.drift`, and how it is called."""

SHARES = ("changed", "open", "miou")


def show(settings: Settings, shelf: Sequence[Item]) -> None:
    """The drift of one run, chosen in the sidebar, and a way to trace another."""
    item = choose_run(settings, shelf)
    if item is None:
        return
    run = caches.training_run(str(item.path), runs.stamp(item.path))
    if not run.checkpoints:
        st.info(
            "This run has metrics only: drift is followed where its folder holds checkpoints.",
            icon=":material/scatter_plot:",
        )
        return
    drifts = drifts_of(run, shelf)
    if drifts:
        with st.sidebar:
            chosen = asked.choose("Followed on", list(drifts), lambda: next(iter(drifts)), key=state.DRIFT)
        asked.say(state.DRIFT, "drift")
        drift_view(run, drifts[chosen])
    else:
        st.info(
            "The checkpoints of this run were not sent the same images yet. Do it here, or with routeviz drift.",
            icon=":material/timeline:",
        )
    with st.expander("Follow the checkpoints on other images", expanded=not drifts, icon=":material/add:"):
        work.show_drift(settings, item, len(run.checkpoints))


def drifts_of(run: runs.Run, shelf: Sequence[Item]) -> dict[str, dict[int, Item]]:
    """Find what `routeviz drift` left of a run: the logs of its checkpoints, by step, in a folder each.

    A log belongs to a checkpoint whose file's name is that of its folder and whose hash it names.
    """
    steps = {item.path.stem: step for step, item in run.checkpoints.items()}
    folders: dict[str, dict[int, Item]] = defaultdict(dict)
    for item in shelf:
        step = steps.get(item.path.name)
        if item.kind == "log" and step is not None and caches.made_by(item) == caches.sha256(run.checkpoints[step]):
            folders[item.name.rpartition("/")[0]][step] = item
    return {name: dict(sorted(logs.items())) for name, logs in folders.items()}


@st.fragment
def drift_view(run: runs.Run, items: Mapping[int, Item]) -> None:
    """All of one drift; only this runs again when another step is chosen."""
    key = tuple(caches.key_of(item.path, item.stamp) for item in items.values())
    try:
        with st.spinner(f"Describing {len(items)} route logs"):
            found = caches.drift(key, {step: str(item.path) for step, item in items.items()})
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
        return
    table, first = found.table, next(iter(found.logs.values()))
    data = first.source.get("dataset") or {}
    missing = len(run.checkpoints) - len(items)
    st.caption(
        plain(
            f"{len(items)} checkpoints on the same {len(first):,} images of {data.get('name')}, {data.get('split')}"
            + (f"; {missing} of the run's are not traced yet" if missing else "")
        )
    )
    st.markdown(plain(verdict(table, first.space.n_paths)))
    step = choose_step(list(found.logs), "with a log")
    sheets = {
        "Paths": curves.paths(run, table),
        "Entropy of gates": curves.entropy(run, table, found.entropy),
        "MACs": curves.drifted_macs(run, table),
    }
    for place, (title, sheet) in zip(st.columns(len(sheets)), sheets.items(), strict=True):
        with place:
            head = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
            head.markdown(f"**{title}**", width="content")
            with head:
                exports.offer(lambda sheet=sheet: sheet, key=f"drift_{title}", name=f"{title} along the training")
            st.plotly_chart(
                curves.drawn(sheet, step),
                key=f"drift_{title}",
                config={"displayModeBar": False},
                alt=f"{title} by step",
            )
    lattice(found, step)
    left, right = st.columns([1, 1.5], gap="medium")
    with left:
        events(found, step)
    with right:
        warnings(found.warnings[step], step)
    st.markdown("**All checkpoints**")
    show_table(table)


def verdict(table: pd.DataFrame, n_paths: int) -> str:
    """Say in one or two sentences how routes changed from the first checkpoint to the last, no change included."""
    first, last = table.iloc[0], table.iloc[-1]
    if len(table) == 1:
        return f"Step {int(first.step):,} alone: {int(first.alive)} of {n_paths} paths are open for any image."
    died, born = int(table["died"].sum()), int(table["born"].sum())
    if died or born:
        moved = f"paths died: {died}, born: {born}"
    else:
        moved = "no path died or was born" if table["changed"].max() > 0 else "no image's route changed"
    decided = f"{int(last.decided)} decided by the image" if last.decided else "none decided by the image: it is static"
    said = (
        f"From step {int(first.step):,} to {int(last.step):,}, {moved}. At the end {int(last.alive)} of {n_paths} are "
        f"open for any image, {decided}."
    )
    costs = {
        "macs_released": "real MACs change",
        "expected_macs_released": "expected MACs, which a budget steers, change",
    }
    changed = [
        f"{words} by {100 * (last[name] / first[name] - 1):+.1f}%" for name, words in costs.items() if name in table
    ]
    return f"{said} On average {' and '.join(changed)}." if changed else said


def lattice(found: runs.Drift, step: int) -> None:
    """The entropy of each gate at a step."""
    space, entropy = found.logs[step].space, found.entropy[step].to_numpy()
    components.lattice(
        space,
        np.nan_to_num(found.activation[step].to_numpy()),
        key=LATTICE,
        title=f"Entropy of each gate at step {step:,}",
        weights=("entropy 0 to 1 bit", entropy),
        path_notes={
            "entropy": [
                ", ".join(f"{value:.3f} at step {at:,}" for at, value in zip(found.entropy, row, strict=True))
                for row in found.entropy.to_numpy()
            ]
        },
    )
    st.caption(
        "Width and colour: entropy over images of whether a path is open, at this step. 0: it is open for all images "
        "or shut for all; only where it is above 0 is the network dynamic."
    )


def events(found: runs.Drift, step: int) -> None:
    """Paths that were born or died since the checkpoint before."""
    steps = list(found.logs)
    st.markdown(f"**Paths born and died by step {step:,}**")
    if step == steps[0]:
        st.caption("It is the first checkpoint: nothing lies before it.")
        return
    shown = found.events[found.events["step"] == step]
    if shown.empty:
        st.caption(f"None since step {steps[steps.index(step) - 1]:,}.")
        return
    table = shown[["path", "event", "before", "after"]].assign(before=100 * shown["before"], after=100 * shown["after"])
    share = {"before": "open in, before", "after": "open in, now"}
    st.dataframe(
        table,
        hide_index=True,
        height=components.table_height(len(shown)),
        column_config={name: st.column_config.NumberColumn(words, format="%.1f%%") for name, words in share.items()},
    )


def warnings(found: pd.DataFrame, step: int) -> None:
    """What has collapsed at a step, with the step since which it holds."""
    if found.empty:
        st.success(f"No collapse at step {step:,}.", icon=":material/check_circle:")
        return
    lines = [f"Collapsed at step {step:,}, each with the step since which it holds:"]
    for (kind, meaning), of_kind in found.groupby(["kind", "meaning"], sort=False):
        named = ", ".join(f"{row.where} ({row.since:,})" for row in of_kind[:NAMED].itertuples())
        more = f" and {len(of_kind) - NAMED} more" if len(of_kind) > NAMED else ""
        lines.append(f"- **{kind}**, {len(of_kind)}: {plain(meaning)}. {plain(named)}{more}")
    st.warning("\n".join(lines), icon=":material/warning:")


def show_table(table: pd.DataFrame) -> None:
    """One row a checkpoint, and what its figures mean."""
    from routeviz.stats import DRIFT_WORDS

    shown = table[[name for name in COLUMNS if name in table]].copy()
    for names, unit in ((SHARES, 0.01), (("macs_released", "expected_macs_released"), 1e6)):
        for name in shown.columns.intersection(names):
            shown[name] = shown[name] / unit
    formats = {"entropy": "%.3f", "macs_released": "%.2f", "expected_macs_released": "%.2f"}
    formats |= dict.fromkeys(SHARES, "%.1f%%")
    st.dataframe(
        shown.rename(columns=COLUMNS),
        hide_index=True,
        placeholder=UNKNOWN,
        column_config={COLUMNS[name]: st.column_config.NumberColumn(format=text) for name, text in formats.items()},
    )
    said = {word: meaning for word, meaning in DRIFT_WORDS.items() if word != "of first"}
    st.caption(plain(" ".join(f"{word}: {meaning}." for word, meaning in said.items())))
