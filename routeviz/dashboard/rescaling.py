"""One image at many sizes: its route at each of them, and what moves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from routeviz.dashboard import asked, caches, runs, state
from routeviz.dashboard.chooser import LISTED
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.order import window
from routeviz.dashboard.player import player
from routeviz.dashboard.words import percent, plain, short
from routeviz.errors import RoutevizError

PLAYER = "rescaled_player"
ENDS = (0.25, 0.5, 1.0, 2.0, 4.0)
STEPS = 4
"""Sizes an octave."""

MOST_PIXELS = 6_000_000
"""Of the largest size: what runs here runs beside all others who use this dashboard."""

MOVING = 12
COLOUR = "#3a86c8"


def show(collection: Collection, mask: np.ndarray, convention: str) -> None:
    """Choose an image and a range of sizes, and see whether its route moves."""
    asked.check_switch(state.RESCALED, "run at many sizes")
    head = st.container(horizontal=True, vertical_alignment="center")
    head.markdown("**One image at many sizes**", width="content")
    wanted = head.toggle(
        "Run it",
        key=state.RESCALED,
        bind=state.BOUND,
        help="Resizes one image step by step and sends each size through the network: is its route that of what is "
        "shown, or of how large it is shown?",
    )
    if not wanted:
        return
    if collection.dataset is None or collection.checkpoint is None:
        st.info(plain(collection.missing), icon=":material/image_not_supported:")
        return
    row, factors = choose(collection, mask)
    try:
        size = collection.how.resize or collection.sample(row).image.shape[:2]
        fitting = tuple(f for f in factors if f * f * size[0] * size[1] <= MOST_PIXELS)
        if len(fitting) < 2:
            st.info(
                f"Of {size[0]}x{size[1]} pixels, no two of these sizes have {MOST_PIXELS / 1e6:g} million pixels or "
                "less. On the command line there is no such bound: routeviz scale image.",
                icon=":material/photo_size_select_large:",
            )
            return
        if len(fitting) < len(factors):
            st.caption(
                f"Sizes of more than {MOST_PIXELS / 1e6:g} million pixels are left out here; `routeviz scale image` "
                "takes them."
            )
        with st.spinner(f"Running the network on {len(fitting)} sizes, {fitting[0]:g} to {fitting[-1]:g} times"):
            found(collection, row, fitting, convention)
    except RoutevizError as error:
        st.error(plain(error), icon=":material/error:")


def choose(collection: Collection, mask: np.ndarray) -> tuple[int, tuple[float, ...]]:
    """An image of those that pass, and the factors of its size."""
    ids, rows = collection.facts["id"], np.flatnonzero(mask)
    known = {ids.iat[row]: row for row in rows}
    options = [ids.iat[row] for row in window(rows, known.get(state.value(state.IMAGE)), LISTED)]
    left, right = st.columns(2, gap="medium")
    with left:
        id_ = asked.choose("Image", options, lambda: options[0], key=state.IMAGE, help="Type to search.")
        asked.say(state.IMAGE, "image")
    with right:
        low, high = st.select_slider(
            "From and to, times its size",
            ENDS,
            (ENDS[0], ENDS[-1]),
            key="rescaled_ends",
            format_func="{:g}".format,
            help=f"{STEPS} sizes an octave.",
        )
    if low == high:
        low, high = (low / 2, high) if low > ENDS[0] else (low, 2 * high)
    n = round(STEPS * np.log2(high / low)) + 1
    # Six digits, so that the middle of 0.25 to 4 is 1 and not nearly 1.
    return known[id_], tuple(float(f"{factor:.6g}") for factor in np.geomspace(low, high, n))


def found(collection: Collection, row: int, factors: tuple[float, ...], convention: str) -> None:
    """The verdict, the film of routes, curves over size, and the paths that move most."""
    from routeviz.stats import RESCALED_WORDS, rescaled_paths, rescaled_routes, rescaled_verdict

    log = collection.rescaled(row, factors)
    sizes, paths = rescaled_routes(log), rescaled_paths(log)
    costs = log.facts(f"macs_{convention}")[f"macs_{convention}"].to_numpy()
    st.markdown(plain(rescaled_verdict(sizes, paths)))
    words = [
        f"{factor:.3g} times: {row.height}x{row.width}" for factor, row in zip(factors, sizes.itertuples(), strict=True)
    ]
    at = choose_size(words)
    frames = runs.frames(log.space, log.gates)
    for frame, cost in zip(frames, costs, strict=True):
        frame["facts"] = f"{frame['open']} of {log.space.n_paths} paths open · {short(cost)} MACs ({convention})"
    index = collection.index(row)
    image = {
        "id": collection.facts["id"].iat[row],
        "src": caches.thumbnail(collection.dataset_key, index, collection.dataset),
        "frames": frames,
    }
    film = runs.film(log.space) | {"steps": words, "images": [image]}
    player(film, key=PLAYER, step=at, on_step=take_size, course="sizes", words=words)
    curves(sizes, costs, words.index(at), convention)
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        st.markdown("**Sizes**")
        show_sizes(sizes, costs, convention)
    with right:
        st.markdown("**Paths that move most**")
        show_paths(paths)
    said = " ".join(f"{word}: {meaning}." for word, meaning in RESCALED_WORDS.items())
    st.caption(plain(f"{said} These describe one image: what happens to it, not what happens to images in general."))


def choose_size(words: list[str]) -> str:
    """The size whose route is shown."""
    if st.session_state.get(state.FACTOR) not in words:
        st.session_state.pop(state.FACTOR, None)
        st.session_state[state.FACTOR] = next((word for word in words if word.startswith("1 times")), words[0])
    return st.select_slider("Size", words, key=state.FACTOR)


def take_size() -> None:
    """Bring the slider to where the player is."""
    if (word := state.part(PLAYER, "step")) is not None:
        st.session_state[state.FACTOR] = word


def curves(sizes: pd.DataFrame, costs: np.ndarray, at: int, convention: str) -> None:
    """Mean scale, open paths and MACs over size, side by side."""
    panels = {
        "Mean scale of the route, 0 the finest": sizes["mean scale"],
        "Open paths": sizes["open paths"],
        f"MACs ({convention})": costs,
    }
    for place, (title, values) in zip(st.columns(len(panels)), panels.items(), strict=True):
        figure = go.Figure()
        figure.add_scatter(
            x=sizes["factor"],
            y=values,
            mode="lines+markers",
            line={"color": COLOUR, "width": 2},
            marker={"size": 7},
            hovertemplate="%{x:.3g} times: %{y:.4s}<extra></extra>",
        )
        figure.add_vline(x=sizes["factor"].iat[at], line={"color": "#e0407a", "width": 2})
        figure.update_layout(
            height=220,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            xaxis={
                "title": "times its size",
                "type": "log",
                "tickvals": list(ENDS),
                "ticktext": [f"{e:g}" for e in ENDS],
            },
            yaxis={"zeroline": False, "tickformat": "~s" if title.startswith("MACs") else ""},
        )
        with place:
            st.markdown(f"**{title}**")
            st.plotly_chart(figure, key=f"rescaled_{title}", config={"displayModeBar": False}, alt=f"{title} by size")


def show_sizes(sizes: pd.DataFrame, costs: np.ndarray, convention: str) -> None:
    """One row a size."""
    shown = sizes[["factor", "padding", "mean scale", "open paths", "opened", "shut", "distance"]].copy()
    shown.insert(1, "size", [f"{row.height}x{row.width}" for row in sizes.itertuples()])
    shown["padding"] = [percent(share) for share in sizes["padding"]]
    shown[f"MACs ({convention})"] = [short(cost) for cost in costs]
    three = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(shown, hide_index=True, column_config={name: three for name in ("factor", "mean scale", "distance")})


def show_paths(paths: pd.DataFrame) -> None:
    """The paths whose activation moves most."""
    moving = paths[paths["range"] > 0].sort_values("range", ascending=False, kind="stable").head(MOVING)
    if moving.empty:
        st.caption("None: every activation stays as it is.")
        return
    three, signed = st.column_config.NumberColumn(format="%.3f"), st.column_config.NumberColumn(format="%+.2f")
    st.dataframe(
        moving[["path", "smallest", "largest", "range", "r", "switches"]],
        hide_index=True,
        column_config={name: three for name in ("smallest", "largest", "range")}
        | {"r": signed, "switches": "opens or shuts"},
    )
