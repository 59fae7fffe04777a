"""Checkpoints: training runs, their checkpoints on any images, and trainings; long work as jobs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.dashboard import (
    asked,
    caches,
    curves,
    drifting,
    exports,
    fronts,
    joblist,
    owner,
    running,
    runs,
    state,
    work,
)
from routeviz.dashboard.chooser import choose_convention, choose_run
from routeviz.dashboard.collection import dataset_names
from routeviz.dashboard.joblist import DRIFTS, FRONTS, RUNS
from routeviz.dashboard.player import player
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import Item
from routeviz.dashboard.steps import choose_step
from routeviz.dashboard.words import WORDS, percent, plain, short
from routeviz.errors import RoutevizError

USE, TRAIN = "Run a checkpoint", "Train"
EXPLAINED = {
    USE: f"{WORDS['checkpoint']} A job sends images through it and records their routes as a log, which every view "
    f"then offers; it can also close each of their paths in turn. Route log: {WORDS['route log']}",
    TRAIN: f"A job trains a new network. Its run is then found under {RUNS}. Training run: {WORDS['training run']}",
}
"""What stands at the left of a part that chooses nothing there."""

PARTS = (RUNS, USE, TRAIN, FRONTS, DRIFTS)
PLAYER = "checkpoints_player"
MOST_IMAGES = 4


def show_runs(settings: Settings, shelf: list[Item]) -> None:
    """One training run, chosen in the sidebar."""
    item = choose_run(settings, shelf)
    if item is None:
        return
    with st.sidebar:
        convention = choose_convention()
    run = caches.training_run(str(item.path), runs.stamp(item.path))
    with st.sidebar:
        about(run)
    if not run.marks:
        st.info("Nothing was measured yet: the first line of metrics comes after a few steps.", icon=":material/timer:")
        return
    run_view(settings, shelf, item, run, convention)


def about(run: runs.Run) -> None:
    """What the run was told."""
    config = run.config
    budget = f"budget λ {config.budget.weight:g}, μ {config.budget.target:g}" if config.budget else "no budget"
    what = config.architecture or f"{'small' if config.small_gate else 'full'} gate"
    size = f", resized to {config.resize[0]}x{config.resize[1]}" if config.resize else ""
    lines = [
        f"{run.done:,} of {config.steps:,} steps of {config.batch_size} images",
        f"dataset {config.dataset}{size}",
        f"L = {config.layers}, C = {config.width}, {what}",
        budget,
        f"{len(run.checkpoints)} checkpoints" if run.checkpoints else "no checkpoints: metrics only",
    ]
    st.caption("  \n".join(plain(line) for line in lines))


@st.fragment
def run_view(settings: Settings, shelf: list[Item], item: Item, run: runs.Run, convention: str) -> None:
    """Everything about one run; only this runs again when another step is chosen."""
    step = choose_step(run.marks, "with an evaluation or a checkpoint")
    numbers(run, step, convention)
    sheets = {
        "Loss": curves.losses(run),
        "Accuracy": curves.accuracy(run),
        "MACs": curves.macs(run, convention),
    }
    for place, (title, sheet) in zip(st.columns(len(sheets)), sheets.items(), strict=True):
        with place:
            head = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
            head.markdown(f"**{title}**", width="content")
            with head:
                exports.offer(lambda sheet=sheet: sheet, key=f"training_{title}", name=f"{title} of {item.path.name}")
            st.plotly_chart(
                curves.drawn(sheet, step),
                key=f"curve_{title}",
                config={"displayModeBar": False},
                alt=f"{title} by step",
            )
    said = "Dotted beside the real MACs: the image that costs least, and the one that costs most."
    if convention != "released":
        said += f" Real MACs are counted by {convention}, expected ones by released: choose that to compare the two."
    st.caption(said, help=WORDS["expected MACs"])
    show_routes(settings, shelf, run, step, convention)


def numbers(run: runs.Run, step: int, convention: str) -> None:
    """What was measured up to a step."""
    trained, scored = runs.at(run.steps, step), runs.at(run.evaluations, step)
    places = iter(st.columns([1, 1, 1, 1.2, 1.2, 1.2]))
    with next(places).container(gap=None):
        st.metric("loss", f"{trained.get('loss', np.nan):.3f}", help=WORDS["loss"])
        st.caption(f"cross-entropy {trained.get('cross_entropy', np.nan):.3f}")
    with next(places).container(gap=None):
        st.metric("mIoU", percent(scored.get("miou", np.nan)), help=WORDS["mIoU"])
        st.caption(f"evaluated at step {int(scored['step']):,}" if len(scored) else "not evaluated yet")
    with next(places).container(gap=None):
        st.metric("pixel accuracy", percent(scored.get("pixel_accuracy", np.nan)), help=WORDS["pixel accuracy"])
        st.caption(f"of {int(scored['images']):,} images" if len(scored) else "")
    real = scored.get(f"{convention}_avg", np.nan)
    with next(places).container(gap=None):
        st.metric(f"real MACs ({convention})", short(real), help=WORDS["MACs"])
        low, high = scored.get(f"{convention}_min", np.nan), scored.get(f"{convention}_max", np.nan)
        st.caption(f"average; {short(low)} to {short(high)}")
    with next(places).container(gap=None):
        st.metric("expected MACs", short(scored.get("expected_macs", np.nan)), help=WORDS["expected MACs"])
        st.caption("released; average, gates as weights")
    share, budget = trained.get("expected_share"), run.config.budget
    with next(places).container(gap=None):
        known = share is not None and not pd.isna(share)
        st.metric("expected share of all", percent(share if known else np.nan), help=WORDS["budget"])
        st.caption(f"budget μ = {budget.target:.0%}" if budget else "no budget")


def show_routes(settings: Settings, shelf: list[Item], run: runs.Run, step: int, convention: str) -> None:
    """The routes of a few images at the checkpoint of the step, and over all checkpoints."""
    head = st.container(horizontal=True, vertical_alignment="center")
    head.subheader("Routes over the training", width="content")
    if not run.checkpoints:
        st.info(
            "This run has metrics only. Its routes over the training can be shown where its folder holds checkpoints.",
            icon=":material/scatter_plot:",
        )
        return
    path = run.checkpoints[run.checkpoint_at(step)].path
    name = next((item.name for item in shelf if item.path == path), None)
    look = {"icon": ":material/play_arrow:", "type": "tertiary", "key": "checkpoint_elsewhere"}
    wanted = ({state.PART: USE, state.CHECKPOINT: name},)
    if name and head.button("Run this checkpoint on other images", on_click=state.want, args=wanted, **look):
        st.rerun()  # all of the page, not this part of it
    config = run.config
    if config.dataset not in dataset_names(settings):
        st.info(
            f"To see these routes, start the dashboard with --root {plain(config.dataset)}=FOLDER.",
            icon=":material/image_not_supported:",
        )
        return
    try:
        root = settings.roots.get(config.dataset)
        options = json.dumps(config.options, sort_keys=True)
        key = (config.dataset, None if root is None else str(root), config.eval_split, options)
        dataset = caches.dataset(*key)
        chosen = choose_images(dataset, key)
        if chosen:
            play(run, step, dataset, key, chosen, convention)
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")


def choose_images(dataset: object, key: caches.Key) -> list[str]:
    """Up to four images; at first one of small and one of large objects, where the dataset tells."""
    ids = list(caches.positions(key, dataset))
    asked.begin_several(state.PLAYED, ids, lambda: first_images(caches.dataset_facts(key, dataset)))
    chosen = st.multiselect(
        f"Images, up to {MOST_IMAGES}",
        ids,
        max_selections=MOST_IMAGES,
        key=state.PLAYED,
        bind=state.BOUND,
        help="Each is sent through every checkpoint of the run, which takes some seconds at first.",
    )
    asked.say(state.PLAYED, "images")
    return chosen


def first_images(facts: pd.DataFrame) -> list[str]:
    """One image of small and one of large objects, where the dataset tells."""
    ids = facts.drop_duplicates("scale_class")["id"] if "scale_class" in facts else facts["id"]
    return ids.head(2).tolist()


def play(run: runs.Run, step: int, dataset: object, key: caches.Key, chosen: list[str], convention: str) -> None:
    """The player: every checkpoint's routes at once, so that it needs no further word from here."""
    steps = list(run.checkpoints)
    stamps = tuple(caches.key_of(item.path, item.stamp) for item in run.checkpoints.values())
    how = running.How(run.config.resize)
    paths = [item.path for item in run.checkpoints.values()]
    images, space = [], None
    for id_ in chosen:
        index = caches.positions(key, dataset)[id_]
        sample = caches.sample(key, index, dataset)
        routes = caches.routes_along((stamps, key, index), how, paths, sample.image)
        space = routes.space
        frames = runs.frames(space, routes.gates)
        for frame, cost in zip(frames, routes.macs[convention], strict=True):
            frame["facts"] = f"{frame['open']} of {space.n_paths} paths open · {short(cost)} MACs ({convention})"
        images.append({"id": id_, "src": caches.thumbnail(key, index, dataset), "frames": frames})
    shown = run.checkpoint_at(step)
    if shown != step:
        st.caption(f"Step {step:,} has no checkpoint; shown are the routes of step {shown:,}.")
    film = runs.film(space) | {"steps": steps, "images": images}
    player(film, key=PLAYER, step=shown, on_step=take_step)


def take_step() -> None:
    """Bring the page's slider to where the player is."""
    if (step := state.part(PLAYER, "step")) is not None:
        st.session_state[state.STEP] = int(step)


settings_now = Settings.from_environment()
shelf_now = owner.items(settings_now)
state.take_wanted()
st.space("xxsmall")  # a control without a label would begin below the navigation
asked.check(state.PART, PARTS, "part")
part = st.segmented_control(
    "Part",
    PARTS,
    default=RUNS,
    key=state.PART,
    bind=state.BOUND,
    required=True,
    label_visibility="collapsed",
)
try:
    if part in EXPLAINED:
        st.sidebar.caption(EXPLAINED[part])
    if part == RUNS:
        show_runs(settings_now, shelf_now)
    elif part == USE:
        work.show_trace(settings_now, shelf_now)
    elif part == TRAIN:
        work.show_train(settings_now)
    elif part == DRIFTS:
        drifting.show(settings_now, shelf_now)
    else:
        fronts.show(settings_now, shelf_now)
except RoutevizError as error:
    st.error(plain(error), icon=":material/error:")
state.settled()
joblist.show(settings_now)
