"""A folder of what goes wrong with pictures: each is traced or skipped with its reason, and nothing stops the trace."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from routeviz.datasets import open_dataset
from routeviz.datasets.images import read_image
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.tracing import trace
from routeviz.training import evaluate

COLOR = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8))
POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 40 40
(ran) (w) file closefile
showpage
%%EOF
"""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes, text: bytes = b"") -> bytes:
    """An 8-bit grey PNG that says whatever it is told to."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + text + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    COLOR.save(path, "jpeg", exif=exif)


def bytes_of(data: bytes):
    return lambda path: path.write_bytes(data)


def cut(path: Path) -> None:
    COLOR.save(path, "jpeg")
    path.write_bytes(path.read_bytes()[:700])


SIXTEEN = Image.fromarray(np.full((40, 50), 30_000, np.uint16))
MORE = [COLOR.rotate(90), COLOR.rotate(180)]
BOMB_TEXT = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9))
# What is written, and the size as which it is traced, or a word of the reason for which it is skipped.
ZOO = {
    "good.png": (lambda path: COLOR.save(path), (40, 50)),
    "truncated.jpg": (cut, "truncated"),
    "empty.png": (bytes_of(b""), "cannot identify"),
    "text.png": (bytes_of(b"no picture"), "cannot identify"),
    "jpeg.png": (lambda path: COLOR.save(path, "jpeg"), (40, 50)),
    "gif.png": (lambda path: COLOR.save(path, "gif", save_all=True, append_images=MORE), (40, 50)),
    "animated.webp": (lambda path: COLOR.save(path, save_all=True, append_images=MORE), (40, 50)),
    "animated.png": (lambda path: COLOR.save(path, save_all=True, append_images=MORE), (40, 50)),
    "pages.tif": (lambda path: COLOR.save(path, save_all=True, append_images=MORE), (40, 50)),
    "cmyk.jpg": (lambda path: COLOR.convert("CMYK").save(path), (40, 50)),
    "sixteen.png": (lambda path: SIXTEEN.save(path), (40, 50)),
    "palette.png": (lambda path: COLOR.convert("P").save(path, transparency=2), (40, 50)),
    "alpha.png": (lambda path: COLOR.convert("RGBA").save(path), (40, 50)),
    "rotated.jpg": (rotated, (50, 40)),
    "floats.tif": (lambda path: Image.new("F", (50, 40)).save(path), "no known range"),
    "pixel.png": (lambda path: COLOR.crop((0, 0, 1, 1)).save(path), (1, 1)),
    "wide.png": (lambda path: Image.new("RGB", (20_000, 20), "red").save(path), (20, 20_000)),
    "huge.png": (bytes_of(png(50_000, 50_000, bytes(9))), "could be decompression bomb"),
    "large.png": (bytes_of(png(10_000, 10_000, bytes(9))), "89478485"),
    "nothing.png": (bytes_of(png(0, 0, b"")), "cannot identify"),
    "lies.png": (bytes_of(png(5_000, 5_000, bytes(99))), "truncated"),
    "bomb.png": (bytes_of(png(4, 4, bytes(20), BOMB_TEXT)), "too large"),
    "postscript.png": (bytes_of(POSTSCRIPT), "cannot identify"),
    "escape \x1b[31m\n.png": (bytes_of(b""), r"escape \x1b[31m"),
    "folder.png": (lambda path: path.mkdir(), None),
    "pipe.png": (os.mkfifo, "it is no regular file"),
    "gone.png": (lambda path: path.symlink_to("nowhere"), "No such file"),
}
NOT_UTF8 = b"bad \xff.png".decode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return RoutingNetwork(NetworkConfig(layers=3, width=2, num_classes=11, stem_width=2)).eval()


def test_each_is_traced_or_skipped_with_its_reason(net, tmp_path, monkeypatch, note):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / NOT_UTF8.removesuffix(".png")
    root.mkdir()
    for name, (write, _) in ZOO.items():
        write(root / name)
    COLOR.save(root / NOT_UTF8)
    dataset = open_dataset("folder", root)
    log = trace(net, dataset, workers=1, out=tmp_path / "log")
    sizes = dict(zip(log.images["id"], log.images[["height", "width"]].itertuples(index=False, name=None), strict=True))
    reasons = {image.file: image.reason for image in log.skipped}
    assert sizes.pop("bad \\udcff.png") == (40, 50)
    for name, (_, expected) in ZOO.items():
        if isinstance(expected, tuple):
            assert sizes.pop(name) == expected, name
        elif expected is not None:
            assert expected in reasons[name], (name, reasons.get(name))
            assert reasons.pop(name).isprintable(), name
    assert (sizes, reasons) == ({}, {})
    assert not Path("ran").exists()
    traced = len(log)
    note(
        "Bad images",
        "trace",
        "one of each kind in a folder",
        len(ZOO) + 1,
        f"{traced} traced, others skipped with a reason",
    )


@pytest.mark.parametrize("mode", ["I;16", "RGBA"])
def test_a_large_picture_takes_little_more_than_itself(mode, memory, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new(mode, (3000, 2000)).save(tmp_path / "large.png", exif=exif)
    grown = memory()
    assert read_image(tmp_path / "large.png").shape == (3000, 2000, 3)
    assert grown() < 12 * 3000 * 2000


def label(*ids):
    return Image.fromarray(np.resize(np.array(ids, np.uint8), (40, 50)))


LABELS = {
    "good": (label(0, 3, 10, 11), None),
    "other size": (label(0).crop((0, 0, 49, 40)), "they must be equal"),
    "unknown": (label(0, 12, 200), "holds the ids [12, 200]"),
    "ignored": (label(11), None),
    "colours": (COLOR, "one channel of class ids"),
    "sixteen": (Image.fromarray(np.full((40, 50), 300, np.uint16)), "class ids go from 0 to 255"),
}


def test_labels_of_another_size_unknown_classes_or_none(net, tmp_path, note):
    for folder in ("val", "valannot"):
        (tmp_path / folder).mkdir()
    for name, (picture, _) in LABELS.items():
        COLOR.save(tmp_path / "val" / f"{name}.png")
        picture.save(tmp_path / "valannot" / f"{name}.png")
    dataset = open_dataset("camvid", tmp_path)
    log = trace(net, dataset, workers=0)
    assert log.images["id"].tolist() == ["good", "ignored"]
    assert log.images["miou"].isna().tolist() == [False, True]
    reasons = {image.file: image.reason for image in log.skipped}
    assert all(said in reasons[name] for name, (_, said) in LABELS.items() if said)
    # Evaluating goes the same way.
    evaluation = evaluate(net, dataset)
    assert evaluation.images == 2
    assert len(evaluation.unreadable) == 4
    note("Bad labels", "trace, evaluation", "one of each kind", len(LABELS), "2 used, 4 left out with a reason")
