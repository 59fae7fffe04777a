"""What a job is told on the screen: a checkpoint and what to do with images, a training, a front, or a drift."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from routeviz.dashboard import asked, owner, state, uploads
from routeviz.dashboard.chooser import GATES, SPLITS, current_run
from routeviz.dashboard.collection import PROCEDURAL, dataset_names
from routeviz.dashboard.joblist import CLOSING, DRIFT, SWEEP, TRACE, TRAIN
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import CHECKPOINT_SUFFIXES, OWN_SUFFIX, Item, owner_of
from routeviz.dashboard.words import WORDS
from routeviz.datasets import DATASETS
from routeviz.datasets.images import IMAGE_SUFFIXES
from routeviz.errors import InputError
from routeviz.jobs import new_folder, start
from routeviz.space import architectures, lattice_space

UPLOAD = "Upload a file"
ROUTES, PATHS = "Record the routes", "Close each path in turn"
PICTURES, FOLDER, DATASET = "Upload pictures", "A folder", "A dataset"
RECORDED_WEIGHTS = (
    "holds the weights of a recorded network, which only its own program runs: record its routes there (rv.record), "
    "and open their log"
)
NO_ARCHITECTURE = "none: the gates decide"
UNLABELLED = "folder"
LEAST_LAYERS = 3
SIZE = "HEIGHTxWIDTH in pixels, as in 180x240."


def show_trace(settings: Settings, shelf: list[Item]) -> None:
    """Choose a checkpoint and images, and start the job that records their routes, or closes each of their paths."""
    left, right = st.columns(2, gap="large")
    with left:
        checkpoint, handed_in, gate, size = choose_network(settings, shelf, "job")
        look = {"default": ROUTES, "required": True, "key": "job_task", "help": WORDS["importance job"]}
        kind = CLOSING if st.segmented_control("What to do", (ROUTES, PATHS), **look) == PATHS else TRACE
    with right:
        data, files, words = choose_images(settings)
    name = next((file.name for file in (checkpoint, handed_in) if file is not None), None)
    ready = name is not None and bool(data)
    if st.button("Run", type="primary", icon=":material/play_arrow:", disabled=not ready, key="job_run"):
        with _job_folder(settings, f"{kind} {Path(name).stem}") as folder:
            result = folder / ("log" if kind == TRACE else "importance")
            options = {**data, **gate, "resize": _size(size), "out": result}
            if checkpoint is None or files:
                uploads.claim(folder, owner.word())
            if checkpoint is None:
                (checkpoint,) = uploads.keep(folder, [handed_in])
            if files:
                options["root"] = uploads.keep(folder, files, folder=uploads.PICTURES)[0].parent
            title = f"{'Importance of paths of ' * (kind == CLOSING)}{name} on {words}"
            start(folder, [kind, str(checkpoint), *_flags(options)], title=title, kind=kind, result=result)


def choose_network(
    settings: Settings, shelf: list[Item], key: str
) -> tuple[Path | None, uploads.Upload | None, dict[str, object], str]:
    """What `choose_checkpoint` gives, and the size that images are to be brought to."""
    checkpoint, handed_in, gate = choose_checkpoint(settings, shelf)
    size = st.text_input(
        "Bring images to a size",
        value=_trained_size(checkpoint),
        placeholder="as they are",
        key=f"{key}_resize_{checkpoint}",
        help=f"{SIZE} A checkpoint works best at the size that it was trained on.",
    )
    return checkpoint, handed_in, gate, size


def choose_labelled(settings: Settings, key: str) -> str:
    """Name of a dataset with labels."""
    names = [name for name in dataset_names(settings) if name in DATASETS and name != UNLABELLED]
    return st.selectbox("Dataset", names, index=len(names) - 1, key=f"{key}_dataset")


def choose_checkpoint(
    settings: Settings, shelf: list[Item]
) -> tuple[Path | None, uploads.Upload | None, dict[str, object]]:
    """A checkpoint of the shelf or one that is handed in, and the options that say which gate it has."""
    found = {item.name: item.path for item in shelf if item.kind == "checkpoint"}
    run = current_run(settings, shelf)
    own = [name for name, path in found.items() if run is not None and path.is_relative_to(run.path)]
    offered = [*found, UPLOAD]
    name = asked.choose(
        "Checkpoint",
        offered,
        lambda: [offered[0], *own][-1],
        key=state.CHECKPOINT,
        why={item.name: RECORDED_WEIGHTS for item in shelf if item.kind == "weights"},
        help=WORDS["checkpoint"],
    )
    asked.say(state.CHECKPOINT, "checkpoint")
    path, handed_in = found.get(name), None
    if path is None:
        handed_in = st.file_uploader(
            "Checkpoint file",
            [suffix[1:] for suffix in CHECKPOINT_SUFFIXES],
            key="job_checkpoint",
            help="One that routeviz wrote (.safetensors), or one in the released layout (.pth).",
        )
    file = path or handed_in
    if file is None or file.name.endswith(OWN_SUFFIX):
        return path, handed_in, {}
    small = choose_gate("job_gate")
    return path, handed_in, {"small-gate": small, "full-gate": not small}


def choose_gate(key: str) -> bool:
    """Whether the gates are small ones."""
    gate = st.segmented_control("Gates", GATES, default=GATES[0], required=True, key=key, help=WORDS["small gate"])
    return gate == GATES[1]


def choose_images(settings: Settings) -> tuple[dict[str, object], list[uploads.Upload], str]:
    """Images: the options that name them, files that were handed in, and words for them; no options where they lack."""
    kind = st.segmented_control(
        "Images", (PICTURES, FOLDER, DATASET), default=PICTURES, required=True, key="job_images"
    )
    if kind == PICTURES:
        suffixes = sorted(suffix[1:] for suffix in IMAGE_SUFFIXES)
        files = st.file_uploader("Pictures", suffixes, accept_multiple_files=True, key="job_pictures")
        words = "1 uploaded picture" if len(files) == 1 else f"{len(files)} uploaded pictures"
        return {"dataset": UNLABELLED} if files else {}, files, words
    if kind == FOLDER:
        text = st.text_input(
            "Folder on the dashboard's machine",
            key="job_folder",
            help="With pictures, also in folders below it. It lies in one that the dashboard was started with.",
        )
        if not text:
            return {}, [], ""
        folder = allowed(text, settings)
        return {"dataset": UNLABELLED, "root": folder}, [], f"the pictures in {folder.name}"
    name = st.selectbox("Dataset", dataset_names(settings), key="job_dataset")
    options = {"dataset": name, "root": settings.roots.get(name)}
    if name == UNLABELLED:
        return options, [], f"the pictures in {settings.roots[name].name}"
    options["split"] = st.selectbox("Split", SPLITS, key="job_split")
    if name == PROCEDURAL:
        options["option"] = f"length={st.number_input('Scenes', 1, 5000, 24, key='job_length')}"
    return options, [], f"{name}, {options['split']}"


def show_train(settings: Settings) -> None:
    """Settings of a training, and the job that runs it."""
    data, network, rest = st.columns(3, gap="large")
    with data:
        name = choose_labelled(settings, "train")
        resize = st.text_input("Bring images to a size", placeholder="as they are", key="train_resize", help=SIZE)
        crop = st.text_input(
            "Crop that it learns from", "64x128", key="train_crop", help=f"Cut from the randomly scaled image. {SIZE}"
        )
        batch = st.number_input("Images a step", 1, 512, 8, key="train_batch")
    with network:
        layers = st.number_input("Layers L", LEAST_LAYERS, 64, 8, key="train_layers")
        width = st.number_input("Width C", 1, 512, 8, key="train_width", help="Channels at the finest scale.")
        names = [NO_ARCHITECTURE, *architectures(lattice_space(layers, width))]
        fixed = st.selectbox("Static architecture", names, key="train_architecture", help=WORDS["static architecture"])
        dynamic = fixed == NO_ARCHITECTURE
        small = choose_gate("train_gate") if dynamic else False
    with rest:
        steps = st.number_input("Steps", 1, 1_000_000, 200, key="train_steps")
        saved = st.number_input("Checkpoints, each with an evaluation", 1, 100, 5, key="train_saved")
        steered = st.toggle("Budget", True, key="train_budget", help=WORDS["budget"], disabled=not dynamic) and dynamic
        left, right = st.columns(2)
        weight = left.number_input("λ", 0.01, 100.0, 0.5, key="train_weight", disabled=not steered)
        target = right.number_input("μ", 0.0, 1.0, 0.2, key="train_target", disabled=not steered)
    st.caption("A training that was stopped goes on from its last checkpoint: Resume, among the jobs below.")
    if not st.button("Start the training", type="primary", icon=":material/play_arrow:", key="train_go"):
        return
    with _job_folder(settings, f"{TRAIN} {name}") as folder:
        run, every = folder / "run", max(1, steps // saved)
        options = {
            "dataset": name,
            "root": settings.roots.get(name),
            "resize": _size(resize),
            "crop": _size(crop),
            "batch-size": batch,
            "layers": layers,
            "width": width,
            "small-gate": small,
            "architecture": None if dynamic else fixed,
            "steps": steps,
            "checkpoint-every": every,
            "eval-every": every,
            "log-every": max(1, min(10, steps // 20)),
            "budget": (f"{weight:g}", f"{target:g}") if steered else None,
            "out": run,
        }
        budget = f", λ {weight:g}, μ {target:g}" if steered else ""
        what = f"L = {layers}, C = {width}" if dynamic else fixed
        title = f"Training on {name}: {steps:,} steps, {what}{budget}"
        start(folder, ["train", *_flags(options)], title=title, kind=TRAIN, result=run)


def show_front(settings: Settings, shelf: list[Item]) -> None:
    """Choose a checkpoint and labelled images, and start the job that traces their budget front."""
    left, right = st.columns(2, gap="large")
    with left:
        checkpoint, handed_in, gate, size = choose_network(settings, shelf, "front")
    with right:
        name = choose_labelled(settings, "front")
        split = st.selectbox("Split", SPLITS, key="front_split", index=SPLITS.index("val"))
        options = {"dataset": name, "root": settings.roots.get(name), "split": split}
        if name == PROCEDURAL:
            options["option"] = f"length={st.number_input('Scenes', 2, 5000, 24, key='front_length')}"
        options["rounds"] = str(st.number_input("Greedy rounds", 0, 100, 8, key="front_rounds", help=WORDS["front"]))
    file = checkpoint or handed_in
    if st.button(
        "Trace the front", type="primary", icon=":material/play_arrow:", disabled=file is None, key="front_go"
    ):
        with _job_folder(settings, f"{SWEEP} {Path(file.name).stem}") as folder:
            if checkpoint is None:
                uploads.claim(folder, owner.word())
                (checkpoint,) = uploads.keep(folder, [handed_in])
            flags = _flags({**options, **gate, "resize": _size(size), "out": folder / "front"})
            title = f"Budget front of {file.name} on {name}, {split}"
            start(folder, ["front", str(checkpoint), *flags], title=title, kind=SWEEP, result=folder / "front")


def show_drift(settings: Settings, run: Item, n_checkpoints: int) -> None:
    """Choose labelled images, and start the job that sends them through all checkpoints of a run."""
    left, middle, right = st.columns(3, gap="large")
    with left:
        name = choose_labelled(settings, "drift")
    with middle:
        split = st.selectbox("Split", SPLITS, key="drift_split", index=SPLITS.index("val"))
    options = {"dataset": name, "root": settings.roots.get(name), "split": split}
    with right:
        if name == PROCEDURAL:
            options["option"] = f"length={st.number_input('Scenes', 2, 5000, 24, key='drift_length')}"
    words = f"Trace them through {n_checkpoints} checkpoints"
    if st.button(words, type="primary", icon=":material/play_arrow:", key="drift_go"):
        with _job_folder(settings, f"{DRIFT} {run.path.name}") as folder:
            flags = _flags({**options, "out": folder / "drift"})
            title = f"Drift of {run.name} on {name}, {split}"
            start(folder, ["drift", str(run.path), *flags], title=title, kind=DRIFT, result=folder / "drift")


def allowed(text: str, settings: Settings) -> Path:
    """A folder that the dashboard may read; raises InputError for any other."""
    folders = [*settings.folders, *settings.roots.values()]
    for path in (Path(text), *(folder / text for folder in folders)):
        path = path.resolve()
        tops = [folder.resolve() for folder in folders if path.is_relative_to(folder.resolve())]
        if path.is_dir() and tops and all(owner_of(path, top) in owner.seen() for top in tops):
            out = [link for link in path.rglob("*") if link.is_symlink() and not settings.may_read(link)]
            if out:
                raise InputError(f"the link {out[0]} leads out of the folders that the dashboard was started with")
            return path
    places = ", ".join(map(str, folders))
    raise InputError(f"{text!r} is no folder inside those that the dashboard was started with: {places}")


def _flags(options: Mapping[str, object]) -> list[str]:
    """Options as the command line takes them, without those that are not set; paths are made absolute."""
    flags: list[str] = []
    for name, value in options.items():
        if value in (None, "", False):
            continue
        values = () if value is True else value if isinstance(value, tuple) else (value,)
        flags += [f"--{name}", *(str(part.resolve() if isinstance(part, Path) else part) for part in values)]
    return flags


def _size(text: str) -> str:
    """A size as the command line takes it, or nothing."""
    if text.strip() and not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", text.strip()):
        raise InputError(f"{text!r} is no size: write HEIGHTxWIDTH in pixels, as in 180x240")
    return text.strip()


def _trained_size(checkpoint: Path | None) -> str:
    """The size that a checkpoint's run brought its images to, where it lies in a run's folder."""
    try:
        config = json.loads((checkpoint.parents[1] / "config.json").read_bytes())
        height, width = config["training"]["resize"]
    except (AttributeError, IndexError, OSError, ValueError, KeyError, TypeError):
        return ""
    return f"{height}x{width}"


@contextmanager
def _job_folder(settings: Settings, name: str) -> Iterator[Path]:
    """A new folder for a job, which is removed again if the job does not start."""
    folder = new_folder(settings.jobs, name)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
