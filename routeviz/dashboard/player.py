"""The player: routes of a few images over the steps of a training, or over sizes, drawn in the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from routeviz.dashboard.components import text_of, theme_css

_player = st.components.v2.component(
    "routeviz_player",
    # One module cannot import another here, so the lattice's drawing is put in front as a plain function.
    js=text_of("routeviz.space", "lattice.js").replace("export default function", "function drawLattice", 1)
    + text_of("routeviz.dashboard", "player.js"),
    css=theme_css() + text_of("routeviz.space", "lattice.css") + text_of("routeviz.dashboard", "player.css"),
)


def player(
    film: Mapping[str, Any],
    *,
    key: str,
    step: int | str,
    on_step: Callable[[], None],
    course: str = "training",
    words: Sequence[str] | None = None,
) -> None:
    """Show routes at a step and play them over all steps; while playing, ``step`` in the state of `key` follows.

    `film` has ``steps``, ``images`` (``id``, ``src``: a data URI, ``frames``: as `runs.frames`, with ``facts``: words)
    and what `runs.film` gives; `course` says what they lie along, and `words` what each is called if not by its step.
    """
    _player(
        key=key,
        data={**film, "step": step, "course": course, "words": None if words is None else list(words)},
        on_step_change=on_step,
    )
