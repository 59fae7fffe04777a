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
    original, forced = result.macs(convention)
    opens = [
        int(open_paths(result.net.space, np.nan_to_num(one.gates)[None]).sum())
        for one in (result.original, result.forced)
    ]
    places = st.columns(5)
    places[0].metric("changed pixels", percent(float(result.changed.mean())), help=WORDS["changed pixels"])
    for place, words, pair in (
        (places[1], "mIoU", (result.original.miou, result.forced.miou)),
        (places[2], "pixel accuracy", (result.original.pixel_accuracy, result.forced.pixel_accuracy)),
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
            short(forced),
            None if forced == original else f"{100 * (forced - original) / original:+.2f}%",
            delta_color="inverse",
            help=f"{WORDS['MACs']} A cell that is forced on all its paths computes no gate.",
        )
        st.caption(f"original {short(original)}")
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
    for words, classes in (("original", result.original.prediction), ("forced", result.forced.prediction)):
        picture = pictures.chart(pictures.coloured(classes, table))
        shown.append(Figure(f"segmentation, {words}", picture, shape=shape, sharp=True))
    marked = pictures.marked(image, result.changed)
    words = f"changed pixels: {percent(float(result.changed.mean()))}"
    shown.append(Figure(words, pictures.chart(marked), shape=shape, sharp=True))
    components.figures(shown, key="what_if_pictures")
    space, gates = result.net.space, {"original": result.original.gates, "forced": result.forced.gates}
    exports.offer(
        lambda: plot_route_differences.describe({words: Route(space, alphas) for words, alphas in gates.items()}),
        key="what_if",
        name="Forced route",
        caption=f"Forced: {result.route.to_text() or 'nothing'}",
    )


def classes_of(collection: Collection, result: Rerun) -> pd.DataFrame:
    """IoU of each class on both routes, with the class's name where the collection knows it."""
    names = [str(name) for name in collection.class_names]
    return result.classes(names if len(names) == result.net.config.num_classes else ())


def show_colours(collection: Collection, classes: pd.DataFrame) -> None:
    """The legend of the segmentations, with the IoU of each class on the forced route."""
    st.markdown("**Classes, IoU when forced**", help=WORDS["mIoU"])
    table = pictures.palette(len(classes), collection.class_colors)
    components.legend(classes["name"], table, classes["iou_forced"], key="what_if_classes")


def show_classes(classes: pd.DataFrame) -> None:
    """IoU of each class on both routes."""
    classes = classes[classes[["iou_original", "iou_forced"]].notna().any(axis=1)]
    st.markdown("**Change of IoU**", help=WORDS["mIoU"])
    if not len(classes):
        st.caption("There is no label, so there is no IoU.")
        return
    shown = pd.DataFrame(
        {
            "class": classes["name"],
            "original": 100 * classes["iou_original"],
            "forced": 100 * classes["iou_forced"],
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
    turned = int((asked["open_original"] != asked["open_forced"]).sum())
    st.markdown("**Gates that were asked again**", help=WORDS["forced"])
    st.caption(
        f"{len(asked)} paths that are not forced changed their activation, {turned} of them opened or shut; "
        f"{forced} forced paths changed."
    )
    if not len(asked):
        return
    verdict = np.select(
        [~asked["open_original"] & asked["open_forced"], asked["open_original"] & ~asked["open_forced"]],
        ["open", "shut"],
        "",
    )
    shown = pd.DataFrame(
        {
            "path": asked["path"],
            "original": asked["alpha_original"],
            "forced": asked["alpha_forced"],
            "change": asked["alpha_forced"].fillna(0) - asked["alpha_original"].fillna(0),
            "became": verdict,
        }
    ).head(LISTED)
    number = st.column_config.NumberColumn(format="%.3f")
    change = st.column_config.NumberColumn(format="%+.3f")
    st.dataframe(
        shown, hide_index=True, column_config={"original": number, "forced": number, "change": change}, height=300
    )
