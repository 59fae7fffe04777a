"""What a training run is told: one frozen dataclass, written into the run's folder and compared when it is resumed."""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from routeviz.errors import InputError

PRECISIONS = ("fp32", "bf16", "fp16")
PAPER_BATCH = 8
# Where the data lies and how often the run reports do not change the weights; nor do the loader's processes.
FREE_ON_RESUME = frozenset({"root", "workers"})
FREE_ON_BRANCH = FREE_ON_RESUME | {"budget", "checkpoint_every", "eval_every"}


@dataclass(frozen=True)
class Budget:
    """The budget constraint on the expected cost: weight · (expected / whole - target)².

    Parameters
    ----------
    weight : float
        λ of the paper, above 0.
    target : float
        μ of the paper, a share of the whole space's cost in [0, 1]. It steers the expected cost, not the real one.
    """

    weight: float
    target: float

    def __post_init__(self) -> None:
        if not self.weight > 0 or not 0 <= self.target <= 1:
            raise InputError(
                f"budget weight {self.weight} and target {self.target}: the weight must be above 0 and the target in "
                "[0, 1], for example 0.5 and 0.1; leave the budget out to train without a constraint"
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a training run. The defaults are the paper's, but for a network and images that two cores can train.

    Parameters
    ----------
    dataset, root, options : str, str or None, dict
        Arguments of `routeviz.datasets.open_dataset`.
    train_split, eval_split : str
        Splits to learn from and to evaluate on.
    resize : tuple of int, optional
        Size (height, width) to which every image and label of the dataset is brought first: the run's full scale.
    crop : tuple of int
        Size (height, width) of what the network trains on, cut from the randomly scaled image.
    scale : tuple of float
        Range of the random scale; its factor is drawn evenly.
    flip : bool
        Mirror half of the crops.
    layers, width, stem_width, small_gate : int, int, int, bool
        The network, see `routeviz.network.NetworkConfig`.
    architecture : str, optional
        Name of a static architecture to train alone, without gates.
    init : str, optional
        Checkpoint whose weights are taken over where name and shape agree.
    batch_size : int
        Images a step, over all processes together.
    steps : int
        Optimizer steps.
    base_rate : float
        Learning rate at batch 8; the rate used is base_rate · batch_size / 8.
    warmup_steps : int, optional
        Steps over which the rate rises linearly; None is 1,000, or a tenth of the steps where that is less.
    power : float
        The rate falls with (1 - step / steps) ** power.
    momentum, weight_decay : float
        SGD's; the decay leaves out the norms.
    clip : float
        Largest norm of the whole gradient.
    budget : Budget, optional
        None trains "raw", without a constraint.
    budget_start, budget_warmup : float
        Share of the steps after which the budget is switched on, and over which it then rises to its full weight.
    precision : {"fp32", "bf16", "fp16"}
        bf16 and fp16 run under autocast, fp16 (GPU only) with a gradient scaler.
    compile : bool
        Compile the network's training step with `torch.compile`. On a CPU that is slower, by four times where measured.
    seed : int
        Of the first weights, of the order of the images and of every crop.
    checkpoint_every, eval_every, log_every : int
        Steps between checkpoints (with the state to resume from), evaluations, and lines of metrics.
    workers : int
        Processes that cut crops; 0 cuts them in the training process.
    """

    dataset: str = "camvid"
    root: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    train_split: str = "train"
    eval_split: str = "val"
    resize: tuple[int, int] | None = None
    crop: tuple[int, int] = (180, 240)
    scale: tuple[float, float] = (0.5, 2.0)
    flip: bool = True
    layers: int = 16
    width: int = 16
    stem_width: int = 64
    small_gate: bool = False
    architecture: str | None = None
    init: str | None = None
    batch_size: int = 8
    steps: int = 4000
    base_rate: float = 0.05
    warmup_steps: int | None = None
    power: float = 0.9
    momentum: float = 0.9
    weight_decay: float = 1e-4
    clip: float = 5.0
    budget: Budget | None = None
    budget_start: float = 0.4
    budget_warmup: float = 0.02
    precision: str = "fp32"
    compile: bool = False
    seed: int = 0
    checkpoint_every: int = 500
    eval_every: int = 1000
    log_every: int = 10
    workers: int = 0

    def __post_init__(self) -> None:
        least = dict.fromkeys(("batch_size", "steps", "checkpoint_every", "eval_every", "log_every"), 1)
        for name, number in (least | {"seed": 0, "workers": 0}).items():
            if getattr(self, name) < number:
                raise InputError(f"{name} is {getattr(self, name)}: give a whole number of at least {number}")
        if not (self.base_rate > 0 and self.clip > 0):
            raise InputError(f"base_rate {self.base_rate} and clip {self.clip}: both must be above 0")
        if self.warmup_steps is not None and not 0 <= self.warmup_steps <= self.steps:
            raise InputError(f"warmup_steps is {self.warmup_steps}: give 0 to {self.steps}, the steps of this run")
        if min(self.crop) < 1 or (self.resize is not None and min(self.resize) < 1):
            raise InputError(f"crop {self.crop} and resize {self.resize}: give (height, width) of at least 1 pixel")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise InputError(f"scale {self.scale}: give the smallest and the largest factor, for example (0.5, 2.0)")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision!r} is unknown: choose one of {', '.join(PRECISIONS)}")
        if not 0 <= self.budget_start <= 1 or not 0 <= self.budget_warmup <= 1:
            raise InputError(
                f"budget_start {self.budget_start}, budget_warmup {self.budget_warmup}: give shares in [0, 1]"
            )
        if self.budget is not None and self.architecture is not None:
            raise InputError(
                f"architecture {self.architecture!r} has no gates for a budget to steer: leave one of the two out"
            )

    @property
    def branch_step(self) -> int:
        """Steps done when the budget is switched on: runs that differ only in their budget share all before it."""
        return round(self.budget_start * self.steps)

    def rate_factor(self, step: int) -> float:
        """Factor on the learning rate of the step after `step` steps: linear warm-up times poly decay."""
        warmup = min(1000, self.steps // 10) if self.warmup_steps is None else self.warmup_steps
        warm = min(1.0, (step + 1) / warmup) if warmup else 1.0
        return warm * max(0.0, 1 - step / self.steps) ** self.power

    def budget_factor(self, step: int) -> float:
        """Factor in [0, 1] on the budget's weight in the step after `step` steps."""
        if self.budget is None or step < self.branch_step:
            return 0.0
        return min(1.0, (step - self.branch_step + 1) / max(1, round(self.budget_warmup * self.steps)))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON holds them (tuples as lists)."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """Rebuild settings from `to_dict`; an unknown name raises InputError."""
        if unknown := sorted(set(settings) - {entry.name for entry in fields(cls)}):
            raise InputError(f"unknown training settings {', '.join(unknown)}: this routeviz did not write them")
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
        if values.get("budget") is not None:
            values["budget"] = Budget(**values["budget"])
        return cls(**values)

    def differences(self, other: Self, *, free: frozenset[str] = FREE_ON_RESUME) -> list[str]:
        """Name the settings that differ from another run's, as "steps 4000, was 2000"; those in `free` may."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [
            f"{name} {mine[name]}, was {theirs[name]}"
            for name in mine
            if name not in free and mine[name] != theirs[name]
        ]
