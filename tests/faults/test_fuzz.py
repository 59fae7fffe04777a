"""The loaders of checkpoints, route logs and images on whatever can become of a file: refused in one line, or right."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from hypothesis import strategies as st
from PIL import Image

from routeviz.datasets.images import read_image, read_label
from routeviz.errors import CheckpointError, DatasetError, LogError
from routeviz.network import NetworkConfig, RoutingNetwork, export_released, load_checkpoint, save_checkpoint
from routeviz.network.checkpoints.own import _digest
from routeviz.routelog import RouteLog, Skipped, load_log
from routeviz.routelog.header import digest_of
from routeviz.space import lattice_space

place = st.floats(0, 1, exclude_max=True)
edit = st.one_of(
    st.tuples(st.just("flip"), place, st.integers(0, 7)),
    st.tuples(st.just("cut"), place, st.none()),
    st.tuples(st.just("write"), place, st.binary(min_size=1, max_size=16)),
    st.tuples(st.just("number"), place, st.sampled_from([0, 1, 127, 128, 255, 2**15, 2**31 - 1, 2**32 - 1, 2**63])),
    st.tuples(st.just("insert"), place, st.binary(min_size=1, max_size=16)),
    st.tuples(st.just("remove"), place, st.integers(1, 64)),
    st.tuples(st.just("repeat"), place, st.integers(1, 512)),
)
edits = st.lists(edit, min_size=1, max_size=6)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def edited(data, changes):
    """A file's bytes after some edits, each at a place that is a share of its length."""
    data = bytearray(data)
    for kind, share, value in changes:
        at = int(share * len(data))
        if kind == "flip" and data:
            data[at] ^= 1 << value
        elif kind == "cut":
            del data[at:]
        elif kind == "write":
            data[at : at + len(value)] = value
        elif kind == "number":
            number = value.to_bytes(8, "little" if at % 2 else "big").strip(b"\0")
            data[at : at + len(number)] = number
        elif kind == "insert":
            data[at:at] = value
        elif kind == "remove":
            del data[at : at + value]
        elif kind == "repeat":
            data[at:at] = data[at : at + value]
    return bytes(data)


def replaced(content, steps, value):
    """JSON with one of its values, found by taking these steps, replaced, removed or put in twice."""
    content = copy.deepcopy(content)
    at = content
    for step in steps:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            break
        key = keys[step % len(keys)]
        if step is steps[-1] or not isinstance(at[key], (dict, list)):
            if value == "remove":
                del at[key]
            else:
                at[key] = value
            break
        at = at[key]
    return content


def test_memory_that_was_held_before_is_no_excuse(memory):
    bytearray(b"1" * (200 << 20))
    grown = memory()
    bytearray(b"1" * (100 << 20))
    assert grown() > 50 << 20


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """The bytes of one network's checkpoint in each format, and its weights in the released layout."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=3, width=2, num_classes=2, stem_width=2)).eval()
    save_checkpoint(net, folder / "own")
    export_released(net, folder / "zip")
    model = torch.load(folder / "zip", weights_only=True)["model"]
    torch.save({"model": model}, folder / "older", _use_new_zipfile_serialization=False)
    return net, model, [(folder / name).read_bytes() for name in ("own", "zip", "older")]


def loaded(path):
    net = load_checkpoint(path, small_gate=False)
    assert all(tensor.isfinite().all() for tensor in net.state_dict().values())
    assert net.config.space.n_paths
    return net


def test_bytes_of_a_checkpoint(fuzz, checkpoints, tmp_path):
    _, _, files = checkpoints
    path = tmp_path / "net"

    def check(example):
        number, changes = example
        path.write_bytes(edited(files[number], changes))
        loaded(path)

    fuzz(
        "checkpoint",
        "bytes flipped, cut, written over, put in, taken out, repeated, in all three formats",
        st.tuples(st.integers(0, 2), edits),
        check,
        CheckpointError,
        1 / 3,
    )


def test_settings_of_a_checkpoint(fuzz, checkpoints, tmp_path):
    net, _, _ = checkpoints
    path = tmp_path / "net"
    header = {"format": "routeviz", "schema": 1, "step": 0, "config": net.config.to_dict(), "extra": {}}

    def check(example):
        steps, value = example
        content = replaced(header, steps, value)
        content["digest"] = _digest(content, net.state_dict())  # signed anew, as whoever means harm would
        text = json.dumps(content, sort_keys=True)
        path.write_bytes(safetensors.torch.save(dict(net.state_dict()), {"routeviz": text}))
        loaded(path)

    fuzz(
        "checkpoint",
        "any value of its settings replaced by any other, signed anew",
        st.tuples(st.lists(st.integers(0, 20), min_size=1, max_size=4), anything),
        check,
        CheckpointError,
        1 / 3,
    )


def test_weights_of_a_checkpoint(fuzz, checkpoints, tmp_path):
    _, model, _ = checkpoints
    path = tmp_path / "net"
    kinds = (torch.float32, torch.float64, torch.float16, torch.int64, torch.bool, torch.complex64, torch.bfloat16)

    def check(example):
        changes, zipped = example
        weights = dict(model)
        for which, name, shape, kind, value in changes:
            old = list(weights)[which % len(weights)]
            if name is not None:
                weights[old[: len(old) // 2] + name] = weights.pop(old)
            elif shape is None:
                weights[old] = value
            else:
                weights[old] = torch.full(shape, 1, dtype=kinds[kind])
        torch.save({"model": weights, "iteration": changes[0][4]}, path, _use_new_zipfile_serialization=zipped)
        loaded(path)

    change = st.tuples(
        st.integers(0, 10**6),
        st.none() | st.text(max_size=8),
        st.none() | st.lists(st.integers(0, 9), max_size=5),
        st.integers(0, len(kinds) - 1),
        anything.filter(lambda value: not isinstance(value, int) or abs(value) < 2**63),
    )
    fuzz(
        "checkpoint",
        "weights of the released layout renamed, of any shape and kind, or anything but weights",
        st.tuples(st.lists(change, min_size=1, max_size=3), st.booleans()),
        check,
        CheckpointError,
        1 / 3,
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log of 40 images in two shards, and its folder."""
    space = lattice_space(3, 2)
    rng = np.random.default_rng(0)
    gates = rng.random((40, space.n_paths), np.float32)
    gates[rng.random(gates.shape) < 0.2] = np.nan
    images = pd.DataFrame({"id": [f"image {i}" for i in range(40)], "miou": rng.random(40), "macs_conv": range(40)})
    images["id"] = images["id"].astype("str")
    log = RouteLog(gates, images, space, {"dataset": {"name": "folder"}}, skipped=(Skipped(3, "3.png", "gone"),))
    folder = tmp_path_factory.mktemp("log") / "log"
    log.save(folder)
    return log, folder


