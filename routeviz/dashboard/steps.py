"""The slider over the steps of a training."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from routeviz.dashboard import asked, state
from routeviz.dashboard.words import WORDS


def choose_step(marks: Sequence[int], what: str) -> int:
    """The one slider of a page; ``what`` says what the steps are with."""
    if len(marks) == 1:
        st.caption(f"Step {marks[0]:,} is the only one {what}.")
        return marks[0]
    asked.begin(state.STEP, marks, lambda: marks[-1])
    now = int(state.value(state.STEP))
    step = st.select_slider(
        "Step",
        marks,
        # A widget leaves its own default out of the address: never what is shown.
        value=marks[0] if now != marks[0] else marks[-1],
        key=state.STEP,
        bind=state.BOUND,
        on_change=_keep_step,
        help=WORDS["step"],
    )
    asked.say(state.STEP, "step")
    return step


def _keep_step() -> None:
    """Have the address name the step also where the slider was brought to its default."""
    st.session_state[state.STEP] = st.session_state[state.STEP]
