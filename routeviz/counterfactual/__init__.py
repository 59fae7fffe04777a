"""What would have been: routes that are forced in part, and what they change."""

from routeviz.counterfactual.forced import ForcedRoute
from routeviz.counterfactual.kept import KeptPass
from routeviz.counterfactual.rerun import Original, Outcome, Rerun, rerun

__all__ = ["ForcedRoute", "KeptPass", "Original", "Outcome", "Rerun", "rerun"]
