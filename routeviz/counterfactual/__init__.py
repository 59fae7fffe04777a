"""What would have been: routes that are forced in part, and what they change."""

from routeviz.counterfactual.forced import ForcedRoute
from routeviz.counterfactual.front import Front, load_front
from routeviz.counterfactual.kept import KeptPass
from routeviz.counterfactual.rerun import Original, Outcome, Rerun, rerun
from routeviz.counterfactual.starvation import Starvation, without_starved
from routeviz.counterfactual.sweep import budget_front

__all__ = [
    "ForcedRoute",
    "Front",
    "KeptPass",
    "Original",
    "Outcome",
    "Rerun",
    "Starvation",
    "budget_front",
    "load_front",
    "rerun",
    "without_starved",
]
