"""Training: budget loss, loop, evaluation; run folders with checkpoints and metrics.

The settings come without torch, so that the command line can show them at once; the rest is imported on first use.
"""

from typing import TYPE_CHECKING

from routeviz.lazy import on_first_use
from routeviz.training.config import Budget, TrainConfig

if TYPE_CHECKING:
    from routeviz.training.evaluation import Evaluation as Evaluation
    from routeviz.training.evaluation import evaluate as evaluate
    from routeviz.training.loop import train as train
    from routeviz.training.runs import checkpoint_paths as checkpoint_paths
    from routeviz.training.runs import read_config as read_config
    from routeviz.training.runs import read_metrics as read_metrics
    from routeviz.training.runs import read_network as read_network

_ROOMS = {
    "evaluation": (
        "Evaluation",
        "evaluate",
    ),
    "loop": ("train",),
    "runs": (
        "checkpoint_paths",
        "read_config",
        "read_metrics",
        "read_network",
    ),
}

__getattr__, _names = on_first_use(__name__, _ROOMS)
__all__ = ["Budget", "TrainConfig", *_names]
