"""One image at many sizes: whether its route follows the scale at which things are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from routeviz.datasets import Sample
from routeviz.errors import InputError
from routeviz.network import RoutingNetwork
from routeviz.routelog import RouteLog
from routeviz.tracing.trace import trace

SIZE_FACTORS = tuple(2.0 ** (step / 4) for step in range(-8, 9))
"""From a quarter of the size to four times, four steps an octave."""


class Rescaled:
    """One image as a dataset: the same sample at several sizes, smallest first.

    Parameters
    ----------
    sample : Sample
        Its label, where it has one, is resized too (nearest pixel), so that facts of objects are those of each size.
    factors : sequence of float
        Of height and width, each above 0; what comes out is rounded to whole pixels.
    resize : (height, width), optional
        Size that factor 1 stands for; by default the sample's own.
    class_names, ignore_index
        As those of the dataset that the sample is from.

    Raises
    ------
    InputError
        If there are no factors, one occurs twice or is not above 0, or an image would have no pixel.
    """

    name = "rescaled"

    def __init__(
        self,
        sample: Sample,
        factors: Sequence[float] = SIZE_FACTORS,
        *,
        resize: tuple[int, int] | None = None,
        class_names: Sequence[str] = (),
        ignore_index: int | None = None,
    ) -> None:
        ordered = sorted(float(factor) for factor in factors)
        if not ordered or not ordered[0] > 0 or len(set(ordered)) < len(ordered) or not np.isfinite(ordered[-1]):
            raise InputError(f"factors {', '.join(f'{f:g}' for f in ordered) or 'none'}; give different ones above 0")
        self.size = tuple(resize or sample.image.shape[:2])
        if min(self.size) * ordered[0] < 1:
            raise InputError(f"factor {ordered[0]:g} leaves nothing of image {sample.id}; give larger factors")
        self.sample, self.factors = sample, tuple(ordered)
        self.class_names, self.ignore_index = tuple(class_names), ignore_index
        self.ids = [f"{sample.id} x{factor:.6g}" for factor in ordered]
        self.split = None
        self.options = {"image": sample.id, "size": list(self.size), "factors": ordered}

    def __len__(self) -> int:
        return len(self.factors)

    def __getitem__(self, index: int) -> Sample:
        factor, sample = self.factors[index], self.sample
        height, width = (round(side * factor) for side in self.size)
        image = Image.fromarray(sample.image).resize((width, height), Image.Resampling.BILINEAR)
        label = sample.label
        if label is not None:
            middles = ((np.arange(n) + 0.5) * m // n for n, m in zip((height, width), label.shape, strict=True))
            label = label[np.ix_(*(middle.astype(int) for middle in middles))]
        return Sample(image=np.asarray(image), label=label, id=self.ids[index], file=sample.file)

    def facts(self, index: int) -> dict[str, Any]:
        """The factor of an image."""
        return {"factor": self.factors[index]}


def trace_rescaled(
    net: RoutingNetwork,
    sample: Sample,
    factors: Sequence[float] = SIZE_FACTORS,
    *,
    resize: tuple[int, int] | None = None,
    class_names: Sequence[str] = (),
    ignore_index: int | None = None,
    **settings: Any,
) -> RouteLog:
    """Record the route that one image takes at each of several sizes.

    Parameters
    ----------
    net : RoutingNetwork
    sample : Sample
        From a dataset; ``Sample(image, None, "name", "")`` for any image.
    factors, resize, class_names, ignore_index
        As for `Rescaled`.
    **settings
        out, route and progress, as for `routeviz.trace`.

    Returns
    -------
    RouteLog
        One row a size, smallest first, with a column ``factor``; `routeviz.stats.rescaled_routes` and
        `routeviz.stats.rescaled_paths` describe it.
    """
    images = Rescaled(sample, factors, resize=resize, class_names=class_names, ignore_index=ignore_index)
    return trace(net, images, batch_size=1, workers=0, **settings)
