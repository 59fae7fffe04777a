"""Does it follow scale, or the facts of a recorded log? Correlations of routes, and prediction, against chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from routeviz.dashboard import asked, caches, components, filtering, rescaling, state
from routeviz.dashboard.collection import Collection
from routeviz.dashboard.exports import file_name
from routeviz.dashboard.facts import own_labels, own_numbers
from routeviz.dashboard.words import percent, plain
from routeviz.errors import InputError
from routeviz.quantities import count, of_rows
from routeviz.space.kinds import is_lattice

if TYPE_CHECKING:
    from routeviz.routelog import RouteLog
    from routeviz.stats import Prediction

LATTICE = "scale_lattice"
LEAST_SHUFFLES, SHUFFLES, MOST_SHUFFLES, RESAMPLES, MOST_PREDICTED = 99, 999, 9999, 999, 99
MOST_FACTS, MOSTLY = 6, 0.5
"""Facts of a recorded log that are looked at, and the share of its rows that have them."""
SCALE, FACTS = "Does it follow scale?", "Does it follow the facts?"
STRONGEST = "the one it goes with most"
SEEN = {"activation": "activations of all paths", "open": "which paths are open"}
COLOURS = ("#3a86c8", "#e0407a", "#e0701a")
"""Of shuffles, what was found, and chance: they stand out from white and from black."""


def follows(collection: Collection) -> str:
    """What can be asked of a log's routes; empty where its rows are not independent, or nothing is known of them."""
    if is_lattice(collection.space) or any(name.startswith("objects_") for name in collection.log.columns):
        return SCALE
    known = own_numbers(collection.facts) or own_labels(collection)
    return FACTS if known and collection.rows_are != "tokens" else ""


def show(collection: Collection, mask: np.ndarray, convention: str) -> None:
    """All tests of the images that pass the filter, then one image at many sizes."""
    key, log = filtering.passing_log(collection, mask)
    facts = None if follows(collection) == SCALE else told_facts(log)
    try:
        tests(collection, key, log, facts)
    except InputError as error:
        st.info(collection.say(f"No test: {plain(error)}"), icon=":material/info:")
    if facts is None:
        st.divider()
        rescaling.show(collection, mask, convention)


def told_facts(log: RouteLog) -> tuple[str, ...]:
    """Numbers that whoever recorded a log gave its rows, but those that few of them have."""
    table = log.images
    return tuple(name for name in own_numbers(table) if table[name].notna().mean() > MOSTLY)[:MOST_FACTS]


def tests(collection: Collection, key: caches.Key, log: RouteLog, facts: tuple[str, ...] | None) -> None:
    """Correlations and prediction; raises InputError where nothing is known of scale, or of too few images.

    With ``facts``, columns of the log, it is not of scale, and a class of the log's own is predicted.
    """
    from routeviz.stats import ALIKE, correlation_verdict

    asked.check_number(state.SHUFFLES, LEAST_SHUFFLES, MOST_SHUFFLES, "number of shuffles")
    asked.check_switch(state.FILM, "order of a film")
    places, say = st.columns([1, 1.4, 1.6], vertical_alignment="bottom"), collection.say
    shuffles = int(
        places[0].number_input(
            "Shuffles",
            LEAST_SHUFFLES,
            MOST_SHUFFLES,
            SHUFFLES,
            key=state.SHUFFLES,
            bind=state.BOUND,
            help=say(
                "Of the images, for the p-values; the smallest p is 1 / (shuffles + 1). Prediction takes "
                f"{MOST_PREDICTED} of them at most."
            ),
        )
    )
    film = places[1].toggle(
        "Frames of a film, in order",
        key=state.FILM,
        bind=state.BOUND,
        help="Neighbouring frames are alike and not independent: shuffles are then shifts of the whole film, and "
        "resamples are made of runs of neighbours.",
    )
    if facts != ():
        likeness = caches.neighbour_likeness(key, facts, log)
        if not film and likeness > ALIKE:
            st.warning(
                f"Neighbouring {log.rows_are} are alike (rank correlation {likeness:.2f}), as frames of a film are: "
                "then what follows finds too much. Say above that they are frames of a film.",
                icon=":material/movie:",
            )
        about = "the scale of objects" if facts is None else ", ".join(facts)
        work = f"{shuffles:,} shuffles and {RESAMPLES:,} resamples of {count(len(log), log.rows_are)}"
        with st.spinner(f"Correlating the route with {about}: {work}"):
            whole = caches.correlation(key, "route", facts, shuffles, film, log)
        with st.spinner(f"Correlating {log.space.n_paths} paths with {about}: {work}"):
            paths = caches.correlation(key, "paths", facts, shuffles, film, log)
        st.markdown(f"**The whole route.** {plain(say(correlation_verdict(whole)))}")
        st.markdown(f"**Each of {log.space.n_paths} paths.** {plain(say(correlation_verdict(paths)))}")
        if len(paths):
            with places[2]:
                fact = choose_fact([STRONGEST, *dict.fromkeys(paths["fact"])], of_scale=facts is None)
            asked.say(state.FACT, "fact")
            correlations(log, caches.path_usage(key, log)["activation"].to_numpy(), paths, fact)
        if len(whole):
            st.markdown("**The route as a whole**")
            show_table(whole, "of the route")
        meanings(log, whole, shuffles, film, of_scale=facts is None)
    labels = ["scale_class"] * ("scale_class" in log.columns) if facts is None else own_labels(collection)
    if labels:
        predictions(collection, key, log, labels, min(shuffles, MOST_PREDICTED))
    elif facts is None:
        st.caption(
            "No class of scale is known of these images, so none is predicted from the route: scenes have one, by "
            "construction."
        )


