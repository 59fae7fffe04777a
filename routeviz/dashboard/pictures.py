"""Pictures for the screen: label maps in colours, thumbnails, features, small histograms; arrays in, pictures out."""

from __future__ import annotations

import base64
import colorsys
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from routeviz.space.svg import THEMES

IGNORED = (120, 120, 120)
CHANGED = (208, 2, 27)
SCREEN_WIDTH = 960
THUMBNAIL = (168, 96)


def palette(n_classes: int, colours: Sequence[Sequence[int]] = ()) -> np.ndarray:
    """Colour of every possible label value, ``(256, 3)`` uint8: as given, else hues apart; grey beyond the classes."""
    table = np.full((256, 3), IGNORED, np.uint8)
    for index in range(min(n_classes, 256)):
        if index < len(colours):
            table[index] = colours[index]
        else:
            # Steps of the golden ratio keep neighbouring classes far apart in hue.
            hue = colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.65, 0.55 + 0.4 * (index % 2))
            table[index] = np.rint(np.multiply(hue, 255))
    return table


def coloured(label: np.ndarray, table: np.ndarray) -> np.ndarray:
    """A label map as a picture: ``(height, width)`` class indices to ``(height, width, 3)`` uint8."""
    return table[np.clip(label, 0, 255).astype(np.uint8)]


def for_screen(image: np.ndarray, *, smooth: bool = True) -> np.ndarray:
    """An image of at most 960 pixels across, so that switching stays quick whatever the camera."""
    height, width = image.shape[:2]
    if width <= SCREEN_WIDTH:
        return image
    size = (SCREEN_WIDTH, max(1, round(height * SCREEN_WIDTH / width)))
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(image).resize(size, how, reducing_gap=2.0))


def photo(image: np.ndarray) -> str:
    """An image ``(height, width, 3)`` uint8 as a JPEG in a data URI."""
    return _uri(Image.fromarray(for_screen(image)), "JPEG", quality=88)


def chart(image: np.ndarray) -> str:
    """A picture of few colours ``(height, width, 3)`` uint8, such as a label map, as a PNG in a data URI."""
    return _uri(Image.fromarray(for_screen(image, smooth=False)), "PNG", compress_level=3)


def marked(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An image ``(height, width, 3)`` uint8 in faint grey, with some pixels in red."""
    grey = 150 + image.mean(axis=2) * 0.4
    picture = np.repeat(grey[..., None].astype(np.uint8), 3, axis=2)
    picture[mask] = CHANGED
    return picture


def _uri(picture: Image.Image, kind: str, **options: int) -> str:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data.getvalue()).decode()}"


def thumbnail(image: np.ndarray) -> str:
    """An image as a small JPEG in a data URI, cut to the shape that the gallery wants."""
    picture = Image.fromarray(image)
    width, height = picture.size
    wanted = THUMBNAIL[0] / THUMBNAIL[1]
    if width > wanted * height:
        edge = (width - wanted * height) / 2
        box = (edge, 0, width - edge, height)
    else:
        edge = (height - width / wanted) / 2
        box = (0, edge, width, height - edge)
    return _uri(picture.resize(THUMBNAIL, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0), "JPEG", quality=80)


def heat(values: np.ndarray, *, size: int = 200) -> np.ndarray:
    """A feature map ``(height, width)`` as a picture of about `size` pixels, from its least value to its largest."""
    values = np.nan_to_num(np.asarray(values, dtype=np.float64))
    span = values.max() - values.min()
    level = (values - values.min()) / span if span else np.zeros_like(values)
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in THEMES["dark"].ramp], float)
    at = np.linspace(0, 1, len(stops))
    picture = np.stack([np.interp(level, at, stops[:, channel]) for channel in range(3)], axis=-1)
    # Whole steps, nearest neighbour: every feature stays one square.
    factor = max(1, round(size / max(values.shape)))
    return np.kron(picture.astype(np.uint8), np.ones((factor, factor, 1), np.uint8))


def histogram_svg(values: np.ndarray, marker: float, *, theme: str = "light", bins: int = 40) -> str:
    """How activations in [0, 1] are spread, as an SVG, with a line at one value.

    Parameters
    ----------
    values : ndarray
        NaN is left out.
    marker : float
        Where the line stands.
    theme : str
        ``"light"`` or ``"dark"``.
    """
    colours = THEMES[theme]
    counts, _ = np.histogram(values[np.isfinite(values)], bins=bins, range=(0, 1))
    width, height, left = 300, 70, 6
    step = (width - 2 * left) / bins
    # Square roots keep a few images visible beside the many that share one value.
    heights = np.sqrt(counts / max(counts.max(), 1)) * height
    bars = "".join(
        f'<rect x="{left + index * step:.1f}" y="{8 + height - tall:.1f}" width="{step - 1:.1f}" height="{tall:.1f}" '
        f'fill="{colours.soft}"/>'
        for index, tall in enumerate(heights)
    )
    x = left + marker * (width - 2 * left)
    text = "".join(
        f'<text x="{left + share * (width - 2 * left)}" y="{height + 22}" text-anchor="{anchor}" '
        f'fill="{colours.soft}" font-family="sans-serif" font-size="11">{share:g}</text>'
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    lines = (
        f'<path d="M{left} {height + 8.5}H{width - left}" stroke="{colours.soft}"/>'
        f'<path d="M{x:.1f} 2V{height + 8}" stroke="{colours.accent}" stroke-width="2"/>'
    )
    size = f'width="{width}" height="{height + 28}" viewBox="0 0 {width} {height + 28}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{bars}{lines}{text}</svg>'
