"""What would have been: routes that are forced in part, paths that are closed in turn, and what that changes."""

from routeviz.counterfactual.closing import Closings, close_each, run_closed
from routeviz.counterfactual.effect import ForcedEffect, forced_effect
from routeviz.counterfactual.forced import ForcedRoute
from routeviz.counterfactual.front import Front, load_front
from routeviz.counterfactual.importance import (
    Importance,
    image_importance,
    importance,
    is_importance,
    load_importance,
)
from routeviz.counterfactual.kept import KeptPass
from routeviz.counterfactual.ranking import RANKINGS, Limits, flag_paths, ranked
from routeviz.counterfactual.rerun import Original, Outcome, Rerun, rerun
from routeviz.counterfactual.starvation import Starvation, without_starved
from routeviz.counterfactual.sweep import budget_front

__all__ = [
    "RANKINGS",
    "Closings",
    "ForcedEffect",
    "ForcedRoute",
    "Front",
    "Importance",
    "KeptPass",
    "Limits",
    "Original",
    "Outcome",
    "Rerun",
    "Starvation",
    "budget_front",
    "close_each",
    "flag_paths",
    "forced_effect",
    "image_importance",
    "importance",
    "is_importance",
    "load_front",
    "load_importance",
    "ranked",
    "rerun",
    "run_closed",
    "without_starved",
]