def choose_fact(facts: list[str], *, of_scale: bool) -> str:
    """The fact that lattice and table are of."""
    asked.check(state.FACT, facts)
    objects = (
        " An object is a connected piece of a class in the label: small below 32², medium below 96² pixels, else large."
    )
    return st.selectbox(
        "Fact of the objects' scale" if of_scale else "Fact",
        facts,
        key=state.FACT,
        bind=state.BOUND,
        help="What lattice and table show of each path; p-values are corrected for all facts." + objects * of_scale,
    )


def correlations(log: RouteLog, mean: np.ndarray, table: pd.DataFrame, fact: str) -> None:
    """The lattice of what goes with a fact beyond chance, and the paths, strongest first.

    Parameters
    ----------
    log : RouteLog
    mean : ndarray, (path,)
        Mean activations: cells are drawn as those have them.
    table : DataFrame
        As `routeviz.stats.path_correlation` gives it.
    fact : str
        One of the table, or `STRONGEST`.
    """
    from routeviz.stats import CORRELATION_WORDS
    from routeviz.stats.scale import LEVEL

    space, rows_are = log.space, log.rows_are
    best = table.sort_values("r", key=abs, ascending=False, kind="stable")
    best = best.drop_duplicates("value") if fact == STRONGEST else best[best["fact"] == fact]
    of_path = best.set_index("value").reindex(list(space.path_names))
    beyond = (of_path["p_corrected"] < LEVEL).to_numpy()
    strength = np.where(beyond, of_path["r"].abs().fillna(0), 0)
    components.lattice(
        space,
        np.nan_to_num(mean),
        key=LATTICE,
        title="Paths that go with a fact",
        weights=("beyond chance, |r| 0 to 1", strength),
        path_notes={
            "": [
                f"the same for all {rows_are}"
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
    show_table(best, "path")
    st.download_button(
        "All correlations as CSV",
        table.to_csv(index=False),
        f"{file_name('correlations')}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="scale_csv",
        help=CORRELATION_WORDS["corrected"],
    )


def show_table(table: pd.DataFrame, what: str) -> None:
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
        height=components.table_height(len(shown)),
        column_config={
            "r": number(format="%+.2f", help=interval),
            "low": number("95 % from", format="%+.2f", help=interval),
            "high": number("95 % to", format="%+.2f", help=interval),
            "change": st.column_config.Column(alignment="right") if large else number(format="%+.3f"),
            "p": number(format="%.4f", help=CORRELATION_WORDS["p"]),
            "corrected": number("corrected p", format="%.4f", help=CORRELATION_WORDS["corrected"]),
        },
    )


def meanings(log: RouteLog, table: pd.DataFrame, shuffles: int, film: bool, *, of_scale: bool) -> None:
    """What the figures mean, and of how many images they are."""
    from routeviz.stats import CORRELATION_WORDS

    n = len(log)
    used = int(table["images"].iloc[0]) if len(table) else n
    lacking = "those with labels; " if of_scale else "those with all of the facts; "
    of = f"{used:,} images" if used == n else f"{used:,} of {n:,} images ({lacking}at most a seeded sample)"
    done = f"{min(shuffles, used - 1):,} shifts of the film" if film else f"{shuffles:,} shuffles"
    meant = {word: meaning for word, meaning in CORRELATION_WORDS.items() if of_scale or word != "mean scale"}
    said = " ".join(f"{word}: {meaning}." for word, meaning in meant.items())
    st.caption(plain(of_rows(f"{of}, {done}, {RESAMPLES:,} resamples. {said}", log.rows_are)))


def predictions(collection: Collection, key: caches.Key, log: RouteLog, columns: list[str], shuffles: int) -> None:
    """How well a class is told from the route alone: that of scale, or one of the log's own columns."""
    say, column = collection.say, columns[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        what = "The class of scale" if columns == ["scale_class"] else "A class"
        st.markdown(f"**{what}, predicted from the route alone**", width="content")
        if len(columns) > 1:
            look = {"label_visibility": "collapsed", "width": 190}
            column = asked.choose("Class", columns, lambda: columns[0], key=state.PREDICTED, **look)
    asked.say(state.PREDICTED, "class")
    with st.spinner(f"Predicting it for {count(len(log), log.rows_are)}: 5 folds, {shuffles} shuffles, twice"):
        try:
            found = [caches.prediction(key, column, features, shuffles, log) for features in SEEN]
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
        st.markdown(say(f"Images by true class and the one predicted from {SEEN[first.features]}"))
        table = first.confusion if column == "scale_class" else first.confusion.sort_index().sort_index(axis=1)
        st.table(table.rename_axis(index="true"), border="horizontal")
    st.caption(
        say(
            f"{first.images:,} images, {first.folds} folds, linear discriminant analysis; each image is predicted by a "
            f"classifier that has not seen it. Chance: always the most frequent class, {percent(first.chance)}. "
            f"Shuffled: the same procedure with the classes shuffled among the images, {len(first.shuffled)} times; p "
            "is the share of shuffles, the true order among them, that do as well."
        )
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
