"""The jobs on the screen: their progress, their end, and what can be done with each."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st

from routeviz.dashboard import caches, closing, links, owner, state, uploads
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import RUN_FILES, Item, owner_of
from routeviz.dashboard.words import WORDS, plain
from routeviz.errors import RoutevizError
from routeviz.jobs import MOST, Job, Progress, delete, new_folder, start, stop

STARTED_IN = Path.cwd()
POLL_S = 1.0
LISTED = 12
TRACE, TRAIN, SWEEP, DRIFT, CLOSING = "trace", "train", "front", "drift", "importance"
RESUMABLE = (TRAIN, SWEEP, DRIFT, CLOSING)
RUNS, FRONTS, DRIFTS = "Training runs", "Budget front", "Drift"
BADGES = {
    "running": ("blue", "play_circle"),
    "finished": ("green", "check_circle"),
    "failed": ("red", "error"),
    "stopped": ("gray", "stop_circle"),
    "lost": ("orange", "help"),
}


def show(settings: Settings) -> None:
    """List the jobs; the list is drawn anew every second while one of them runs, and only then."""
    busy = any(job.running for job in owner.jobs(settings)[0])
    st.fragment(_listed, run_every=POLL_S if busy else None)(settings, busy)


_SAID = "jobs_said"


def _listed(settings: Settings, busy: bool) -> None:
    if state.unsettled():
        st.rerun()  # all of the page, not this list alone
    jobs, others = owner.jobs(settings)
    if busy != any(job.running for job in jobs):
        # Polling begins or ends with the whole page, and what a job made is to be found at once.
        caches.items.clear()
        st.rerun()
    st.subheader("Jobs", help=WORDS["job"])
    if said := st.session_state.pop(_SAID, None):
        st.error(plain(said), icon=":material/error:")
    if others:
        st.caption(f"{others} of another browser {'is' if others == 1 else 'are'} running; no more than {MOST} may.")
    if not jobs:
        st.caption(f"None yet. A job keeps its folder in {plain(_from_here(settings.jobs))}.")
        return
    items = owner.items(settings)
    results = {item.path: item for item in items if item.kind != "checkpoint"}
    # Of a run that several jobs worked on, the last one is what can go on.
    latest = {job.result: job.id for job in reversed(jobs)}
    for job in jobs[:LISTED]:
        with st.container(border=True, key=f"job_{job.id}"):
            unfinished = job.kind in RESUMABLE and job.state != "finished" and latest[job.result] == job.id
            _one(settings, job, results.get(job.result), resumable=unfinished)
    if len(jobs) > LISTED:
        st.caption(f"{len(jobs) - LISTED} older ones are in {plain(_from_here(settings.jobs))}.")


def _from_here(folder: Path) -> Path:
    """A folder as whoever started the dashboard would name it."""
    return folder.relative_to(STARTED_IN) if folder.is_relative_to(STARTED_IN) else folder


def _one(settings: Settings, job: Job, item: Item | None, *, resumable: bool) -> None:
    colour, icon = BADGES[job.state]
    head, buttons = st.columns([3, 2], vertical_alignment="center")
    with head.container(horizontal=True, vertical_alignment="center"):
        st.badge(job.state, color=colour, icon=f":material/{icon}:")
        st.markdown(f"**{plain(job.title)}**", width="content")
        if owner_of(job.folder, job.folder):
            st.badge("only here", color="gray", icon=":material/lock:", help=WORDS["only here"])
        st.caption(time.strftime("%d %b %H:%M", time.localtime(job.began)), width="content")
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        _buttons(settings, job, item, resumable)
    progress = job.progress()
    if job.running:
        share = progress.done / progress.total if progress and progress.total else 0.0
        st.progress(min(1.0, share), text=plain(words(progress)))
    elif job.state in ("failed", "lost"):
        st.error(plain(job.message), icon=":material/error:")
    elif progress:
        st.caption(_counted(progress))
    with st.expander("Command and output", key=f"more_{job.id}"):
        st.code(f"routeviz {' '.join(job.command)}", language="bash", wrap_lines=True)
        st.caption(f"Folder: {plain(_from_here(job.folder))}")
        if output := (job.output("stdout.txt") + job.output()).strip():
            st.code(output, language=None, height=200)


def _buttons(settings: Settings, job: Job, item: Item | None, resumable: bool) -> None:
    if item is not None and item.kind == "log":
        chosen = {state.SOURCE: f"{item.name} (log)"}
        if job.kind == CLOSING:
            shown = chosen | {state.IMPORTANCE: True, state.OVER: closing.ALL}
            links.link("what-if", "Show the importance", key=f"show_{job.id}", icon=":material/alt_route:", **shown)
        links.link("inspect", "Inspect the routes", key=f"open_{job.id}", icon=":material/search:", **chosen)
    if item is not None and item.kind == "run":
        wanted = {state.PART: RUNS, state.RUN: item.name}
        look = {"icon": ":material/show_chart:", "type": "tertiary"}
        st.button("Show the run", key=f"open_{job.id}", on_click=state.want, args=(wanted,), **look)
    if item is not None and item.kind == "front":
        wanted = {state.PART: FRONTS, state.FRONT: item.name}
        look = {"icon": ":material/show_chart:", "type": "tertiary"}
        st.button("Show the front", key=f"open_{job.id}", on_click=state.want, args=(wanted,), **look)
    if job.kind == DRIFT and job.state == "finished":
        shelf = owner.items(settings)
        run = [one.name for one in shelf if one.kind == "run" and str(one.path) == job.command[1]]
        wanted = {state.PART: DRIFTS, **({state.RUN: run[0]} if run else {})}
        look = {"icon": ":material/timeline:", "type": "tertiary"}
        st.button("Show the drift", key=f"open_{job.id}", on_click=state.want, args=(wanted,), **look)
    if job.running:
        st.button("Stop", key=f"stop_{job.id}", icon=":material/stop:", on_click=stop, args=(job,))
        return
    if resumable:
        st.button(
            "Resume",
            key=f"resume_{job.id}",
            icon=":material/resume:",
            on_click=_resume,
            args=(settings, job),
        )
    if owner_of(job.folder, job.folder):
        look = {"icon": ":material/lock_open:", "type": "tertiary", "help": WORDS["only here"]}
        st.button("Share", key=f"share_{job.id}", on_click=_share, args=(job,), **look)
    with st.popover("", icon=":material/delete:", help="Delete", key=f"ask_{job.id}"):
        st.markdown("Deletes the job with its result and its uploads.")
        st.button("Delete", key=f"delete_{job.id}", type="primary", on_click=_delete, args=(job,))


def _resume(settings: Settings, job: Job) -> None:
    begun = job.kind == TRAIN and (job.result / RUN_FILES[0]).exists()
    # A training that ended before it had written down what it was told is told it again; all others go on with that.
    command = ("train", "--resume", "--out", str(job.result)) if begun else job.command
    try:
        folder = new_folder(settings.jobs, f"{job.kind} resumed")
        if owner_of(job.folder, job.folder):
            uploads.claim(folder, owner.word())
        start(folder, command, title=job.title, kind=job.kind, result=job.result)
    except RoutevizError as error:
        st.session_state[_SAID] = str(error)


def _share(job: Job) -> None:
    uploads.share(job.folder)
    caches.items.clear()


def _delete(job: Job) -> None:
    try:
        delete(job)
    except (RoutevizError, OSError) as error:
        st.session_state[_SAID] = str(error)
    caches.items.clear()


def words(progress: Progress | None) -> str:
    """How far a job is, at which rate, and how long it will take."""
    if progress is None:
        return "Starting"
    text = _counted(progress)
    if progress.rate:
        slow = progress.rate < 0.1
        text += f" · {60 * progress.rate if slow else progress.rate:,.3g} a {'minute' if slow else 'second'}"
    if progress.left is not None:
        text += f" · {duration(progress.left)} left"
    if progress.inner is not None:
        text += f" · {progress.inner.what}: {progress.inner.done:,} of {progress.inner.total:,}"
    return text


def duration(seconds: float) -> str:
    """A time in its two largest units: ``2 h 5 min``."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600:,} h {seconds % 3600 // 60} min"


def _counted(progress: Progress) -> str:
    return f"{progress.done:,} of {progress.total:,} {progress.unit}{'s' * (progress.total != 1)}"
