"""The questions that Population answers, as far as a log permits them; the first one is that of its own charts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from routeviz.dashboard import dynamics, recorded, scaling, starving
from routeviz.dashboard.collection import Collection

Answer = Callable[[Collection, np.ndarray, str], None]


def answers(collection: Collection) -> dict[str, Answer | None]:
    """What shows the answer to each question, by the question as it is called on the screen; None for the charts."""
    found = {"What do images do?": None, "How dynamic is it?": dynamics.show}
    found |= {question: scaling.show} if (question := scaling.follows(collection)) else {}
    found["What does it cost?"] = recorded.show if collection.recorded else starving.show
    return {collection.say(question): answer for question, answer in found.items()}
