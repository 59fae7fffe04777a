"""Running an image again under a forced route, and what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from PIL import Image

from routeviz.costs import asked_cells, macs
from routeviz.counterfactual.forced import ForcedRoute
from routeviz.counterfactual.kept import MAX_BYTES, KeptPass
from routeviz.errors import InputError
from routeviz.metrics import confusion, iou, mean_iou, pixel_accuracy
from routeviz.network import NetworkOutput, RoutingNetwork
from routeviz.network.logits import classes_at
from routeviz.space import INPUTS, STATES, cell_states, open_paths, sent

ALIKE = 1e-6
"""Activations that differ by no more are the same, but for rounding."""
NAMED = 4


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one route gives for an image.

    Attributes
    ----------
    gates : ndarray, (path,) float32
        Activations that were used; NaN where the cell was unreached.
    prediction : ndarray, (H, W) uint8, or uint16 of more than 256 classes
        Class of each pixel, at the image's own size.
    confusion : ndarray, (class, class) int64, or None
        Label against prediction; None without a label.
    forced : ndarray, (path,) float32
        What was forced; NaN asked the gate.
    """

    gates: np.ndarray
    prediction: np.ndarray
    confusion: np.ndarray | None
    forced: np.ndarray

    @property
    def miou(self) -> float:
        """Mean IoU over the classes in the label; NaN without a label."""
        return np.nan if self.confusion is None else mean_iou(self.confusion)

    @property
    def pixel_accuracy(self) -> float:
        """Share of the labelled pixels whose class is right; NaN without a label."""
        return np.nan if self.confusion is None else pixel_accuracy(self.confusion)


class Original:
    """One image with its pass through a network, kept to be run again under forced routes.

    Parameters
    ----------
    net : RoutingNetwork
        In eval mode, on any device.
    image : ndarray, (H, W, 3) uint8 RGB
    label : ndarray, (H, W) int, optional
    ignore_index : int, optional
        Label value that is no class.
    resize : (height, width), optional
        Size the image is brought to (bilinear) first, as in a trace.
    base : ForcedRoute, optional
        What is forced on the original already, such as the route of a trace; it stays forced where a rerun is silent.
    max_bytes : int
        See `KeptPass`.

    Attributes
    ----------
    outcome : Outcome
        Of the original.
    base : ForcedRoute
    image_size : (height, width)
        As the network sees the image.
    """

    def __init__(
        self,
        net: RoutingNetwork,
        image: np.ndarray,
        *,
        label: np.ndarray | None = None,
        ignore_index: int | None = None,
        resize: tuple[int, int] | None = None,
        base: ForcedRoute | None = None,
        max_bytes: int = MAX_BYTES,
    ):
        if label is not None and label.shape != image.shape[:2]:
            raise InputError(f"a label of shape {label.shape} for an image of {image.shape[:2]}; they must agree")
        self.net, self.image_size = net, resize or image.shape[:2]
        self._shape, self._label, self._ignore_index = image.shape[:2], label, ignore_index
        self.base = ForcedRoute(net.space) if base is None else base
        if resize is not None:
            image = np.asarray(Image.fromarray(image).resize(resize[::-1], Image.Resampling.BILINEAR))
        device = next(net.parameters()).device
        self._pass = KeptPass(net, net.preprocess(image)[None].to(device), self.base, max_bytes=max_bytes)
        self.outcome = self._outcome(self._pass.output, self.base)

    def rerun(self, route: ForcedRoute) -> Rerun:
        """Run the image again with some paths forced, from the first layer that says so.

        Parameters
        ----------
        route : ForcedRoute
            Laid over what the original was forced to. Gates that are not forced are asked again, so other paths may
            change too.

        Returns
        -------
        Rerun
            The original outcome and that of the route.

        Raises
        ------
        InputError
            If the route is of another space, or needs a part that a static network has not built.
        """
        whole = route.over(self.base)
        return Rerun(self.net, self.image_size, route, self.outcome, self._outcome(self._pass.run(whole), whole))

    def _outcome(self, output: NetworkOutput, forced: ForcedRoute) -> Outcome:
        n_classes, table = self.net.config.num_classes, None
        prediction = classes_at(output.logits, self._shape)[0].astype(np.min_scalar_type(n_classes - 1))
        if self._label is not None:
            table = confusion(self._label, prediction, n_classes, self._ignore_index)
        return Outcome(output.gates[0].cpu().numpy(), prediction, table, forced.activations)


def rerun(net: RoutingNetwork, image: np.ndarray, route: ForcedRoute, **options: object) -> Rerun:
    """Run one image twice: the original, as the network takes it, and under a forced route.

    Parameters
    ----------
    net : RoutingNetwork
    image : ndarray, (H, W, 3) uint8
    route : ForcedRoute
    **options
        label, ignore_index, resize, base and max_bytes: see `Original`.

    Returns
    -------
    Rerun
        The original outcome and that of the route.

    Raises
    ------
    InputError
        If the label has another size than the image, or the route does not suit the network.
    """
    return Original(net, image, **options).rerun(route)


