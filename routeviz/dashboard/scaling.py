"""Does it follow scale? Correlations of routes with the scale of objects, and its prediction, against chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from routeviz.dashboard import asked, caches, components, filtering, rescaling, state
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.exports import file_name
from routeviz.dashboard.words import percent, plain
from routeviz.errors import InputError
from routeviz.space import RoutingSpace

if TYPE_CHECKING:
    from routeviz.routelog import RouteLog
    from routeviz.stats import Prediction

LATTICE = "scale_lattice"
LEAST_SHUFFLES, SHUFFLES, MOST_SHUFFLES, RESAMPLES, MOST_PREDICTED = 99, 999, 9999, 999, 99
STRONGEST = "the one it goes with most"
SEEN = {"activation": "activations of all paths", "open": "which paths are open"}
COLOURS = ("#3a86c8", "#e0407a", "#e0701a")
"""Of shuffles, what was found, and chance: they stand out from white and from black."""


def show(collection: Collection, mask: np.ndarray, convention: str) -> None:
    """All tests of the images that pass the filter, then one image at many sizes."""
    key, log = filtering.passing_log(collection, mask)
    try:
        tests(key, log)
    except InputError as error:
        st.info(f"No test: {plain(error)}", icon=":material/info:")
    st.divider()
    rescaling.show(collection, mask, convention)


def tests(key: caches.Key, log: RouteLog) -> None:
    """Correlations and prediction; raises InputError where nothing is known of scale, or of too few images."""
    from routeviz.stats import ALIKE, correlation_verdict

    asked.check_number(state.SHUFFLES, LEAST_SHUFFLES, MOST_SHUFFLES, "number of shuffles")
    asked.check_switch(state.FILM, "order of a film")
    places = st.columns([1, 1.4, 1.6], vertical_alignment="bottom")
    shuffles = int(
        places[0].number_input(
            "Shuffles",
            LEAST_SHUFFLES,
            MOST_SHUFFLES,
            SHUFFLES,
            key=state.SHUFFLES,
            bind=state.BOUND,
            help=f"Of the images, for the p-values; the smallest p is 1 / (shuffles + 1). Prediction takes "
            f"{MOST_PREDICTED} of them at most.",
        )
    )
    film = places[1].toggle(
        "Frames of a film, in order",
        key=state.FILM,
        bind=state.BOUND,
        help="Neighbouring frames are alike and not independent: shuffles are then shifts of the whole film, and "
        "resamples are made of runs of neighbours.",
    )
    likeness = caches.neighbour_likeness(key, log)
    if not film and likeness > ALIKE:
        st.warning(
            f"Neighbouring images are alike (rank correlation {likeness:.2f}), as frames of a film are: then what "
            "follows finds too much. Say above that they are frames of a film.",
            icon=":material/movie:",
        )
    work = f"{shuffles:,} shuffles and {RESAMPLES:,} resamples of {len(log):,} images"
    with st.spinner(f"Correlating the route with the scale of objects: {work}"):
        whole = caches.scale_correlation(key, "route", shuffles, film, log)
    with st.spinner(f"Correlating {log.space.n_paths} paths with the scale of objects: {work}"):
        paths = caches.scale_correlation(key, "paths", shuffles, film, log)
    st.markdown(f"**The whole route.** {plain(correlation_verdict(whole))}")
    st.markdown(f"**Each of {log.space.n_paths} paths.** {plain(correlation_verdict(paths))}")
    if len(paths):
        with places[2]:
            facts = [STRONGEST, *dict.fromkeys(paths["fact"])]
            asked.check(state.FACT, facts)
            fact = st.selectbox(
                "Fact of the objects' scale",
                facts,
                key=state.FACT,
                bind=state.BOUND,
                help="What lattice and table show of each path; p-values are corrected for all facts. An object is a "
                "connected piece of a class in the label: small below 32², medium below 96² pixels, else large.",
            )
        asked.say(state.FACT, "fact")
        correlations(log.space, caches.path_usage(key, log)["activation"].to_numpy(), paths, fact)
    if len(whole):
        st.markdown("**The route as a whole**")
        show_table(whole, "of the route")
    meanings(len(log), whole, shuffles, film)
    if "scale_class" in log.columns:
        predictions(key, log, min(shuffles, MOST_PREDICTED))
    else:
        st.caption(
            "No class of scale is known of these images, so none is predicted from the route: scenes have one, by "
            "construction."
        )


def correlations(space: RoutingSpace, mean: np.ndarray, table: pd.DataFrame, fact: str) -> None:
    """The lattice of what goes with a fact beyond chance, and the paths, strongest first.

    Parameters
    ----------
    space : RoutingSpace
    mean : ndarray, (path,)
        Mean activations: cells are drawn as those have them.
    table : DataFrame
        As `routeviz.stats.path_correlation` gives it.
    fact : str
        One of the table, or `STRONGEST`.
    """
    from routeviz.stats import CORRELATION_WORDS
    from routeviz.stats.scale import LEVEL

    best = table.sort_values("r", key=abs, ascending=False, kind="stable")
    best = best.drop_duplicates("value") if fact == STRONGEST else best[best["fact"] == fact]
    of_path = best.set_index("value").reindex(list(space.path_names))
    beyond = (of_path["p_corrected"] < LEVEL).to_numpy()
    strength = np.where(beyond, of_path["r"].abs().fillna(0), 0)
    components.lattice(
        space,
        np.nan_to_num(mean),
        key=LATTICE,
        title="Paths that go with scale",
        weights=("beyond chance, |r| 0 to 1", strength),
        path_notes={
            "": [
                "the same for all images"
                if np.isnan(row.r)
                else f"{row.fact}: r {row.r:+.2f}, corrected p {row.p_corrected:.3f}"
                for row in of_path.itertuples()
            ]
        },
    )
    st.caption(
        f"Width and colour: how strongly a path's activation goes with {plain(words_of(fact))}; thinnest: no more than "
        f"by chance (corrected p at or above {LEVEL})."
    )
    show_table(best, "path", height=300)
    st.download_button(
        "All correlations as CSV",
        table.to_csv(index=False),
        f"{file_name('scale correlations')}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="scale_csv",
        help=CORRELATION_WORDS["corrected"],
    )


def show_table(table: pd.DataFrame, what: str, *, height: int | str = "content") -> None:
    """Correlations, each with its interval, its change and its chance."""
    from routeviz.stats import CORRELATION_WORDS

    shown = pd.DataFrame(
        {
            what: table["value"],
            "fact": table["fact"],
            "r": table["r"],
            "low": table["low"],
            "high": table["high"],
            "change": table["change"],
            "p": table["p"],
            "corrected": table["p_corrected"],
        }
    )
    large = table["change"].abs().max() >= 1e3
    if large:
        shown["change"] = [f"{value:+.3f}" if abs(value) < 1e3 else f"{value:+,.0f}" for value in table["change"]]
    number, interval = st.column_config.NumberColumn, CORRELATION_WORDS["r"]
    st.dataframe(
        shown,
        hide_index=True,
        height=height,
        column_config={
            "r": number(format="%+.2f", help=interval),
            "low": number("95 % from", format="%+.2f", help=interval),
            "high": number("95 % to", format="%+.2f", help=interval),
            "change": st.column_config.Column(alignment="right") if large else number(format="%+.3f"),
            "p": number(format="%.4f", help=CORRELATION_WORDS["p"]),
            "corrected": number("corrected p", format="%.4f", help=CORRELATION_WORDS["corrected"]),
        },
    )


def meanings(n: int, table: pd.DataFrame, shuffles: int, film: bool) -> None:
    """What the figures mean, and of how many images they are."""
    from routeviz.stats import CORRELATION_WORDS

    used = int(table["images"].iloc[0]) if len(table) else n
    of = f"{used:,} images" if used == n else f"{used:,} of {n:,} images (those with labels; at most a seeded sample)"
    done = f"{min(shuffles, used - 1):,} shifts of the film" if film else f"{shuffles:,} shuffles"
    said = [f"{word}: {meaning}." for word, meaning in CORRELATION_WORDS.items()]
    st.caption(plain(f"{of}, {done}, {RESAMPLES:,} resamples. {' '.join(said)}"))


def predictions(key: caches.Key, log: RouteLog, shuffles: int) -> None:
    """How well the class of scale is told from the route alone."""
    st.markdown("**The class of scale, predicted from the route alone**")
    with st.spinner(f"Predicting the class of {len(log):,} images: 5 folds, {shuffles} shuffles, twice"):
        try:
            found = [caches.scale_prediction(key, features, shuffles, log) for features in SEEN]
        except InputError as error:
            st.info(f"No prediction: {plain(error)}", icon=":material/info:")
            return
    first = found[0]
    for one in found:
        st.markdown(f"From {SEEN[one.features]}: {percent(one.accuracy)} right. {one.verdict}")
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        st.plotly_chart(
            drawn(found),
            key="scale_prediction",
            config={"displayModeBar": False},
            alt="Accuracy of prediction beside that of shuffled classes",
        )
    with right:
        st.markdown(f"Images by true class and the one predicted from {SEEN[first.features]}")
        st.table(first.confusion.rename_axis(index="true"), border="horizontal")
    st.caption(
        f"{first.images:,} images, {first.folds} folds, linear discriminant analysis; each image is predicted by a "
        f"classifier that has not seen it. Chance: always the most frequent class, {percent(first.chance)}. Shuffled: "
        f"the same procedure with the classes shuffled among the images, {len(first.shuffled)} times; p is the share "
        "of shuffles, the true order among them, that do as well."
    )


def drawn(found: list[Prediction]) -> go.Figure:
    """Each accuracy beside its shuffles and chance."""
    figure = go.Figure()
    names = [SEEN[one.features] for one in found]
    for one, name in zip(found, names, strict=True):
        figure.add_box(
            x=100 * one.shuffled,
            y=[name] * len(one.shuffled),
            orientation="h",
            boxpoints="all",
            jitter=0.5,
            pointpos=0,
            line={"color": COLOURS[0], "width": 1},
            fillcolor="rgba(0,0,0,0)",
            marker={"color": COLOURS[0], "size": 4},
            name="classes shuffled",
            showlegend=one is found[0],
            hovertemplate="%{x:.1f}%<extra></extra>",
        )
    figure.add_scatter(
        x=[100 * one.accuracy for one in found],
        y=names,
        mode="markers",
        marker={"symbol": "diamond", "size": 14, "color": COLOURS[1]},
        name="from the route",
        hovertemplate="%{x:.1f}%<extra></extra>",
    )
    figure.add_vline(x=100 * found[0].chance, line={"color": COLOURS[2], "width": 2, "dash": "dash"})
    figure.add_annotation(x=100 * found[0].chance, y=1, yref="paper", yanchor="bottom", text="chance", showarrow=False)
    figure.update_layout(
        height=240,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        legend={"orientation": "h", "y": -0.35, "yanchor": "top", "x": 0},
        xaxis={"title": "predicted right, %", "range": [0, 102], "zeroline": False},
        yaxis={"autorange": "reversed"},
    )
    return figure


def words_of(fact: str) -> str:
    """A fact as it is called in a sentence."""
    return "the fact that it goes with most" if fact == STRONGEST else fact
