"""Files that are damaged, of something else, or made to do harm: one clear line each, no code run, memory bounded."""

import collections
import io
import os
import pickle
import re
import resource
import struct
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch

from routeviz.errors import CheckpointError
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.network.checkpoints import export_released, load_checkpoint, load_pretrained, save_checkpoint

PLACES = 100
FLIPS = {"own": 100, "zip": 20, "older": 20}  # most in a small zip hit padding, and then all of it is loaded


def refusal(path):
    """The one line with which a file is refused, whatever it is loaded for."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, small_gate=False)
    line = str(caught.value)
    assert str(path) in line
    assert line.isprintable()
    assert len(line) < 700 + len(str(path))
    return line


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return RoutingNetwork(NetworkConfig(layers=3, width=2, num_classes=2, stem_width=2)).eval()


@pytest.fixture(scope="module")
def model(net, tmp_path_factory):
    """The network's weights in the released layout."""
    path = tmp_path_factory.mktemp("model") / "net.pth"
    export_released(net, path)
    return torch.load(path, weights_only=True)["model"]


@pytest.fixture(scope="module")
def files(net, model, tmp_path_factory):
    """The bytes of one network's checkpoint in each format."""
    folder = tmp_path_factory.mktemp("files")
    save_checkpoint(net, folder / "own")
    for name in ("zip", "older"):
        torch.save({"model": model}, folder / name, _use_new_zipfile_serialization=name == "zip")
    return {name: (folder / name).read_bytes() for name in FLIPS}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.pth"


@pytest.mark.parametrize("name", FLIPS)
def test_truncated_anywhere(files, path, name):
    data = files[name]
    for length in np.linspace(0, len(data) - 1, PLACES).astype(int):
        path.write_bytes(data[:length])
        refusal(path)


@pytest.mark.parametrize("name", FLIPS)
def test_a_bit_flipped_anywhere(net, files, path, name):
    data = np.frombuffer(files[name], np.uint8)
    random = np.random.default_rng(0)
    for _ in range(FLIPS[name]):
        place, bit = random.integers(len(data)), random.integers(8)
        flipped = data.copy()
        flipped[place] ^= 1 << bit
        path.write_bytes(flipped.tobytes())
        if name == "own":
            refusal(path)  # its digest covers every byte
            continue
        try:
            loaded = load_checkpoint(path, small_gate=False)
        except CheckpointError:
            refusal(path)
            continue
        # The older format has no checksum, a zip none over its padding: what loads must be whole, in the zip unchanged.
        if name == "zip":
            assert all(torch.equal(tensor, loaded.state_dict()[key]) for key, tensor in net.state_dict().items())
        assert all(tensor.isfinite().all() for tensor in loaded.state_dict().values())


def test_what_is_no_file(tmp_path):
    assert "is a folder" in refusal(tmp_path)
    assert "there is no file" in refusal(tmp_path / "nowhere.pth")
    assert "cannot be read" in refusal(tmp_path / ("x" * 300))
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in refusal(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty (0 bytes)"),
        (b"\0" * 1000, "starts with b'\\x00"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "starts with b'\\x89PNG"),
        (b"<html><title>404</title></html>", "starts with b'<html>"),
        (pickle.dumps({"weight": [1.0]}), "starts with b'\\x80"),
        (b"PK\x03\x04" + bytes(99), "truncated, damaged or of something else"),
        (struct.pack("<Q", 2**62) + b"{}", "cannot be read as a safetensors file"),
        (struct.pack("<Q", 40) + b'{"a":' * 8, "cannot be read as a safetensors file"),
    ],
)
def test_files_of_something_else(path, data, said):
    path.write_bytes(data)
    assert said in refusal(path)


def test_other_networks_files(path):
    other = {"conv1.weight": torch.zeros(8, 3, 7, 7), "fc.bias": torch.zeros(10)}
    torch.save(other, path)
    assert "it has 'conv1.weight', 'fc.bias'" in refusal(path)
    path.write_bytes(safetensors.torch.save(other, {"format": "pt"}))
    assert "its tensors are 'conv1.weight', 'fc.bias'" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    assert "truncated, damaged or of something else" in refusal(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([torch.zeros(3)], "holds list of no weights"),
        ({}, "holds dict of no weights"),
        ({"model": {"a": 1.5, "b": None}}, "holds 'a' (float), 'b' (NoneType)"),
        ({"model": {3: torch.zeros(1)}}, "names that are no text"),
        (torch.zeros(3), "holds Tensor of no weights"),
        ({"evil\n\x1b[31m": torch.zeros(1)}, r"'evil\n\x1b[31m'"),
    ],
)
def test_content_that_is_no_state_dict(path, content, said):
    torch.save(content, path)
    assert said in refusal(path)


