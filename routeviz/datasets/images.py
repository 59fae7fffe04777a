"""Image and label files to arrays, through Pillow."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from routeviz.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})

# Told by content, whatever a file is called. Pillow knows more kinds, one of which (EPS) starts a program to be drawn.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

_BAND = 1 << 20  # pixels that are brought to 8-bit RGB at a time
_LABEL_MODES = ("1", "L", "P", "I;16", "I;16B", "I")


def read_image(path: str | Path | BinaryIO, *, most_pixels: int | None = None) -> np.ndarray:
    """Read a picture as it is meant to be seen.

    EXIF orientation is applied, transparency is laid on white, 16-bit grey is brought to 8 bits; of an animation or of
    several pages it is the first.

    Parameters
    ----------
    path : str, Path or open binary file
    most_pixels : int, optional
        A picture of more is not decoded; by default of more than Pillow's ``Image.MAX_IMAGE_PIXELS``.

    Returns
    -------
    (height, width, 3) uint8
        RGB.

    Raises
    ------
    DatasetError
        The file cannot be read, is no picture, or has more pixels than allowed.
    """
    return _read(path, _rgb, most_pixels)


def read_label(path: str | Path) -> np.ndarray:
    """Read the class ids of a label picture; those of a palette picture are its indices, not its colours.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    (height, width) uint8

    Raises
    ------
    DatasetError
        The file cannot be read, has more than one channel, or holds an id outside 0 to 255.
    """
    return _read(path, _ids)


def _read(path, decode, most_pixels: int | None = None) -> np.ndarray:
    try:
        # A pipe would be waited for, and never say anything.
        if isinstance(path, str | Path) and Path(path).exists() and not Path(path).is_file():
            raise ValueError("it is no regular file")
        with Image.open(path, formats=_FORMATS) as picture:
            limit = most_pixels or Image.MAX_IMAGE_PIXELS
            if limit is not None and picture.width * picture.height > limit:
                raise ValueError(f"{picture.width}x{picture.height} pixels are more than the {limit} allowed")
            return decode(picture)
    # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error and more on a broken file.
    except Exception as error:
        name = path if isinstance(path, str | Path) else getattr(path, "name", "the picture")
        raise DatasetError(f"cannot read {name}: {error}; replace the file or take it out of the dataset") from error


def _rgb(picture: Image.Image) -> np.ndarray:
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode == "F":
        raise ValueError("floating-point pixels have no known range, convert them to 8 or 16 bits")
    pixels = np.empty((picture.height, picture.width, 3), np.uint8)
    # Of the largest pictures each further copy is a third of a gigabyte.
    rows = max(1, _BAND // picture.width)
    for top in range(0, picture.height, rows):
        below = min(top + rows, picture.height)
        pixels[top:below] = _colours(picture.crop((0, top, picture.width, below)))
    return pixels


def _colours(band: Image.Image) -> np.ndarray:
    if band.mode.startswith("I"):
        grey = np.clip(np.asarray(band).astype(np.int64), 0, 65535)
        return ((grey + 128) // 257)[..., None]
    if band.has_transparency_data:
        band = band.convert("RGBA")
        band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band)
    return np.asarray(band.convert("RGB"))


def _ids(picture: Image.Image) -> np.ndarray:
    if picture.mode not in _LABEL_MODES:
        raise ValueError(f"a label has one channel of class ids, this file is {picture.mode}")
    ids = np.array(picture)
    if ids.dtype not in (np.uint8, np.bool_) and (ids.min() < 0 or ids.max() > 255):
        raise ValueError(f"class ids go from 0 to 255, this file holds {ids.min()} to {ids.max()}")
    return ids.astype(np.uint8)
