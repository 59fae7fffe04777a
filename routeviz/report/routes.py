"""The routes that a page shows: what ``lattice.js`` draws of each image, packed as text that ends no script."""

from __future__ import annotations

import base64
import gzip
import io
import json

import numpy as np
import pandas as pd
from PIL import Image

from routeviz.errors import DatasetError, InputError
from routeviz.plots.catalogue import Pictures
from routeviz.quantities import count
from routeviz.routelog import RouteLog
from routeviz.space.svg import lattice_data
from routeviz.stats import cell_usage, path_usage

PAINT = ("activation", "path_kind", "path_width", "path_level", "cell_kind", "path_text", "cell_text")
THUMBNAIL = (280, 160)
SEED = 0

_FACTS = {
    "miou": ("mIoU", "{:.1%}"),
    "pixel_accuracy": ("pixel accuracy", "{:.1%}"),
    "scale_class": ("scale of objects", "{}"),
    "macs_conv": ("MACs (conv)", "{:,}"),
    "height": ("height", "{} px"),
    "width": ("width", "{} px"),
}


def sample_rows(log: RouteLog, most: int) -> np.ndarray:
    """Rows of the images that are shown, ascending: all of them, or a sample that is the same every time."""
    if len(log) <= most:
        return np.arange(len(log))
    return np.sort(np.random.default_rng(SEED).choice(len(log), most, replace=False))


def pack_routes(log: RouteLog, rows: np.ndarray, pictures: Pictures | None) -> str:
    """Pack the routes of some images, with their facts and thumbnails, as base64 of compressed JSON.

    Parameters
    ----------
    log : RouteLog
    rows : ndarray, (shown,) int
    pictures : Pictures, optional
        Where thumbnails come from; an image that cannot be read has none.

    Returns
    -------
    str
        ``lattice``: the drawing without a route; ``row``: what a row is; ``images``: id, facts, picture (a data URI, or
        empty) and paint.
    """
    shown = log.select(rows)
    cells, paths = cell_usage(log), path_usage(log)
    path_notes = {f"open, of all {count(len(log), log.rows_are)}": [f"{share:.1%}" for share in paths.open]}
    cell_notes = {f"open, of all {count(len(log), log.rows_are)}": [f"{share:.1%}" for share in cells.open]}
    images = []
    for row, id_ in enumerate(shown.facts("id")["id"]):
        data = lattice_data(log.space, shown.gates[row], path_notes=path_notes, cell_notes=cell_notes)
        paint = {key: data[key] for key in PAINT}
        images.append({"id": id_, "facts": _facts(shown, row), "picture": _thumbnail(pictures, id_), "paint": paint})
    data = {"lattice": lattice_data(log.space), "row": log.rows_are.removesuffix("s"), "images": images}
    packed = json.dumps(data, separators=(",", ":"))
    # Without a time inside, equal routes are equal text.
    return base64.b64encode(gzip.compress(packed.encode(), 9, mtime=0)).decode()


def _facts(log: RouteLog, row: int) -> list[tuple[str, str]]:
    known = {name: log.facts(name)[name].iloc[row] for name in _FACTS if name in log.columns}
    told = [(_FACTS[name][0], _FACTS[name][1].format(value)) for name, value in known.items() if value == value]
    if not log.source.get("model"):
        return told
    # Of a recorded log whoever recorded it said what there is to know.
    own = [name for name in log.columns if name not in ("id", *_FACTS) and not name.startswith("macs_")]
    values = ((name, log.facts(name)[name].iloc[row]) for name in own)
    return told + [(name, f"{x:.4g}" if isinstance(x, float) else str(x)) for name, x in values if not pd.isna(x)]


def _thumbnail(pictures: Pictures | None, id_: str) -> str:
    if pictures is None:
        return ""
    try:
        picture = Image.fromarray(pictures.sample(id_).image)
    except (DatasetError, InputError):
        return ""
    picture.thumbnail(THUMBNAIL, reducing_gap=2.0)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=78)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