def changed(model, **changes):
    return {name: tensor for name, tensor in {**model, **changes}.items() if tensor is not None}


PREDICTOR = "sem_seg_head.predictor.bias"
CHANGES = {
    "missing": ({PREDICTOR: None}, f"it lacks '{PREDICTOR}'"),
    "extra": ({"backbone.more": torch.zeros(1)}, "it also has 'backbone.more'"),
    "shape": ({PREDICTOR: torch.zeros(5)}, f"'{PREDICTOR}' is float [5] instead of float [2]"),
    "no shape": ({PREDICTOR: torch.tensor(1.0)}, "is float [] instead of float [2]"),
    "kind": ({PREDICTOR: torch.zeros(2, dtype=torch.int64)}, "is not float [2] instead of float [2]"),
    "NaN": ({PREDICTOR: torch.tensor([0, torch.nan])}, f"NaN or infinite weights in '{PREDICTOR}'"),
    "too large": ({PREDICTOR: torch.tensor([0, 1e300], dtype=torch.float64)}, "NaN or infinite"),
    "odd width": ({"backbone.stem.stem_3.1.weight": torch.zeros(3, 2, 1, 1)}, "width 3 is not usable"),
    "flat stem": ({"backbone.stem.stem_1.weight": torch.zeros(9)}, "it lacks backbone.stem.stem_1.weight"),
    "a layer too many": ({"backbone.all_cell_list.3.0.x": torch.zeros(1)}, "routing network of 4 layers"),
    "a layer far away": ({"backbone.all_cell_list.99999999999.0.x": torch.zeros(1)}, "routing network of 4 layers"),
}


@pytest.mark.parametrize(("changes", "said"), CHANGES.values(), ids=CHANGES)
def test_released_weights_that_fit_no_network(model, path, changes, said):
    torch.save({"model": changed(model, **changes)}, path)
    assert said in refusal(path)


def test_a_cell_that_lost_its_gate_is_named(model, path):
    torch.save({name: t for name, t in model.items() if "init_layer.gate_conv_beta" not in name}, path)
    assert "it lacks 'backbone.init_layer.gate_conv_beta.0.weight'" in refusal(path)


@pytest.mark.parametrize(
    ("gate", "said"),
    [(None, "is missing"), (torch.ones(3), "is of shape [3]"), (torch.full((2,), 1.5), "outside 0 to 1")],
)
def test_fixed_gates_that_fit_no_network(model, path, gate, said):
    fixed = {
        name.replace("gate_conv_beta.2.bias", "gate_weights_beta"): torch.ones_like(tensor)
        for name, tensor in model.items()
        if name.endswith("gate_conv_beta.2.bias")
    }
    fixed |= {name: tensor for name, tensor in model.items() if ".gate_conv_beta." not in name}
    torch.save(changed(fixed, **{"backbone.init_layer.gate_weights_beta": gate}), path)
    assert said in refusal(path)


def own(path, config, weights):
    """An own checkpoint, digest and all, whose settings and weights need not belong together."""
    save_checkpoint(SimpleNamespace(config=SimpleNamespace(to_dict=lambda: config), state_dict=lambda: weights), path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"layers": 10**9}, "has 1000000000 layers; a routing network has 3 to 500"),
        ({"layers": 10**9, "fixed_gates": [1.0]}, "has 1000000000 layers"),
        ({"layers": "three"}, "has 'three' layers"),
        ({"layers": 4}, "does not fit a routing network of 4 layers"),
        ({"width": 10**6}, "does not fit a routing network of 3 layers, width 1000000"),
        ({"width": 2**62}, "fits no routing network"),
        ({"width": None}, "fits no routing network"),
        ({"num_classes": "two"}, "settings that fit no network"),
        ({"num_classes": 10**12}, "does not fit a routing network"),
        ({"fixed_gates": [0.5]}, "1 fixed gates; this space has"),
        ({"normalization": 3}, "settings that fit no network"),
        ({"colour": "red"}, "unknown network settings colour"),
    ],
)
def test_settings_that_fit_no_network(net, path, settings, said):
    own(path, {**net.config.to_dict(), **settings}, net.state_dict())
    assert said in refusal(path)


