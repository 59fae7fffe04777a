import io
import json
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from routeviz.errors import CheckpointError
from routeviz.network import NetworkConfig, Normalization, RoutingNetwork
from routeviz.network.checkpoints import export_released, load_checkpoint, save_checkpoint
from routeviz.space import architectures

CASES = ("layer16_full_gate", "layer16_small_gate")


def network(seed=0, **settings):
    """A tiny network whose norms are no identities and whose gates differ from path to path."""
    torch.manual_seed(seed)
    net = RoutingNetwork(NetworkConfig(**{"layers": 4, "width": 4, "num_classes": 3, "stem_width": 6, **settings}))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    for cell in net.cells:
        if cell.gate is not None:
            nn.init.normal_(cell.gate.score.weight)
            nn.init.normal_(cell.gate.score.bias)
    return net.eval()


def output(net):
    images = torch.randn(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return net(images)


def assert_same(net, other):
    assert net.state_dict().keys() == other.state_dict().keys()
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    assert other.config == net.config


def released(net, path):
    """The network's content in the released layout, as a mapping that a test can change."""
    export_released(net, path, step=190_000)
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A network and its content in the released layout, of which a test makes its own variant."""
    net = network()
    return net, released(net, tmp_path_factory.mktemp("tiny") / "net.pth")


@pytest.fixture(scope="module", params=CASES)
def reference(request, reference_root):
    """A reference case: the loaded network, the configuration it was made with, and what the released code computes."""
    config = json.loads((reference_root / f"{request.param}.json").read_text())
    net = load_checkpoint(reference_root / f"{request.param}.pth", small_gate=config["small_gate"])
    with np.load(reference_root / f"{request.param}.npz") as arrays:
        return net, config, dict(arrays)


def test_settings_of_the_reference_are_read_off_its_weights(reference):
    net, config, _ = reference
    assert net.config == NetworkConfig(
        layers=config["layers"],
        width=config["init_channels"],
        num_classes=config["num_classes"],
        small_gate=config["small_gate"],
        stem_width=64,
    )
    assert net.provenance["format"] == "released"
    assert net.provenance["step"] == 190_000
    assert not net.training


@pytest.mark.parametrize("together", [True, False], ids=["batch", "alone"])
def test_reference_gates_logits_and_reached_cells(reference, together):
    net, _, arrays = reference
    space = net.space
    images = torch.from_numpy(arrays["images"])
    with torch.inference_mode():
        outputs = [net(batch) for batch in (images[None] if together else images[:, None])]
    gates = torch.cat([output.gates for output in outputs]).numpy()
    logits = torch.cat([output.logits for output in outputs]).numpy()

    assert space.cells[["layer", "scale"]].to_numpy().tolist() == arrays["node_layer_scale"].tolist()
    columns = [("up", "keep", "down").index(move) for move in space.moves]
    expected = arrays["gates_up_keep_down"][:, space.source, columns]
    np.testing.assert_allclose(gates, expected, rtol=0, atol=1e-5, equal_nan=True)
    assert np.array_equal(~np.isnan(gates), arrays["node_reached"][:, space.source])
    assert np.abs(logits - arrays["logits"]).max() <= 1e-5 * np.abs(arrays["logits"]).max()


@pytest.mark.parametrize("case", CASES)
def test_export_gives_the_reference_file_back(reference_root, tmp_path, case):
    path = reference_root / f"{case}.pth"
    content = torch.load(path, weights_only=True)
    back = released(load_checkpoint(path, small_gate=False), tmp_path / "back")
    assert back["iteration"] == content["iteration"]
    assert back["model"].keys() == content["model"].keys()
    assert all(torch.equal(tensor, content["model"][name]) for name, tensor in back["model"].items())


@pytest.mark.parametrize("small_gate", [False, True])
def test_export_and_load_give_back_the_network(tmp_path, small_gate):
    net = network(small_gate=small_gate)
    export_released(net, tmp_path / "net.pth")
    loaded = load_checkpoint(tmp_path / "net.pth", small_gate=small_gate)
    assert_same(net, loaded)
    torch.testing.assert_close(output(net), output(loaded), rtol=0, atol=0, equal_nan=True)


def test_the_kind_of_gate_is_asked_for(tmp_path, tiny):
    torch.save(tiny[1], tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"pass small_gate=True .* --small-gate or --full-gate"):
        load_checkpoint(tmp_path / "net.pth")


# Layer 3 has a cell of each kind: (keep, down) at scale 0, all moves at scale 1, (up, keep) at scale 3.
@pytest.mark.parametrize(
    ("scale", "bias", "in_file"),
    [(0, [1.0, 2.0], [1.0, 2.0]), (1, [1.0, 2.0, 3.0], [2.0, 1.0, 3.0]), (3, [1.0, 2.0], [2.0, 1.0])],
)
def test_a_gates_channels_stand_as_keep_up_down_in_the_file(tmp_path, scale, bias, in_file):
    net = network()
    score = net.cells[net.space.cell_index(3, scale)].gate.score
    score.bias.data = torch.tensor(bias)
    score.weight.data = torch.tensor(bias).view(-1, 1, 1, 1).expand_as(score.weight).clone()
    model = released(net, tmp_path / "net.pth")["model"]
    gate = f"backbone.all_cell_list.2.{scale}.gate_conv_beta.2"
    assert model[f"{gate}.bias"].tolist() == in_file
    assert model[f"{gate}.weight"][:, 0, 0, 0].tolist() == in_file
    loaded = load_checkpoint(tmp_path / "net.pth", small_gate=False)
    assert loaded.cells[net.space.cell_index(3, scale)].gate.score.bias.tolist() == bias


def trained(content):
    """What a training leaves in the file besides the weights."""
    weights = [nn.Parameter(tensor.clone()) for tensor in content["model"].values() if tensor.is_floating_point()]
    optimizer = torch.optim.SGD(weights, lr=0.05, momentum=0.9, weight_decay=1e-4)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    schedules = [
        torch.optim.lr_scheduler.PolynomialLR(optimizer, 100, 0.9),
        torch.optim.lr_scheduler.MultiStepLR(optimizer, [30, 60]),
    ]
    return {
        **content,
        "optimizer": optimizer.state_dict(),
        "scheduler": [schedule.state_dict() for schedule in schedules],
        "scaler": {},
        "best": None,
        "names": ("a", 1.5, True),
    }


VARIANTS = {
    "bare state dict": lambda content: content["model"],
    "under state_dict": lambda content: {"state_dict": content["model"], "epoch": 3},
    "module. before every name": lambda content: {
        "model": {f"module.{name}": tensor for name, tensor in content["model"].items()}
    },
    "optimizer and scheduler state": trained,
    "parameters instead of tensors": lambda content: {
        "model": {
            name: nn.Parameter(tensor) if tensor.is_floating_point() else tensor
            for name, tensor in content["model"].items()
        }
    },
    "no counters of batch norms": lambda content: {
        "model": {name: tensor for name, tensor in content["model"].items() if "num_batches_tracked" not in name}
    },
    "double precision": lambda content: {
        "model": {name: t.double() if t.is_floating_point() else t for name, t in content["model"].items()}
    },
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older format"])
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_variants_of_the_layout_load(tmp_path, tiny, variant, zipped):
    net, content = tiny
    torch.save(variant(content), tmp_path / "variant.pth", _use_new_zipfile_serialization=zipped)
    assert_same(net, load_checkpoint(tmp_path / "variant.pth", small_gate=False))


@pytest.mark.parametrize("storage", ["torch FloatStorage", "torch.cuda FloatStorage"])
def test_a_file_saved_from_a_gpu_loads_where_there_is_none(tmp_path, tiny, storage):
    net, content = tiny
    torch.save(content, tmp_path / "net.pth")
    on_gpu = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "net.pth") as source, zipfile.ZipFile(on_gpu, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data.pkl"):
                assert b"X\x03\x00\x00\x00cpu" in data
                data = data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
                data = data.replace(b"torch\nFloatStorage", storage.replace(" ", "\n").encode())
            target.writestr(name, data)
    (tmp_path / "gpu.pth").write_bytes(on_gpu.getvalue())
    assert_same(net, load_checkpoint(tmp_path / "gpu.pth", small_gate=False))


@pytest.mark.parametrize("shape", [(1, -1, 1, 1), (-1,)])
def test_gates_fixed_open_load_as_a_network_without_gates(tmp_path, tiny, shape):
    net, content = tiny
    space = net.space
    weights = {name: tensor for name, tensor in content["model"].items() if ".gate_conv_beta." not in name}
    scores = {name: tensor for name, tensor in content["model"].items() if name.endswith(".gate_conv_beta.2.bias")}
    buffers = {
        name.replace("gate_conv_beta.2.bias", "gate_weights_beta"): torch.ones_like(tensor).view(shape)
        for name, tensor in scores.items()
    }
    assert len(buffers) == space.n_cells
    torch.save({"model": {**weights, **buffers}}, tmp_path / "fixed.pth")
    net = load_checkpoint(tmp_path / "fixed.pth")
    assert net.config.fixed_gates == (1.0,) * space.n_paths
    assert not net.config.small_gate
    assert output(net).gates.eq(1).all()


def test_fixed_gates_of_any_value_keep_their_paths(tmp_path):
    space = NetworkConfig(layers=4, width=4).space
    values = np.linspace(0.1, 1, space.n_paths, dtype=np.float32)
    net = network(fixed_gates=tuple(values.tolist()))
    model = released(net, tmp_path / "net.pth")["model"]
    paths = space.paths_from(space.cell_index(3, 1))
    up, keep, down = values[paths]
    assert model["backbone.all_cell_list.2.1.gate_weights_beta"].flatten().tolist() == [keep, up, down]
    loaded = load_checkpoint(tmp_path / "net.pth")
    assert_same(net, loaded)
    torch.testing.assert_close(output(net), output(loaded), rtol=0, atol=0, equal_nan=True)


def test_weights_behind_shut_fixed_gates_are_left_out(tmp_path):
    space = NetworkConfig(layers=4, width=4).space
    shut = tuple(float(move != "up") for move in space.moves)
    whole, static = network(fixed_gates=(1.0,) * space.n_paths), network(fixed_gates=shut)
    buffers = {
        name: tensor
        for name, tensor in released(static, tmp_path / "static.pth")["model"].items()
        if name.endswith("gate_weights_beta")
    }
    torch.save({**released(whole, tmp_path / "whole.pth")["model"], **buffers}, tmp_path / "mixed.pth")
    net = load_checkpoint(tmp_path / "mixed.pth")
    assert net.config.fixed_gates == shut
    assert set(net.state_dict()) == set(static.state_dict()) < set(whole.state_dict())


def test_a_static_architecture_goes_out_and_comes_back(tmp_path):
    space = NetworkConfig(layers=16, width=4).space
    net = network(layers=16, fixed_gates=tuple(architectures(space)["unet"].activations.tolist()))
    export_released(net, tmp_path / "net.pth")
    assert_same(net, load_checkpoint(tmp_path / "net.pth"))


def test_nineteen_classes_are_cityscapes_and_others_have_no_names(tmp_path):
    export_released(network(num_classes=19), tmp_path / "net.pth")
    config = load_checkpoint(tmp_path / "net.pth", small_gate=False).config
    assert config.class_names[:3] == ("road", "sidewalk", "building")
    assert config.class_names[-1] == "bicycle"
    assert config.class_colors[0] == (128, 64, 128)
    assert config.normalization == Normalization((103.530, 116.280, 123.675), (1.0, 1.0, 1.0), "BGR")
    other = load_checkpoint(tmp_path / "net.pth", small_gate=False, class_names=["x"] * 19).config
    assert (other.class_names[0], other.class_colors) == ("x", ())
    export_released(network(num_classes=3), tmp_path / "other.pth")
    assert load_checkpoint(tmp_path / "other.pth", small_gate=False).config.class_names == ()


def test_the_released_layout_becomes_our_own(tmp_path, tiny):
    net, content = tiny
    torch.save(content, tmp_path / "net.pth")
    save_checkpoint(load_checkpoint(tmp_path / "net.pth", small_gate=False), tmp_path / "net.safetensors", step=5)
    assert_same(net, load_checkpoint(tmp_path / "net.safetensors"))
