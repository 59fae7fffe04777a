"""What if: force paths and cells of an image's route, and see what the network then does."""

from __future__ import annotations

import hashlib
import shlex

import numpy as np
import streamlit as st

from routeviz.counterfactual import ForcedRoute, Original, Rerun
from routeviz.dashboard import asked, closing, components, effects, exports, forcing, running, state
from routeviz.dashboard.chooser import choose_collection, choose_image
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.words import UNKNOWN, WORDS, plain
from routeviz.datasets.images import read_image
from routeviz.errors import DatasetError, RoutevizError
from routeviz.space import open_paths

LATTICE, DIFFERENCE = "what_if_lattice", "what_if_difference"
FORCED_ROUTE, CHANGES = "route", "difference"
UPLOAD, KEPT = "what_if_upload", "what_if_kept"
SUFFIXES = ("png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "ppm")
MOST_PIXELS = 50_000_000


def choose_upload() -> tuple[str, np.ndarray] | None:
    """Offer to take an image from this computer; its name and pixels. It is kept for this browser tab alone."""
    with st.sidebar:
        file = st.file_uploader(
            "Or an image of your own",
            type=SUFFIXES,
            key=UPLOAD,
            help="It stays in the memory of this browser session, and is gone with it. Close it to see the log again.",
        )
    if file is None:
        st.session_state.pop(KEPT, None)
        return None
    try:
        return file.name, read_image(file, most_pixels=MOST_PIXELS)
    except DatasetError as error:
        st.error(plain(error), icon=":material/error:")
        return None


@st.fragment
def image_view(collection: Collection, convention: str) -> None:
    """One image of the log; only this runs again when another image is chosen."""
    row = choose_image(collection, convention)
    if row is None:
        return
    try:
        original = collection.original(row)
        label = None if original is None else collection.sample(row).label
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
        return
    if original is None:
        st.info(plain(collection.missing), icon=":material/image_not_supported:")
        return
    name = collection.facts["id"].iat[row]
    image = collection.sample(row).image
    forced_view(collection, original, image, label, name, lambda forced: collection.rerun(row, forced), convention)
    closing.show(collection, row, convention)


def upload_view(collection: Collection, name: str, image: np.ndarray, convention: str) -> None:
    """An image from the user's computer, at about the size that the log's images have."""
    if collection.checkpoint is None:
        st.info(plain(collection.no_network), icon=":material/image_not_supported:")
        return
    key = (hashlib.sha256(image.tobytes()).hexdigest(), *collection.key)
    if st.session_state.get(KEPT, (None,))[0] != key:
        how = running.How(usual_size(collection, image.shape[:2]), collection.how.forced)
        with st.spinner("Running the network"):
            st.session_state[KEPT] = key, running.original(collection.network(), image, how)
    original = st.session_state[KEPT][1]
    height, width = original.image_size
    st.markdown(f"**{plain(name)}**, seen by the network at {width} × {height}; there is no label, so no IoU.")
    forced_view(collection, original, image, None, name, original.rerun, convention)


def usual_size(collection: Collection, size: tuple[int, int]) -> tuple[int, int] | None:
    """Size of an image brought to about as many pixels as those of the log; None where it has no more than they."""
    facts = collection.facts
    if collection.how.resize is not None:
        usual = collection.how.resize[0] * collection.how.resize[1]
    elif "height" in facts and "width" in facts:
        usual = int((facts["height"] * facts["width"]).max())
    else:
        sample = collection.sample(0)
        usual = sample.image.shape[0] * sample.image.shape[1]
    factor = (usual / (size[0] * size[1])) ** 0.5
    return None if factor >= 1 else tuple(max(1, round(factor * n)) for n in size)


@st.fragment
def forced_view(collection, original: Original, image, label, name: str, rerun, convention: str) -> None:
    """The route that is forced, and what it changes; only this runs again when something else is forced."""
    space = original.net.space
    try:
        forced = forcing.read(space)
        result: Rerun = rerun(forced)
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")
        st.button("Force nothing", icon=":material/restart_alt:", on_click=forcing.put, args=("",))
        type_in(forced=True)
        return
    controls(collection, original, forced, name)
    lattice(result, name)
    type_in(forced=bool(forced.changes))
    if result.remarks:
        st.info("  \n".join(map(plain, result.remarks)), icon=":material/info:")
    effects.show(collection, result, image, label, convention)


def controls(collection: Collection, original: Original, forced: ForcedRoute, name: str) -> None:
    """What a click does, undo and redo, and a way to save."""
    asked.check(state.CLICK, forcing.CLICKS, "effect of a click")
    asked.check(state.SHOWN, (FORCED_ROUTE, CHANGES), "lattice")
    asked.check_number(state.FORCE_TO, 0, 1, "value")
    bar = st.columns([3.05, 1.25, 1.7, 0.6, 0.6, 0.9, 1.05], vertical_alignment="bottom")
    with bar[0]:
        how = st.segmented_control(
            "A click on a path or cell",
            forcing.CLICKS,
            default=forcing.TURN,
            required=True,
            key=state.CLICK,
            bind=state.BOUND,
            help=WORDS["forced"],
        )
    with bar[1]:
        st.slider(
            "Value",
            0.0,
            1.0,
            0.5,
            0.05,
            key=state.FORCE_TO,
            bind=state.BOUND,
            disabled=how != forcing.SET,
            help=WORDS["activation"],
        )
    with bar[2]:
        st.segmented_control(
            "Lattice",
            (FORCED_ROUTE, CHANGES),
            default=FORCED_ROUTE,
            required=True,
            key=state.SHOWN,
            bind=state.BOUND,
        )
    for place, icon, words, act, can in (
        (bar[3], "undo", "Undo", forcing.undo, forcing.can_undo()),
        (bar[4], "redo", "Redo", forcing.redo, forcing.can_redo()),
    ):
        place.button(
            "",
            icon=f":material/{icon}:",
            help=words,
            key=f"what_if_{words.lower()}",
            on_click=act,
            disabled=not can,
            width="stretch",
        )
    bar[5].button(
        "Reset",
        key="what_if_reset",
        help="Force nothing; can be undone.",
        on_click=forcing.put,
        args=("",),
        disabled=not forced.changes,
        width="stretch",
    )
    with bar[6], st.popover("Save", icon=":material/save:", width="stretch", disabled=not forced.changes):
        save(collection, original, forced, name)


def save(collection: Collection, original: Original, forced: ForcedRoute, name: str) -> None:
    """The forced route as a file, and the command that sends a whole dataset along it."""
    file = f"{exports.file_name(f'forced-{name}')}.json"
    whole = forced.over(original.base)
    st.download_button(
        "Forced route", whole.to_json() + "\n", file, "application/json", icon=":material/download:", on_click="ignore"
    )
    st.caption("Every image of a dataset takes it with this command; gates that are not forced are asked.")
    words = [*collection.command("trace"), "--route", file, "--out", "forced-log"]
    st.code(shlex.join(words), language="bash", wrap_lines=True)
    st.caption("And this one tells what it changes in all of them: pixels, the IoU of each class, MACs.")
    words = [*collection.command("force"), "--route", file]
    st.code(shlex.join(words), language="bash", wrap_lines=True)


def lattice(result: Rerun, name: str) -> None:
    """The forced route, or how it differs from the original; a click forces."""
    space = result.net.space
    original, forced = (np.nan_to_num(one.gates) for one in (result.original, result.forced))
    last = next(reversed(result.route.changes), "")
    if st.session_state[state.SHOWN] == CHANGES:
        components.difference(
            space,
            original,
            forced,
            key=DIFFERENCE,
            names=("original", "forced"),
            selected=last,
            on_click=lambda: take_click(result, DIFFERENCE),
            title=f"What changed on {name}",
        )
        return
    decided = [UNKNOWN if np.isnan(value) else f"{value:.4g}" for value in result.original.gates]
    components.lattice(
        space,
        forced,
        key=LATTICE,
        forced=~np.isnan(result.route.activations),
        selected=last,
        on_click=lambda: take_click(result, LATTICE),
        title=f"Forced route of {name}",
        path_notes={"original activation": decided},
    )


def take_click(result: Rerun, key: str) -> None:
    """Force what was clicked, or ask its gate again."""
    name = state.part(key, "clicked")
    space = result.net.space
    if name not in (*space.path_names, *space.cell_names):
        return
    is_open = open_paths(space, np.nan_to_num(result.forced.gates)[None])[0]
    forcing.put(forcing.clicked(result.route, name, is_open=bool(is_open[space.paths_named(name)].any())).to_text())


def type_in(*, forced: bool) -> None:
    """What is forced, as text that can be changed."""
    st.text_input(
        "Forced",
        key=state.FORCED,
        bind=state.BOUND,
        on_change=forcing.typed,
        placeholder="Nothing is forced. Click a path or cell above, or type: L3 s1 up=0; L5 s2=open; L7 s0 keep=0.5",
        label_visibility="visible" if forced else "collapsed",
        help=WORDS["forced"],
    )


collection_shown, macs_convention = choose_collection()
if collection_shown is not None and collection_shown.recorded:
    st.info(plain(collection_shown.no_network), icon=":material/image_not_supported:")
elif collection_shown is not None:
    upload = choose_upload()
    if upload is None:
        image_view(collection_shown, macs_convention)
    else:
        try:
            upload_view(collection_shown, *upload, macs_convention)
        except RoutevizError as problem:
            st.error(plain(problem), icon=":material/error:")