def test_own_weights_that_fit_no_network(net, path):
    weights = net.state_dict()
    own(path, net.config.to_dict(), {**weights, "more": torch.zeros(1)})
    assert "it also has 'more'" in refusal(path)
    own(path, net.config.to_dict(), {**weights, "decoder.predictor.bias": torch.zeros(2, dtype=torch.int32)})
    assert "'decoder.predictor.bias' is not float [2] instead of float [2]" in refusal(path)
    own(path, net.config.to_dict(), {**weights, "decoder.predictor.bias": torch.tensor([torch.inf, 0])})
    assert "NaN or infinite weights in 'decoder.predictor.bias'" in refusal(path)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("{", "damaged header"),
        ("[]", "damaged header"),
        ("[" * 50_000, "damaged header"),
        ("{}", "damaged header: 'schema'"),
        ('{"schema": 2, "future": true}', "has schema 2, this routeviz reads 1"),
        ('{"schema": 1}', "damaged header: format, step, config and 2 more"),
    ],
)
def test_headers_that_routeviz_did_not_write(path, header, said):
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}, {"routeviz": header}))
    assert said in refusal(path)


class Reduce:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("start", [load_checkpoint, lambda path: load_pretrained(None, path)], ids=["load", "init"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older"])
@pytest.mark.parametrize("attack", ["system", "eval", "exec", "open"])
def test_pickles_that_would_run_code(tmp_path, path, attack, zipped, start):
    trace = tmp_path / "trace"
    call = {
        "system": Reduce(os.system, f"touch {trace}"),
        "eval": Reduce(eval, f"open({str(trace)!r}, 'w').close()"),
        "exec": Reduce(exec, f"open({str(trace)!r}, 'w').close()"),
        "open": Reduce(io.open, str(trace), "w"),
    }[attack]
    torch.save({"model": {"a": torch.zeros(1), "b": call}}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"holds more than weights: '.*'.* nothing of it was run") as caught:
        start(path)
    assert attack in str(caught.value)
    assert not trace.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(3),
        np.float64(1.5),
        collections.defaultdict(list),
        SimpleNamespace(lr=0.1),
        torch.nn.Linear(2, 2),
        Reduce(bytearray, 10**10),
        Reduce(torch.Tensor, 10**10),
    ],
    ids=["array", "numpy number", "defaultdict", "object", "module", "bytearray", "Tensor"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older"])
def test_what_is_more_than_weights_is_named(path, value, zipped):
    torch.save({"model": {"a": torch.zeros(1)}, "more": value}, path, _use_new_zipfile_serialization=zipped)
    assert "holds more than weights: '" in refusal(path)


def rewritten(data, edit, compression=zipfile.ZIP_STORED):
    """A zip whose parts went through ``edit(name, bytes)``, with checksums that are right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", compression) as target:
        for name in source.namelist():
            target.writestr(name, edit(name, source.read(name)))
    return out.getvalue()


@pytest.mark.parametrize("opcodes", [b"\x8c\x02os\x8c\x06system\x93", b"\x82\x01"], ids=["STACK_GLOBAL", "EXT1"])
def test_names_put_together_by_opcodes(files, path, opcodes):
    pickled = b"\x80\x04" + opcodes + b"."
    path.write_bytes(rewritten(files["zip"], lambda name, data: pickled if name.endswith(".pkl") else data))
    assert "'opcode." in refusal(path)


def test_memory_is_bounded_by_the_file(files, model, tmp_path):
    """Each of these claims gigabytes, or more than it has, in a few kilobytes."""
    stem = "backbone.stem.stem_3.1.weight"
    torch.save({"model": {**model, "w": torch.zeros(1).expand(10**5, 10**5)}}, tmp_path / "expanded")
    torch.save({"model": {**model, stem: torch.zeros(1).expand(10**6, 2, 1, 1)}}, tmp_path / "wide")
    # 200 zeros become 2,000 million: more than the record of the zip holds, or the file of the older format.
    small, large = b"K\xc8", b"J" + struct.pack("<i", 2 * 10**9)
    for zipped, path in ((True, tmp_path / "zip"), (False, tmp_path / "older")):
        torch.save({"w": torch.zeros(200)}, path, _use_new_zipfile_serialization=zipped)
        data = path.read_bytes()
        assert small in data
        path.write_bytes(
            rewritten(data, lambda _, part: part.replace(small, large)) if zipped else data.replace(small, large)
        )
    zeros = rewritten(
        files["zip"], lambda name, data: bytes(10**8) if name.endswith("data/0") else data, zipfile.ZIP_DEFLATED
    )
    (tmp_path / "zeros").write_bytes(zeros)
    assert len(zeros) < 10**6

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "bytes of weights, more than the file has" in refusal(tmp_path / "expanded")
    assert "bytes of weights, more than the file has" in refusal(tmp_path / "wide")
    # Torch 2.13 refuses it itself, 2.8 does not.
    assert re.search("truncated, damaged|bytes of weights, more than", refusal(tmp_path / "zip"))
    assert "truncated, damaged" in refusal(tmp_path / "older")
    assert "its parts are larger than the file, so it is compressed" in refusal(tmp_path / "zeros")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # KiB
