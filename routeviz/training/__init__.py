"""Training: budget loss, loop, evaluation; run folders with checkpoints and metrics.

The settings come without torch, so that the command line can show them at once; the rest is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from routeviz.training.config import Budget, TrainConfig

if TYPE_CHECKING:
    from routeviz.training.evaluation import Evaluation, evaluate
    from routeviz.training.loop import train
    from routeviz.training.runs import checkpoint_paths, read_config, read_metrics, read_network

_HOME = {
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "train": "loop",
    "checkpoint_paths": "runs",
    "read_config": "runs",
    "read_metrics": "runs",
    "read_network": "runs",
}

__all__ = [
    "Budget",
    "Evaluation",
    "TrainConfig",
    "checkpoint_paths",
    "evaluate",
    "read_config",
    "read_metrics",
    "read_network",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