def read_all(folder):
    """All that there is to read in a log."""
    log = load_log(folder)
    assert log.gates.shape == (len(log), log.space.n_paths)
    assert len(log.images) == len(log)
    assert log.facts("id").shape == (len(log), 1)
    assert len(log.select(slice(1, 3))) == len(log.images[1:3])
    assert log.states.state.shape == (len(log), log.space.n_cells)
    assert all(isinstance(image.reason, str) for image in log.skipped)
    assert repr(log)
    assert log._repr_html_()
    return log


def test_bytes_of_a_log(fuzz, log, tmp_path):
    original, folder = log
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    kept = {file: (folder / file).read_bytes() for file in files}
    shutil.copytree(folder, tmp_path / "log")

    def check(example):
        number, changes = example
        file = files[number % len(files)]
        (tmp_path / "log" / file).write_bytes(edited(kept[file], changes))
        try:
            found = read_all(tmp_path / "log")
        finally:
            (tmp_path / "log" / file).write_bytes(kept[file])
        # What is not refused is what was written.
        np.testing.assert_array_equal(found.gates, original.gates)
        pd.testing.assert_frame_equal(found.images, original.images)

    fuzz(
        "route log",
        "bytes of log.json and of shards flipped, cut, written over, put in, taken out, repeated",
        st.tuples(st.integers(0, 9), edits),
        check,
        LogError,
        0.5,
    )


def test_header_of_a_log(fuzz, log, tmp_path):
    _, folder = log
    shutil.copytree(folder, tmp_path / "log")
    path = tmp_path / "log" / "log.json"
    header = json.loads(path.read_text())

    def check(example):
        steps, value = example
        content = replaced(header, steps, value)
        with suppress(ValueError):  # NaN and infinity are no JSON, and have no digest
            content["digest"] = digest_of(content)
        path.write_text(json.dumps(content))
        read_all(tmp_path / "log")

    fuzz(
        "route log",
        "any value of log.json replaced by any other, signed anew",
        st.tuples(st.lists(st.integers(0, 40), min_size=1, max_size=5), anything | st.just("remove")),
        check,
        LogError,
        0.5,
    )


@pytest.fixture(scope="module")
def pictures():
    """Small pictures in every format that is read, of several modes."""
    rng = np.random.default_rng(0)
    color = Image.fromarray(rng.integers(0, 255, (24, 20, 3), np.uint8))
    grey = color.convert("L")
    exif = Image.Exif()
    exif[0x0112] = 6
    sixteen = Image.fromarray(rng.integers(0, 65535, (24, 20)).astype(np.uint16))
    saved = (
        *((color, name, {}) for name in ("png", "bmp", "ppm", "webp")),
        (color, "jpeg", {"exif": exif}),
        (color, "jpeg", {"progressive": True}),
        (color.convert("CMYK"), "jpeg", {}),
        *((color, "tiff", {"compression": kind}) for kind in ("raw", "tiff_lzw", "tiff_deflate", "jpeg")),
        (color.convert("RGBA"), "png", {}),
        (color.convert("RGBA"), "webp", {"lossless": True}),
        (color.convert("P"), "png", {"transparency": 3}),
        (grey, "png", {}),
        (sixteen, "png", {}),
        (sixteen, "tiff", {}),
        (grey.convert("1"), "png", {}),
        (color, "png", {"save_all": True, "append_images": [color.rotate(90)]}),
        (color, "webp", {"save_all": True, "append_images": [color.rotate(90)]}),
    )
    files = []
    for picture, suffix, options in saved:
        file = io.BytesIO()
        picture.save(file, suffix, **options)
        files.append(file.getvalue())
    return files


def test_bytes_of_an_image(fuzz, pictures, tmp_path):
    path = tmp_path / "picture.png"

    def check(example):
        number, changes, label = example
        path.write_bytes(edited(pictures[number], changes))
        if label:
            assert read_label(path).dtype == np.uint8
            return
        image = read_image(path)
        assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
        assert image.size

    fuzz(
        "image and label",
        "bytes flipped, cut, written over, put in, taken out, repeated, in 20 kinds of picture",
        st.tuples(st.integers(0, len(pictures) - 1), edits, st.booleans()),
        check,
        DatasetError,
    )
    assert os.listdir(tmp_path) == ["picture.png"]
