"""Whose uploads are whose: each browser has a secret word, and sees its own uploads and what no one uploaded."""

from __future__ import annotations

import json
import re
import secrets

import streamlit as st

from routeviz.dashboard import caches, state, uploads
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import Item, owner_of
from routeviz.jobs import Job, list_jobs

COOKIE = "routeviz-owner"
_WORD = re.compile(r"[\w-]{22,64}", re.ASCII)
_OWN = "own_word"


def word() -> str:
    """The secret word of this browser: what its cookie holds, or a new one, which the page then puts there."""
    cookie = st.context.cookies.get(COOKIE, "")
    # A cookie is sent once, as the tab opens; the page says what it holds now.
    for given in (state.part(state.TAB, state.OWNER), cookie):
        if isinstance(given, str) and _WORD.fullmatch(given):
            return given
    return st.session_state.setdefault(_OWN, secrets.token_urlsafe(16))


def seen() -> tuple[str, str]:
    """The owners of what this browser may see: itself, and nobody."""
    return uploads.owner_of_word(word()), ""


def items(settings: Settings) -> list[Item]:
    """All logs, checkpoints and runs that this browser may see."""
    owners = seen()
    return [item for item in caches.items(json.dumps(settings.to_environment())) if item.owner in owners]


def jobs(settings: Settings) -> tuple[list[Job], int]:
    """The jobs that this browser may see, the latest first, and how many others run."""
    every, owners = list_jobs(settings.jobs), seen()
    listed = [job for job in every if owner_of(job.folder, job.folder) in owners]
    return listed, sum(job.running for job in every) - sum(job.running for job in listed)