@dataclass(frozen=True, eq=False)
class Rerun:
    """An image's original outcome and its outcome when forced to a route.

    Attributes
    ----------
    net : RoutingNetwork
    image_size : (height, width)
        As the network saw the image.
    route : ForcedRoute
        What was forced, beside what the original was forced to already.
    original, forced : Outcome
    """

    net: RoutingNetwork
    image_size: tuple[int, int]
    route: ForcedRoute
    original: Outcome
    forced: Outcome

    @cached_property
    def changed(self) -> np.ndarray:
        """Pixels whose class changed, ``(H, W)`` bool."""
        return self.original.prediction != self.forced.prediction

    def classes(self, names: Sequence[str] = ()) -> pd.DataFrame:
        """One row a class: name, iou_original, iou_forced, change (NaN where it is in neither or there is no label)."""
        outcomes = (self.original, self.forced)
        n_classes = self.net.config.num_classes
        nothing = np.full(n_classes, np.nan)
        original, forced = (nothing if one.confusion is None else iou(one.confusion) for one in outcomes)
        return class_changes(names or self.net.config.class_names, original, forced)

    def macs(self, convention: str = "conv") -> tuple[int, int]:
        """MACs of the original and when forced. A cell forced on all its paths computes no gate: none is counted."""
        net = self.net
        original, forced = (
            macs(
                net,
                one.gates[None],
                self.image_size,
                convention=convention,
                with_gates=asked_cells(net.space, one.forced),
            )
            for one in (self.original, self.forced)
        )
        return int(original[0]), int(forced[0])

    @cached_property
    def paths(self) -> pd.DataFrame:
        """Paths whose activation changed, the largest change first.

        Columns: path (short name), alpha_original and alpha_forced (activations; NaN: the cell is unreached),
        open_original, open_forced, forced (whether it was forced; the others were asked again and answered otherwise).
        """
        space = self.net.space
        gates = np.stack([self.original.gates, self.forced.gates])
        is_open = open_paths(space, np.nan_to_num(gates))
        values = np.nan_to_num(gates)
        differs = (np.abs(values[0] - values[1]) > ALIKE) | (np.isnan(gates[0]) != np.isnan(gates[1]))
        table = pd.DataFrame(
            {
                "path": space.path_names,
                "alpha_original": gates[0],
                "alpha_forced": gates[1],
                "open_original": is_open[0],
                "open_forced": is_open[1],
                "forced": ~np.isnan(self.route.activations),
            }
        )[differs]
        order = np.argsort(-np.abs(values[0] - values[1])[differs], kind="stable")
        return table.iloc[order].reset_index(drop=True)

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What the forced route cuts off, in sentences; empty where everything is still fed."""
        space = self.net.space
        gates = np.nan_to_num(np.stack([self.original.gates, self.forced.gates]))
        states, carried = cell_states(space, gates), sent(space, gates)[:, space.exits]
        strides = space.cells.stride.to_numpy()[space.source[space.exits]]
        remarks = []
        arrives = carried > INPUTS.index("none")
        if carried[1].max() < INPUTS.index("image"):
            remarks.append(
                "No way through is left: nothing of the image reaches the decoder, only what image-blind cells "
                "make of their biases. The segmentation is the same for every image of this size."
            )
        if (lost := strides[arrives[0] & ~arrives[1]]).size:
            remarks.append(f"The decoder gets nothing any more from stride {_listed(lost)}.")
        unreached = states.state == STATES.index("unreached")
        closed = states.state == STATES.index("closed")
        for words, gone in (
            ("Closed now, passing on their input", closed[1] & ~closed[0]),
            ("Reached no more", unreached[1] & ~unreached[0]),
            ("Image-blind now", states.image_blind[1] & ~states.image_blind[0]),
        ):
            if gone.any():
                remarks.append(f"{words}: {_listed([space.cell_names[cell] for cell in np.flatnonzero(gone)])}.")
        idle = ~np.isnan(self.route.activations) & unreached[1][space.source]
        if idle.any():
            names = dict.fromkeys(space.cell_names[cell] for cell in space.source[idle])
            remarks.append(f"What is forced on {_listed(names)} has no effect: nothing reaches it.")
        return tuple(remarks)


def class_changes(names: Sequence[str], original: np.ndarray, forced: np.ndarray) -> pd.DataFrame:
    """The IoU of each class in both outcomes: one row a class, name, iou_original, iou_forced, change."""
    names = list(names) or [f"class {index}" for index in range(len(original))]
    return pd.DataFrame({"name": names, "iou_original": original, "iou_forced": forced, "change": forced - original})


def _listed(names: Sequence[object]) -> str:
    """Some names as words: at most four, and the number of the others."""
    names = [str(name) for name in names]
    if len(names) > NAMED + 1:
        names = [*names[:NAMED], f"{len(names) - NAMED} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
