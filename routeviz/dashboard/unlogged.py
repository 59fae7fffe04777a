"""What is said where a checkpoint is chosen and a route log is needed."""

from __future__ import annotations

import shlex

import streamlit as st

from routeviz.dashboard import links
from routeviz.dashboard.collection import Collection


def show(collection: Collection) -> None:
    """Say how a checkpoint's routes become a log."""
    st.header("A population is looked at in a route log")
    st.markdown(
        "You chose a checkpoint: its routes are computed one image at a time. Record those of a whole dataset first, "
        "as a job on the Checkpoints page, or on the command line:"
    )
    command = shlex.join([*collection.command("trace"), "--out", f"logs/{collection.dataset_key[0]}"])
    st.code(command, language="bash", wrap_lines=True)
    links.link("checkpoints", "To the Checkpoints page", key="to_checkpoints", icon=":material/arrow_forward:")
