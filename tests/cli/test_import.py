import json

import pytest
import torch

from routeviz.network import NetworkConfig, Normalization, RoutingNetwork
from routeviz.network.checkpoints import export_released, load_checkpoint, read_checkpoint_header, save_checkpoint


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return RoutingNetwork(NetworkConfig(layers=3, width=2, num_classes=2, stem_width=4))


@pytest.fixture
def released(net, tmp_path):
    path = tmp_path / "net.pth"
    export_released(net, path, step=190_000)
    return path


def test_import_says_what_it_read_and_what_comes_next(routeviz, net, released, tmp_path):
    out = tmp_path / "net.safetensors"
    result = routeviz("import", released, "--full-gate", "--out", out)
    assert result.exit_code == 0, result.stderr
    parameters = sum(parameter.numel() for parameter in net.parameters())
    first, sha256, wrote, following = result.stdout.splitlines()
    assert first == (
        f"net.pth: 3 layers, width 2, stem width 4, 2 classes, full gate, {parameters / 1e6:.3f} M parameters"
    )
    assert sha256 == f"sha256 {load_checkpoint(released, small_gate=False).provenance['sha256']}"
    assert wrote == f"wrote {out}"
    assert following.startswith(f"next: routeviz trace {out} --dataset ")

    loaded = load_checkpoint(out)
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in net.state_dict().items())
    assert loaded.provenance["step"] == 190_000
    assert read_checkpoint_header(out)["extra"]["imported"]["file"] == "net.pth"


def test_json_and_what_weights_do_not_tell(routeviz, released, tmp_path):
    out = tmp_path / "net.safetensors"
    options = ("--small-gate", "--class-names", "sky, road", "--normalization", "RGB:1,2,3.5:4,5,6", "--json")
    facts = json.loads(routeviz("import", released, "--out", out, *options).stdout)
    assert facts["gate"] == "small"
    assert facts["class_names"] == ["sky", "road"]
    assert (facts["layers"], facts["width"], facts["stem_width"], facts["classes"]) == (3, 2, 4, 2)
    assert (facts["step"], facts["out"]) == (190_000, str(out))
    config = load_checkpoint(out).config
    assert config.small_gate
    assert config.class_names == ("sky", "road")
    assert config.normalization == Normalization((1.0, 2.0, 3.5), (4.0, 5.0, 6.0), "RGB")


def test_gates_fixed_open_need_no_kind(routeviz, net, tmp_path):
    fixed = RoutingNetwork(NetworkConfig(**{**net.config.to_dict(), "fixed_gates": (1.0,) * net.space.n_paths}))
    export_released(fixed, tmp_path / "fixed.pth")
    result = routeviz("import", tmp_path / "fixed.pth", "--out", tmp_path / "out", "--json")
    assert json.loads(result.stdout)["gate"] == "fixed"
    assert load_checkpoint(tmp_path / "out").config.fixed_gates == (1.0,) * net.space.n_paths


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--small-gate or --full-gate"),
        (("--full-gate", "--class-names", "sky,,road"), "has an empty name"),
        (("--full-gate", "--class-names", "sky"), "1 class_names for 2 classes"),
        (("--full-gate", "--normalization", "RGB"), "is not ORDER:MEANS:STDS"),
        (("--full-gate", "--normalization", "RGB:1,2,x:1,1,1"), "is not ORDER:MEANS:STDS"),
        (("--full-gate", "--normalization", "GRB:1,2,3:1,1,1"), "channel order 'GRB'"),
        (("--full-gate", "--normalization", "RGB:1,2:1,1,1"), "three means"),
    ],
)
def test_bad_options_end_in_one_line(routeviz, released, tmp_path, options, said):
    result = routeviz("import", released, "--out", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_bad_files_end_in_one_line(routeviz, net, released, tmp_path):
    (tmp_path / "cut.pth").write_bytes(released.read_bytes()[:1000])
    save_checkpoint(net, tmp_path / "own")
    before = released.read_bytes()
    for arguments, said in (
        ((tmp_path / "cut.pth", "--out", tmp_path / "out"), "truncated"),
        ((tmp_path / "nowhere.pth", "--out", tmp_path / "out"), "does not exist"),
        ((tmp_path / "own", "--out", tmp_path / "out"), "already"),
        ((released, "--out", released), "is the checkpoint itself"),
        ((released, "--out", tmp_path / "no" / "out"), "cannot write"),
    ):
        result = routeviz("import", *arguments, *(["--full-gate"] if said != "already" else []))
        assert result.exit_code == 2
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert released.read_bytes() == before
    assert not (tmp_path / "out").exists()
