import errno
import hashlib
import os

import pytest
import torch
from torch import nn

from routeviz.errors import CheckpointError, InputError
from routeviz.network import NetworkConfig, Normalization, RoutingNetwork
from routeviz.network.checkpoints import (
    export_released,
    load_checkpoint,
    load_pretrained,
    read_checkpoint_header,
    save_checkpoint,
)
from routeviz.space import architectures


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
    torch.testing.assert_close(output(net), output(other), rtol=0, atol=0, equal_nan=True)


SETTINGS = {
    "plain": {},
    "small gate": {"small_gate": True},
    "classes": {
        "class_names": ("sky", "größe", "a<b>"),
        "class_colors": ((0, 0, 0), (1, 2, 3), (255, 255, 255)),
        "normalization": Normalization((1.0, 2.0, 3.0), (0.1, 0.2, 0.3), "RGB"),
    },
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_checkpoint_gives_back_the_network(tmp_path, settings):
    net = network(**settings)
    save_checkpoint(net, tmp_path / "net.safetensors", step=70)
    loaded = load_checkpoint(tmp_path / "net.safetensors")
    assert loaded.config == net.config
    assert not loaded.training
    assert_same(net, loaded)


@pytest.mark.parametrize("architecture", ["fcn32s", "unet"])
def test_a_static_network_comes_back_with_only_what_it_uses(tmp_path, architecture):
    space = NetworkConfig(layers=16, width=4).space
    route = architectures(space)[architecture]
    net = network(layers=16, fixed_gates=tuple(route.activations.tolist()))
    save_checkpoint(net, tmp_path / "net.safetensors")
    loaded = load_checkpoint(tmp_path / "net.safetensors")
    assert sum(cell.operation is None for cell in loaded.cells) > 0
    assert loaded.config == net.config
    assert_same(net, loaded)


def test_provenance_tells_which_file_this_was(tmp_path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(network(), path, step=12)
    provenance = load_checkpoint(path).provenance
    assert provenance == {
        "file": "net.safetensors",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "format": "routeviz",
        "step": 12,
        "schema": 1,
    }


def test_equal_networks_give_equal_files(tmp_path):
    for name in "ab":
        save_checkpoint(network(seed=4), tmp_path / name, step=3, extra={"loss": 0.25, "run": "x"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_header_says_all_but_the_weights(tmp_path):
    net = network(class_names=("a", "b", "c"))
    save_checkpoint(net, tmp_path / "net", step=9, extra={"miou": 0.5})
    header = read_checkpoint_header(tmp_path / "net")
    digest = header.pop("digest")
    assert len(digest) == 64
    assert NetworkConfig.from_dict(header.pop("config")) == net.config
    assert header == {"format": "routeviz", "schema": 1, "step": 9, "extra": {"miou": 0.5}}


def test_loading_leaves_the_random_state_alone(tmp_path):
    save_checkpoint(network(), tmp_path / "net")
    before = torch.random.get_rng_state()
    load_checkpoint(tmp_path / "net")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_loaded_network_can_be_trained_on(tmp_path):
    save_checkpoint(network(), tmp_path / "net")
    net = load_checkpoint(tmp_path / "net").train()
    net(torch.randn(2, 3, 32, 32)).logits.mean().backward()
    assert all(parameter.grad is not None for parameter in net.decoder.parameters())


def test_content_and_not_the_suffix_tells_the_format(tmp_path):
    net = network()
    save_checkpoint(net, tmp_path / "net.pth")
    export_released(net, tmp_path / "net.safetensors")
    assert load_checkpoint(tmp_path / "net.pth").provenance["format"] == "routeviz"
    released = load_checkpoint(tmp_path / "net.safetensors", small_gate=False)
    assert released.provenance["format"] == "released"


def test_keywords_go_before_what_the_file_says(tmp_path):
    save_checkpoint(network(class_names=("a", "b", "c")), tmp_path / "net")
    wanted = Normalization((0.0, 0.0, 0.0), (255.0, 255.0, 255.0), "RGB")
    colors = [(1, 1, 1), (2, 2, 2), (3, 3, 3)]
    net = load_checkpoint(tmp_path / "net", normalization=wanted, class_names=["x", "y", "z"], class_colors=colors)
    assert net.config.normalization == wanted
    assert net.config.class_names == ("x", "y", "z")
    assert net.config.class_colors == tuple(colors)
    assert load_checkpoint(tmp_path / "net", small_gate=False).config.class_names == ("a", "b", "c")


def test_keywords_that_do_not_fit_are_refused(tmp_path):
    save_checkpoint(network(), tmp_path / "net")
    with pytest.raises(InputError, match="2 class_names for 3 classes"):
        load_checkpoint(tmp_path / "net", class_names=["x", "y"])
    with pytest.raises(CheckpointError, match="small_gate=False"):
        load_checkpoint(tmp_path / "net", small_gate=True)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "net"
    save_checkpoint(network(), path, step=1)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*: No space left"):
        save_checkpoint(network(), path, step=2)
    assert os.listdir(tmp_path) == ["net"]
    assert read_checkpoint_header(path)["step"] == 1


def test_a_missing_folder_and_an_odd_extra_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        save_checkpoint(network(), tmp_path / "nowhere" / "net")
    with pytest.raises(InputError, match="extra is not fit for JSON"):
        save_checkpoint(network(), tmp_path / "net", extra={"weights": torch.zeros(1)})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("write", [save_checkpoint, export_released])
def test_pretrained_weights_of_another_head_and_depth_are_taken_where_they_fit(tmp_path, write):
    source, net = network(seed=1, layers=6, num_classes=5), network(seed=2, layers=4, num_classes=3)
    write(source, tmp_path / "source")
    start = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    transfer = load_pretrained(net, tmp_path / "source")
    weights = source.state_dict()
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, (weights if name in transfer.taken else start)[name]), name
    # In 4 layers the cells of layer 4 offer keep alone, in 6 they offer all their moves; cells 10 to 13 are layer 4.
    assert transfer.misshapen == (
        *(f"cells.{cell}.gate.score.{leaf}" for cell in range(10, 14) for leaf in ("weight", "bias")),
        "decoder.predictor.weight",
        "decoder.predictor.bias",
    )
    assert transfer.missing == ()
    assert {name.split(".")[1] for name in transfer.unused if ".transforms." in name} == {
        str(cell) for cell in range(10, 18)
    }
    assert {*transfer.taken, *transfer.misshapen} == set(start)
    assert {*transfer.taken, *transfer.misshapen, *transfer.unused} == set(weights)


def test_pretrained_cells_of_a_network_without_gates_leave_the_gates_as_they_are(tmp_path):
    space = NetworkConfig(layers=4, width=4).space
    source, net = network(seed=1, fixed_gates=(1.0,) * space.n_paths), network(seed=2)
    export_released(source, tmp_path / "source")
    transfer = load_pretrained(net, tmp_path / "source")
    assert {name.split(".")[2] for name in transfer.missing} == {"gate"}
    assert set(transfer.taken) == set(source.state_dict())
    assert all(name.endswith("gate_weights_beta") for name in transfer.unused)


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_a_bare_backbone_can_start_a_network(tmp_path, prefix):
    source, net = network(seed=1), network(seed=2)
    export_released(source, tmp_path / "source")
    state = torch.load(tmp_path / "source", weights_only=True)["model"]
    state = {
        prefix + name.removeprefix("backbone."): tensor
        for name, tensor in state.items()
        if name.startswith("backbone.")
    }
    torch.save({**state, "linear.weight": torch.zeros(10, 4)}, tmp_path / "backbone")
    transfer = load_pretrained(net, tmp_path / "backbone")
    assert transfer.unused == ("linear.weight",)
    assert {name.split(".")[0] for name in transfer.missing} == {"decoder"}
    assert torch.equal(net.cells[5].gate.score.bias, source.cells[5].gate.score.bias)
    with pytest.raises(CheckpointError, match="sem_seg_head"):
        load_checkpoint(tmp_path / "backbone", small_gate=False)


def test_pretrained_weights_of_which_none_fits_are_refused(tmp_path):
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"nothing in .* fits this network: it holds 'conv\.weight'"):
        load_pretrained(network(), tmp_path / "other")


def test_pretrained_weights_must_be_finite(tmp_path):
    source = network()
    source.cells[3].gate.score.bias.data[0] = torch.nan
    save_checkpoint(source, tmp_path / "source")
    net = network(seed=2)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"NaN or infinite weights in 'cells\.3\.gate\.score\.bias'"):
        load_pretrained(net, tmp_path / "source")
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_half_rounds_convolutions_and_nothing_else(tmp_path):
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=3, width=4, num_classes=2, stem_width=8)).eval()
    net.stem[0].norm.running_var.fill_(1e6)  # beyond float16
    save_checkpoint(net, tmp_path / "full.safetensors")
    save_checkpoint(net, tmp_path / "half.safetensors", half=True)
    weights, again = net.state_dict(), load_checkpoint(tmp_path / "half.safetensors").state_dict()
    for name, tensor in weights.items():
        expected = tensor.half().float() if tensor.ndim == 4 else tensor
        assert torch.equal(again[name], expected)
    assert (tmp_path / "half.safetensors").stat().st_size < (tmp_path / "full.safetensors").stat().st_size
