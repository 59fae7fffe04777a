"""Running a network on one image, as a trace does it; no streamlit. Torch and SciPy are imported on the first run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from routeviz.space import OPEN_THRESHOLD

if TYPE_CHECKING:
    from torch import Tensor

    from routeviz.counterfactual import Importance, Original
    from routeviz.datasets import Sample
    from routeviz.network import RoutingNetwork
    from routeviz.routelog import RouteLog

KEPT_BYTES = 128 << 20


class Pass(NamedTuple):
    """One image through a network: activations ``(path,)``, class of each pixel ``(height, width)`` unsigned."""

    gates: np.ndarray
    prediction: np.ndarray


class How(NamedTuple):
    """How images enter the network: size they are brought to, and activations that are forced (None asks the gate)."""

    resize: tuple[int, int] | None = None
    forced: tuple[float | None, ...] | None = None


def load(path: Path, settings: Mapping[str, Any]) -> RoutingNetwork:
    """Load a checkpoint; what its weights cannot tell is in `settings`, named as in a network's configuration."""
    from routeviz.network import Normalization, load_checkpoint

    keywords = {
        name: settings[name] for name in ("small_gate", "class_names", "class_colors") if settings.get(name) is not None
    }
    if settings.get("normalization"):
        keywords["normalization"] = Normalization(**settings["normalization"])
    return load_checkpoint(path, **keywords)


def label_for(net: RoutingNetwork, dataset: Any, sample: Sample) -> np.ndarray | None:
    """An image's label, ``(height, width)``, where it says how good the network's segmentation is; None elsewhere."""
    from routeviz.tracing.recorder import scorable

    return sample.label if scorable(net, dataset) else None


def run(net: RoutingNetwork, image: np.ndarray, how: How) -> Pass:
    """Route and segment one image ``(height, width, 3)`` uint8; the segmentation has the image's own size."""
    import torch

    from routeviz.network.logits import classes_at

    with torch.inference_mode():
        x, route = _entering(net, image, how)
        output = net(x[None], route=route)
        unsigned = np.min_scalar_type(net.config.num_classes - 1)
        prediction = classes_at(output.logits, image.shape[:2])[0].astype(unsigned)
        return Pass(output.gates[0].numpy(), prediction)


def original(
    net: RoutingNetwork,
    image: np.ndarray,
    how: How,
    *,
    label: np.ndarray | None = None,
    ignore_index: int | None = None,
) -> Original:
    """One image's pass, kept so that it can run again under forced routes."""
    from routeviz.counterfactual import ForcedRoute, Original

    base = None if how.forced is None else ForcedRoute.from_activations(net.space, np.array(how.forced, np.float32))
    return Original(
        net, image, label=label, ignore_index=ignore_index, resize=how.resize, base=base, max_bytes=KEPT_BYTES
    )


def importance(
    net: RoutingNetwork, image: np.ndarray, how: How, *, label: np.ndarray | None, ignore_index: int | None, name: str
) -> Importance:
    """What closing each path alone does to one image."""
    from routeviz.counterfactual import close_each, image_importance

    x, route = _entering(net, image, how)
    found = close_each(net, x, label=label, ignore_index=ignore_index, route=route)
    return image_importance(net.space, found, {"id": name})


def rescaled(net: RoutingNetwork, sample: Sample, how: How, factors: Sequence[float]) -> RouteLog:
    """The route of one image at several sizes, smallest first, as a log with a column ``factor``."""
    from routeviz.tracing import trace_rescaled

    route = None if how.forced is None else np.array(how.forced, np.float32)
    return trace_rescaled(net, sample, factors, resize=how.resize, route=route)


def features(net: RoutingNetwork, image: np.ndarray, how: How, cell: int) -> np.ndarray | None:
    """What an open cell computes on one image, ``(channel, height, width)`` float32; None where it does not run."""
    import torch

    x, route = _entering(net, image, how)
    layer = int(net.space.cells.layer.iat[cell])
    with torch.inference_mode():  # and no hook: all sessions share the network
        passage = net.start(x[None])
        net.advance(passage, route, until=layer)
        before = passage.fork()
        net.advance(passage, route, until=layer + 1)
        # NaN where the cell is unreached.
        if not passage.gates[0, net.space.paths_from(cell)].sum() >= OPEN_THRESHOLD:
            return None
        return net.cells[cell](before.boxes[cell].features(np.zeros(1, np.intp)))[0].numpy()


def scores(
    label: np.ndarray, prediction: np.ndarray, class_names: Sequence[str], ignore_index: int | None
) -> dict[str, float]:
    """Pixel accuracy, mIoU and IoU of each class, named as in a route log."""
    from routeviz.metrics import confusion, iou, mean_iou, pixel_accuracy

    table = confusion(label, prediction, len(class_names), ignore_index)
    of_class = {f"iou_{name}": float(value) for name, value in zip(class_names, iou(table), strict=True)}
    return {"pixel_accuracy": pixel_accuracy(table), "miou": mean_iou(table), **of_class}


def _entering(net: RoutingNetwork, image: np.ndarray, how: How) -> tuple[Tensor, np.ndarray | None]:
    """The image as the network takes it, ``(3, H, W)``, and the activations ``(path,)`` that are forced on it."""
    if how.resize is not None:
        image = np.asarray(Image.fromarray(image).resize(how.resize[::-1], Image.Resampling.BILINEAR))
    route = None if how.forced is None else np.array(how.forced, np.float32)  # None becomes NaN
    return net.preprocess(image), route
