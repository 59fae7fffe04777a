"""What a forced route changes, beside the original."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from routeviz.counterfactual import Rerun
from routeviz.dashboard import components, exports, pictures
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.components import Figure
from routeviz.dashboard.words import WORDS, percent, short
from routeviz.plots import plot_route_differences
from routeviz.space import Route, open_paths

LISTED = 200


def show(collection: Collection, result: Rerun, image: np.ndarray, label: np.ndarray | None, convention: str) -> None:
    """Numbers, pictures, and what changed in each class and path."""
    numbers(result, convention)
    show_pictures(collection, result, image, label)
    colours, classes, paths = st.columns([0.8, 1.2, 1.15], gap="medium")
    table = classes_of(collection, result)
    with colours:
        show_colours(collection, table)
    with classes:
        show_classes(table)
    with paths:
        show_paths(result)


def numbers(result: Rerun, convention: str) -> None:
    """What the forced route changes, beside the original."""
    before, after = result.macs(convention)
    opens = [
        int(open_paths(result.net.space, np.nan_to_num(one.gates)[None]).sum()) for one in (result.before, result.after)
    ]
    places = st.columns(5)
    places[0].metric("changed pixels", percent(float(result.changed.mean())), help=WORDS["changed pixels"])
    for place, words, pair in (
        (places[1], "mIoU", (result.before.miou, result.after.miou)),
        (places[2], "pixel accuracy", (result.before.pixel_accuracy, result.after.pixel_accuracy)),
    ):
        with place.container(gap=None):
            gain = pair[1] - pair[0]
            st.metric(
                words,
                percent(pair[1]),
                None if np.isnan(gain) or gain == 0 else f"{100 * gain:+.1f} points",
                help=WORDS[words],
            )
            st.caption(f"original {percent(pair[0])}")
    with places[3].container(gap=None):
        st.metric(
            f"MACs ({convention})",
            short(after),
            None if after == before else f"{100 * (after - before) / before:+.2f}%",
            delta_color="inverse",
            help=f"{WORDS['MACs']} A cell that is forced on all its paths computes no gate.",
        )
        st.caption(f"original {short(before)}")
    with places[4].container(gap=None):
        st.metric("open paths", opens[1], opens[1] - opens[0] or None, delta_color="off", help=WORDS["path"])
        st.caption(f"original {opens[0]}, of {result.net.space.n_paths}")


def show_pictures(collection: Collection, result: Rerun, image: np.ndarray, label: np.ndarray | None) -> None:
    """Image, both segmentations, and the pixels that changed."""
    table = pictures.palette(result.net.config.num_classes, collection.class_colors)
    shape = f"{image.shape[1]} / {image.shape[0]}"
    shown = [Figure("image", pictures.photo(image), shape=shape)]
    if label is not None:
        shown.append(Figure("label", pictures.chart(pictures.coloured(label, table)), shape=shape, sharp=True))
    for words, classes in (("original", result.before.prediction), ("forced", result.after.prediction)):
        picture = pictures.chart(pictures.coloured(classes, table))
        shown.append(Figure(f"segmentation, {words}", picture, shape=shape, sharp=True))
    marked = pictures.marked(image, result.changed)
    words = f"changed pixels: {percent(float(result.changed.mean()))}"
    shown.append(Figure(words, pictures.chart(marked), shape=shape, sharp=True))
    components.figures(shown, key="what_if_pictures")
    space, before, after = result.net.space, result.before.gates, result.after.gates
    exports.offer(
        lambda: plot_route_differences.describe(
            {"as the gates decide": Route(space, before), "forced": Route(space, after)}
        ),
        key="what_if",
        name="Forced route",
        caption=f"Forced: {result.forced.to_text() or 'nothing'}",
    )


def classes_of(collection: Collection, result: Rerun) -> pd.DataFrame:
    """IoU of each class on both routes, with the class's name where the collection knows it."""
    names = [str(name) for name in collection.class_names]
    return result.classes(names if len(names) == result.net.config.num_classes else ())


def show_colours(collection: Collection, classes: pd.DataFrame) -> None:
    """The legend of the segmentations, with the IoU of each class on the forced route."""
    st.markdown("**Classes, IoU when forced**", help=WORDS["mIoU"])
    table = pictures.palette(len(classes), collection.class_colors)
    components.legend(classes["name"], table, classes["iou_after"], key="what_if_classes")


def show_classes(classes: pd.DataFrame) -> None:
    """IoU of each class on both routes."""
    classes = classes[classes[["iou_before", "iou_after"]].notna().any(axis=1)]
    st.markdown("**Change of IoU**", help=WORDS["mIoU"])
    if not len(classes):
        st.caption("There is no label, so there is no IoU.")
        return
    shown = pd.DataFrame(
        {
            "class": classes["name"],
            "original": 100 * classes["iou_before"],
            "forced": 100 * classes["iou_after"],
            "change": 100 * classes["change"],
        }
    )
    number = st.column_config.NumberColumn(format="%.1f%%")
    change = st.column_config.NumberColumn("change, points", format="%+.1f")
    st.dataframe(
        shown, hide_index=True, column_config={"original": number, "forced": number, "change": change}, height="content"
    )


def show_paths(result: Rerun) -> None:
    """Paths that nobody forced, but whose gates answered otherwise when they were asked again."""
    paths = result.paths
    forced = int(paths["forced"].sum())
    asked = paths[~paths["forced"]]
    turned = int((asked["open_before"] != asked["open_after"]).sum())
    st.markdown("**Gates that were asked again**", help=WORDS["forced"])
    st.caption(
        f"{len(asked)} paths that are not forced changed their activation, {turned} of them opened or shut; "
        f"{forced} forced paths changed."
    )
    if not len(asked):
        return
    verdict = np.select(
        [~asked["open_before"] & asked["open_after"], asked["open_before"] & ~asked["open_after"]],
        ["open", "shut"],
        "",
    )
    shown = pd.DataFrame(
        {
            "path": asked["path"],
            "original": asked["before"],
            "forced": asked["after"],
            "change": asked["after"].fillna(0) - asked["before"].fillna(0),
            "became": verdict,
        }
    ).head(LISTED)
    number = st.column_config.NumberColumn(format="%.3f")
    change = st.column_config.NumberColumn(format="%+.3f")
    st.dataframe(
        shown, hide_index=True, column_config={"original": number, "forced": number, "change": change}, height=300
    )
