"""Budget fronts on the screen: mIoU against MACs, the point that was clicked, and the command that writes it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from routeviz.dashboard import asked, caches, exports, state, work
from routeviz.dashboard.chooser import choose_convention
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import Item
from routeviz.dashboard.words import WORDS, percent, plain, short
from routeviz.plots import plot_front
from routeviz.plots.front import GROUPS
from routeviz.plots.screen import safe

if TYPE_CHECKING:
    from routeviz.counterfactual import Front

CHART = "front_chart"
HEIGHT = 420
NAMES = {"trained": "as trained", **dict(GROUPS)}
LOOKS = {
    "trained": ("#e0407a", "diamond"),
    "threshold": ("#3a86c8", "circle"),
    "greedy": ("#e0701a", "square"),
    "other": ("#1f9e89", "triangle-up"),
}
"""Colour and symbol of each kind of point: they stand out from white and from black."""


def show(settings: Settings, shelf: list[Item]) -> None:
    """A front that is there, and a way to start another."""
    found = {item.name: item for item in shelf if item.kind == "front"}
    if found:
        with st.sidebar:
            name = asked.choose("Front", list(found), lambda: next(iter(found)), key=state.FRONT, help=WORDS["front"])
            convention = choose_convention()
        asked.say(state.FRONT, "front")
        item = found[name]
        front_view(shelf, item, caches.front(str(item.path), item.stamp), convention)
    else:
        st.info("There is no front in the folders given yet. Start one here.", icon=":material/show_chart:")
    with st.expander("Trace a front", expanded=not found, icon=":material/add:"):
        work.show_front(settings, shelf)


@st.fragment
def front_view(shelf: list[Item], item: Item, front: Front, convention: str) -> None:
    """Everything about one front; only this runs again when another point is chosen."""
    table = front.table(convention)
    data = front.settings["dataset"]
    made_of = (front.settings["checkpoint"] or {}).get("file", "a network")
    about = f"{made_of} on {int(table.images.max()):,} images of {data['name']}, {data['split']}"
    if (table.kind == "greedy").any():
        ranked = "{images} images of {dataset}, {split}".format(**front.settings["ranking"])
        about += f"; paths were ranked for the greedy rounds on {ranked}"
    st.caption(plain(about))
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in front.verdict(convention)))
    names = table["name"].tolist()
    if st.session_state.get(state.POINT) not in (None, *names):
        st.session_state.pop(state.POINT)
    asked.check(state.POINT, names)
    chart, about = st.columns([3, 2], gap="medium")
    with about:
        point = st.selectbox(
            "Point",
            names,
            index=None,
            placeholder="Click a point in the chart, or choose it here",
            key=state.POINT,
            bind=state.BOUND,
        )
        asked.say(state.POINT, "point")
        if point is not None:
            show_point(shelf, item, front, table[table["name"] == point].iloc[0], convention)
    with chart:
        head = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
        head.markdown("**mIoU against MACs**", width="content", help=WORDS["front"])
        with head:
            exports.offer(
                lambda: plot_front.describe(front.points, convention=convention),
                key="front",
                name=f"Budget front of {item.path.name}",
            )
        st.plotly_chart(
            drawn(table, convention, point),
            key=CHART,
            on_select=take_point,
            selection_mode="points",
            config={"displayModeBar": False},
            alt="mIoU against MACs of each point",
        )
    show_table(table, convention)


def take_point() -> None:
    """Bring what was clicked in the chart to the list of points, whose value the address keeps."""
    points = (st.session_state.get(CHART) or {}).get("selection", {}).get("points", [])
    if points and points[0].get("customdata"):
        named = points[0]["customdata"]
        st.session_state[state.POINT] = named if isinstance(named, str) else named[0]


def show_point(shelf: list[Item], item: Item, front: Front, row: pd.Series, convention: str) -> None:
    """Figures of one point, and the command that writes its network."""
    left, right = st.columns(2)
    with left.container(gap=None):
        change = None if row["kind"] == "trained" else f"{100 * row['difference']:+.1f} points"
        st.metric("mIoU of all images", percent(row["miou"]), change, help=WORDS["mIoU"])
        st.caption(f"{percent(row['miou_low'])} to {percent(row['miou_high'])} (95%, over images)")
    with right.container(gap=None):
        saved = None if row["kind"] == "trained" else f"{-100 * row['saved']:+.1f}%"
        st.metric(
            f"MACs ({convention})", short(row[f"macs_{convention}"]), saved, delta_color="inverse", help=WORDS["MACs"]
        )
        st.caption(f"average; {row['open']:.1f} paths open")
    if row["name"] not in front.thresholds:
        st.caption("Another network, evaluated on the same images to compare with.")
        return
    wanted = (front.settings["checkpoint"] or {}).get("sha256")
    checkpoints = [other for other in shelf if other.kind == "checkpoint"]
    made_of = (
        caches.checkpoint_like(wanted, front.settings["checkpoint"].get("file", ""), checkpoints) if wanted else None
    )
    file = str(made_of.path) if made_of else "CHECKPOINT"
    words = ["routeviz", "front", file, "--out", str(item.path), "--write", row["name"], "--to"]
    st.markdown("This command writes its network as a checkpoint:")
    st.code(shlex.join([*words, f"{row['name']}.safetensors"]), language="bash", wrap_lines=True)


def drawn(table: pd.DataFrame, convention: str, chosen: str | None) -> go.Figure:
    """The points for the screen, in its theme's colours: filled where no other point beats them."""
    macs, miou = table[f"macs_{convention}"].to_numpy(float), 100 * table.miou.to_numpy(float)
    best = table.efficient.to_numpy(bool)
    figure = go.Figure()
    figure.add_scatter(
        x=macs[best],
        y=miou[best],
        mode="lines",
        name="efficient",
        line={"dash": "dash", "width": 1.5, "color": "#8a94a3"},
        hoverinfo="skip",
    )
    for kind, (colour, symbol) in LOOKS.items():
        rows = (table.kind == kind).to_numpy()
        if not rows.any():
            continue
        filled = best[rows] | (kind in ("trained", "other"))
        figure.add_scatter(
            x=macs[rows],
            y=miou[rows],
            mode="markers",
            name=NAMES[kind],
            customdata=table["name"][rows],
            marker={
                "symbol": [symbol if full else f"{symbol}-open" for full in filled],
                "size": np.where(table["name"][rows] == chosen, 16, 10),
                "color": colour,
                "line": {"width": 2, "color": colour},
            },
            unselected={"marker": {"opacity": 1}},
            text=[safe(name) for name in table["name"][rows]],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": 100 * (table.difference_high - table.difference)[rows],
                "arrayminus": 100 * (table.difference - table.difference_low)[rows],
                "color": colour,
                "thickness": 1,
                "width": 0,
            },
            hovertemplate="%{text}<br>mIoU %{y:.1f}%<br>%{x:.4s} MACs<extra></extra>",
        )
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
        xaxis={"title": f"average MACs an image ({convention})", "tickformat": "~s", "zeroline": False},
        yaxis={"title": "mIoU of all images, %", "zeroline": False},
        clickmode="event+select",
    )
    return figure


def show_table(table: pd.DataFrame, convention: str) -> None:
    """All points, the dearest first."""
    shown = pd.DataFrame(
        {
            "point": table["name"],
            "efficient": table.efficient,
            "mIoU": 100 * table.miou,
            "difference": 100 * table.difference,
            "from": 100 * table.difference_low,
            "to": 100 * table.difference_high,
            "MACs, M": table[f"macs_{convention}"] / 1e6,
            "saved": 100 * table.saved,
            "open paths": table.open,
        }
    )
    share = st.column_config.NumberColumn(format="%.1f%%")
    points = {"difference": "difference, points", "from": "95% from", "to": "95% to"}
    change = {key: st.column_config.NumberColumn(label, format="%+.1f") for key, label in points.items()}
    number = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(
        shown,
        hide_index=True,
        column_config={"mIoU": share, "saved": share, "MACs, M": number, "open paths": number, **change},
        height="content",
    )
