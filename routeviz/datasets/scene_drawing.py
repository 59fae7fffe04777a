"""Where the objects of a procedural scene lie, and how they look."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

# Tips, and radius of the notches between them (1 is the tips' radius); a disc has none.
SHAPES = {"disc": None, "triangle": (3, 0.5), "star": (5, 0.55)}
TEXTURES = ("striped", "checked")
KINDS = tuple((texture, shape) for shape in SHAPES for texture in TEXTURES)

_GAP = 0.01  # least distance between two objects, in square roots of the image's area
_COVERED = (0.16, 0.22)  # share of the image that objects cover, whatever their scale
_SMALL_AREA = 0.009  # share of the image that a small object covers, on average
_MOST = round(_COVERED[1] / _SMALL_AREA)  # objects in an image


class SceneObject(NamedTuple):
    """One object: centre and circumradius in pixels, and its position in ``KINDS``."""

    y: float
    x: float
    radius: float
    kind: int


def scatter(rng: np.random.Generator, scale_class: str, size: tuple[int, int]) -> list[SceneObject]:
    """Draw objects of a scale class that do not touch each other or the border.

    Parameters
    ----------
    rng : numpy.random.Generator
    scale_class : str
        ``small``, ``large`` or ``mixed``.
    size : (height, width)
        Of the image, in pixels.

    Returns
    -------
    list of SceneObject
        Their areas sum up to a share of the image that is drawn alike for each scale class.
    """
    covered = rng.uniform(*_COVERED)
    while True:
        kinds = rng.integers(len(KINDS), size=_MOST).tolist()
        # Drawing the kinds anew at the first failure would favour discs, which fit more easily.
        for _ in range(50):
            areas = _areas(rng, scale_class, covered) * size[0] * size[1]
            radii = np.array([_circumradius(area, KINDS[kind][1]) for area, kind in zip(areas, kinds, strict=False)])
            places = _places(rng, radii, size)
            if places is not None:
                return [
                    SceneObject(y, x, radius, kind)
                    for (y, x), radius, kind in zip(places.tolist(), radii.tolist(), kinds, strict=False)
                ]


def draw(rng: np.random.Generator, objects: list[SceneObject], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw objects on a ground, with shadows, uneven light and noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    objects : list of SceneObject
    size : (height, width)
        In pixels.

    Returns
    -------
    image : (height, width, 3) uint8
        RGB. Its mean colour and contrast are drawn without regard to the objects.
    label : (height, width) uint8
        0 for the ground, else the objects' position in ``KINDS``, plus 1.
    """
    offset = max(1, size[0] // 50)
    label = np.zeros(size, np.uint8)
    cover = np.zeros(size, np.float32)
    paint = np.zeros((*size, 3), np.float32)
    for item in objects:
        reach = item.radius + 1
        rows = slice(int(item.y - reach), int(item.y + reach) + 2)
        columns = slice(int(item.x - reach), int(item.x + reach) + 2)
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - item.y
        x = np.arange(columns.start, columns.stop, dtype=np.float32) - item.x
        texture, shape = KINDS[item.kind]
        coverage = _coverage(y, x, SHAPES[shape], item.radius, rng.uniform(0, 2 * np.pi))
        pattern = _texture(rng, y, x, texture, item.radius * rng.uniform(0.5, 0.7))
        cover[rows, columns] += coverage
        paint[rows, columns] += coverage[..., None] * _two_tone(rng, pattern, 0.3)
        label[rows, columns][coverage > 0.5] = item.kind + 1

    image = _ground(rng, size)
    shadow = Image.fromarray((np.roll(cover, (offset, offset), (0, 1)) * 255).astype(np.uint8))
    shadow = np.asarray(shadow.filter(ImageFilter.GaussianBlur(0.8 * offset)), np.float32) / 255
    image *= ((1 - cover) * (1 - 0.45 * shadow))[..., None]
    image += paint
    image += 0.25 * (_clouds(rng, size, 3) - 0.5)[..., None]
    image += np.float32(0.025) * rng.standard_normal(image.shape, np.float32)
    return _expose(rng, image), label


def _areas(rng: np.random.Generator, scale_class: str, covered: float) -> np.ndarray:
    """Shares of the image that the objects cover, `covered` in all."""
    if scale_class == "large":
        return _divide(rng, covered, rng.integers(2, 4))
    large = [covered * rng.uniform(0.4, 0.6)] if scale_class == "mixed" else []
    small = covered - sum(large)
    return np.append(large, _divide(rng, small, round(small / _SMALL_AREA)))


def _divide(rng: np.random.Generator, area: float, count: int) -> np.ndarray:
    parts = rng.uniform(0.75, 1.25, count)
    return area * parts / parts.sum()


def _places(rng: np.random.Generator, radii: np.ndarray, size: tuple[int, int]) -> np.ndarray | None:
    """Centres (y, x) of circles that do not touch, or None where one of them found no room."""
    gap = _GAP * np.sqrt(size[0] * size[1])
    candidates = rng.uniform(0, size, (1024, 2))
    room = np.minimum(candidates, size - candidates).min(axis=1) - 2
    places = np.zeros((len(radii), 2))
    for i in np.argsort(-radii):
        fits = room > radii[i]
        if not fits.any():
            return None
        places[i] = candidates[fits.argmax()]
        room = np.minimum(room, np.hypot(*(candidates - places[i]).T) - radii[i] - gap)
    return places


def _circumradius(area: float, shape: str) -> float:
    if SHAPES[shape] is None:
        return np.sqrt(area / np.pi)
    tips, notch = SHAPES[shape]
    return np.sqrt(area / (tips * notch * np.sin(np.pi / tips)))


def _coverage(y: np.ndarray, x: np.ndarray, shape: tuple[int, float] | None, radius: float, angle: float) -> np.ndarray:
    """Share of each pixel inside the outline of an object, seen from its centre."""
    outline = radius
    if shape is not None:
        tips, notch = shape
        half = np.pi / tips
        # Angle from the nearest tip; the outline is the straight line from this tip to the notch beside it.
        turn = np.abs((np.arctan2(y, x) + np.float32(angle)) % (2 * half) - half)
        rise, run = notch * np.sin(half), 1 - notch * np.cos(half)
        outline = radius * rise / (rise * np.cos(turn) + run * np.sin(turn))
    return np.clip(outline - np.hypot(y, x) + 0.5, 0, 1)


def _texture(rng: np.random.Generator, y: np.ndarray, x: np.ndarray, texture: str, period: float) -> np.ndarray:
    """Stripes or checks in 0 to 1, of half the area each."""
    angle, phase, other_phase = rng.uniform(0, 2 * np.pi, 3)
    wave = np.float32(2 * np.pi / period)
    along = np.sin(wave * (np.cos(angle) * y + np.sin(angle) * x) + np.float32(phase))
    if texture == "checked":
        across = np.sin(wave * (np.cos(angle) * x - np.sin(angle) * y) + np.float32(other_phase))
        return np.clip(0.5 + 1.5 * along * across, 0, 1)
    return np.clip(0.5 + along, 0, 1)


def _two_tone(rng: np.random.Generator, pattern: np.ndarray, contrast: float) -> np.ndarray:
    """Colour a pattern with two random colours whose lightness is apart by about `contrast`."""
    hues = rng.uniform(0, 2 * np.pi, (2, 1)) + np.array([0, 2, 4]) * np.pi / 3
    light = rng.uniform(0.3, 0.7) + contrast * rng.uniform(0.5, 1) * np.array([[-0.5], [0.5]])
    dark, bright = (light + rng.uniform(0.05, 0.2) * np.cos(hues)).astype(np.float32)
    painted = pattern[..., None] * (bright - dark)
    painted += dark
    return painted


def _clouds(rng: np.random.Generator, size: tuple[int, int], cells: int) -> np.ndarray:
    """Smooth noise around 0.5, with about this many blobs along the height."""
    grid = rng.random((cells + 1, cells * size[1] // size[0] + 1), np.float32)
    return np.asarray(Image.fromarray(grid).resize(size[::-1], Image.Resampling.BICUBIC))


def _ground(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A ground of clouds, in which stripes and checks of any period come and go."""
    y = np.arange(size[0], dtype=np.float32)[:, None]
    x = np.arange(size[1], dtype=np.float32)
    pattern = 0.5 * _clouds(rng, size, 4) + 0.5 * _clouds(rng, size, 24)
    for texture in TEXTURES:
        period = size[0] * np.exp(rng.uniform(np.log(0.04), np.log(0.2)))
        where = np.clip(3 * _clouds(rng, size, 3) - 1.5, 0, 1)
        pattern = pattern + 0.8 * where * (_texture(rng, y, x, texture, period) - 0.5)
    return _two_tone(rng, pattern, 0.25)


def _expose(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Bring an image to a mean colour and a contrast that are drawn without regard to it."""
    mean = 0.5 + rng.uniform(-0.08, 0.08, 3).astype(np.float32)
    contrast = rng.uniform(0.13, 0.16)
    image -= image.mean(axis=(0, 1))
    image *= np.float32(contrast / np.sqrt(np.square(image).mean()))
    image += mean
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
