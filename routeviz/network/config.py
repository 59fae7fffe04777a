"""The settings of a routing network: all that its weights do not say themselves travels here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from routeviz.errors import InputError
from routeviz.space import OPEN_THRESHOLD, RoutingSpace, lattice_space

CHANNEL_ORDERS = ("RGB", "BGR")


@dataclass(frozen=True)
class Normalization:
    """How a network wants its images: ``(value - mean) / std`` per channel, values 0 to 255.

    The defaults are those of the released training: BGR order, mean of ImageNet, no scaling.

    Parameters
    ----------
    mean, std : tuple of float
        One value a channel, in ``channels`` order.
    channels : str
        ``"BGR"`` or ``"RGB"``.
    """

    mean: tuple[float, float, float] = (103.530, 116.280, 123.675)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    channels: str = "BGR"

    def __post_init__(self) -> None:
        if self.channels not in CHANNEL_ORDERS:
            raise InputError(f"channel order {self.channels!r}; valid: {', '.join(CHANNEL_ORDERS)}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise InputError("normalisation needs three means and three positive standard deviations")


@dataclass(frozen=True)
class NetworkConfig:
    """Configuration of a :class:`RoutingNetwork`; defaults are the paper's for Cityscapes.

    Parameters
    ----------
    layers : int
        L, number of the last layer: 16 or 33 in the paper.
    width : int
        C, channels at scale 0, even.
    num_classes : int
        Number of classes the predictor tells apart.
    small_gate : bool
        Whether gates see their input resized by 1/4.
    stem_width : int
        Channels inside the stem; 64 in the released code whatever C.
    fixed_gates : tuple of float, optional
        Activation of each path in the space's order. Such a network has no gates: it is a static architecture. Cells
        and transforms that the fixed route does not use are not built.
    open_threshold : float or tuple of float
        An activation that a gate gives is used only where it is above this, and is exactly 0 elsewhere, before it is
        decided whether a cell is closed: `OPEN_THRESHOLD` (as trained) to 1, which shuts a path for all images. One for
        all paths or, as a tuple, one each. Activations that are forced or fixed are used as they are.
    normalization : Normalization
        What :meth:`RoutingNetwork.preprocess` does.
    class_names : tuple of str
        Empty, or one name a class.
    class_colors : tuple of (int, int, int)
        Empty, or one RGB colour (0 to 255) a class.

    Raises
    ------
    InputError
        If a value is out of range or the lengths do not fit each other.
    """

    layers: int = 16
    width: int = 64
    num_classes: int = 19
    small_gate: bool = False
    stem_width: int = 64
    fixed_gates: tuple[float, ...] | None = None
    open_threshold: float | tuple[float, ...] = OPEN_THRESHOLD
    normalization: Normalization = field(default_factory=Normalization)
    class_names: tuple[str, ...] = ()
    class_colors: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        for name in ("num_classes", "stem_width"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("class_names", "class_colors"):
            if len(getattr(self, name)) not in (0, self.num_classes):
                raise InputError(
                    f"{len(getattr(self, name))} {name} for {self.num_classes} classes; give one each or none"
                )
        thresholds = self.open_threshold if isinstance(self.open_threshold, tuple) else (self.open_threshold,)
        if isinstance(self.open_threshold, tuple) and len(thresholds) != self.space.n_paths:
            raise InputError(f"{len(thresholds)} open thresholds; this space has {self.space.n_paths} paths")
        if outside := [value for value in thresholds if not OPEN_THRESHOLD <= value <= 1]:
            raise InputError(f"an open threshold is {outside[0]:g}; valid: {OPEN_THRESHOLD:g} (as trained) to 1 (shut)")
        if self.fixed_gates is not None and len(self.fixed_gates) != self.space.n_paths:
            raise InputError(f"{len(self.fixed_gates)} fixed gates; this space has {self.space.n_paths} paths")

    @cached_property
    def space(self) -> RoutingSpace:
        """The routing space of this configuration."""
        return lattice_space(self.layers, self.width)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON; without `open_threshold` where it is that of training, as it always was."""
        data = asdict(self)
        if self.open_threshold == OPEN_THRESHOLD:
            del data["open_threshold"]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> NetworkConfig:
        """Inverse of :meth:`to_dict`; raises InputError naming settings that are unknown or of the wrong kind."""
        unknown = sorted(set(data) - {entry.name for entry in fields(cls)})
        if unknown:
            raise InputError(f"unknown network settings {', '.join(unknown)}; written by a newer version?")
        values = dict(data)
        try:
            if "normalization" in values:
                parts = values["normalization"]
                values["normalization"] = Normalization(tuple(parts["mean"]), tuple(parts["std"]), parts["channels"])
            if values.get("fixed_gates") is not None:
                values["fixed_gates"] = tuple(float(value) for value in values["fixed_gates"])
            if isinstance(values.get("open_threshold"), list | tuple):
                values["open_threshold"] = tuple(float(value) for value in values["open_threshold"])
            values["class_names"] = tuple(str(name) for name in values.get("class_names", ()))
            values["class_colors"] = tuple(
                tuple(int(part) for part in color) for color in values.get("class_colors", ())
            )
            return cls(**values)
        except (TypeError, KeyError, ValueError) as error:
            raise InputError(f"network settings do not fit: {error}") from None
