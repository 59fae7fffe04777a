import numpy as np
import pandas as pd
import pytest

from routeviz.cli.demo import last_checkpoint, summary
from routeviz.datasets import open_dataset
from routeviz.errors import CheckpointError
from routeviz.network import NetworkConfig, RoutingNetwork, save_checkpoint
from routeviz.routelog import RouteLog, load_log
from routeviz.space import lattice_space


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A tiny checkpoint where the bundled one would be, and few samples; the folder of the one checkpoint."""
    folder = tmp_path / "data" / "checkpoints" / "scenes"
    folder.mkdir(parents=True)
    classes = open_dataset("scenes").class_names
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=len(classes), class_names=classes))
    save_checkpoint(net.eval(), folder / "step-000100.safetensors", step=100)
    monkeypatch.setattr("routeviz.cli.demo.bundled_data", lambda part: tmp_path / "data" / part)
    monkeypatch.setattr("routeviz.cli.demo.SAMPLES", 6)
    return folder


@pytest.fixture
def served(monkeypatch):
    """What the demo gives to the dashboard."""
    calls = []
    monkeypatch.setattr("routeviz.cli.demo.serve_dashboard", calls.append)
    return calls


def only_log(out):
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return folder


def test_it_traces_the_samples_and_shows_a_table(routeviz, bundle, served, tmp_path):
    result = routeviz("demo", "--no-serve", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    log = load_log(only_log(tmp_path / "out"))
    assert list(log.images["id"]) == open_dataset("scenes", length=6).ids
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[:2] for row in rows if row and row[0] in ("small", "large", "mixed", "all")] == [
        ["large", "2"],
        ["mixed", "2"],
        ["small", "2"],
        ["all", "6"],
    ]
    assert str(only_log(tmp_path / "out")) in result.stdout
    assert served == []


def test_a_second_call_uses_the_log_that_is_there(routeviz, bundle, tmp_path):
    out = tmp_path / "out"
    routeviz("demo", "--no-serve", "--out", out)
    times = {path: path.stat().st_mtime_ns for path in only_log(out).rglob("*.parquet")}
    assert times
    assert routeviz("demo", "--no-serve", "--out", out).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in only_log(out).rglob("*.parquet")} == times


def test_another_checkpoint_makes_another_log(routeviz, bundle, tmp_path):
    out = tmp_path / "out"
    routeviz("demo", "--no-serve", "--out", out)
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=7))
    save_checkpoint(net.eval(), bundle / "step-000200.safetensors", step=200)
    result = routeviz("demo", "--no-serve", "--out", out)
    assert result.exit_code == 0
    assert "step-000200" in result.stdout
    assert len(list(out.iterdir())) == 2


def test_it_serves_the_log(routeviz, bundle, served, tmp_path):
    assert routeviz("demo", "--out", tmp_path / "out").exit_code == 0
    (folders,) = served
    assert folders[0] == only_log(tmp_path / "out")
    assert bundle.parent in folders


def test_without_a_checkpoint_it_ends_in_one_line(routeviz, bundle, tmp_path):
    (bundle / "step-000100.safetensors").unlink()
    result = routeviz("demo", "--no-serve", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith("routeviz: error: ")
    assert result.stderr.count("\n") == 1


def test_last_checkpoint_has_the_most_steps(tmp_path):
    with pytest.raises(CheckpointError, match="holds no step"):
        last_checkpoint(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    for name in ("step-000900.safetensors", "step-002000.safetensors", "step-001000.safetensors", "best.safetensors"):
        (tmp_path / "checkpoints" / name).touch()
    assert last_checkpoint(tmp_path).name == "step-002000.safetensors"


def test_summary_by_hand():
    space = lattice_space(3, 4)
    gates = np.zeros((4, space.n_paths), np.float32)
    gates[:, 0] = 1.0
    gates[2:] = 1.0
    images = pd.DataFrame(
        {
            "id": list("abcd"),
            "scale_class": ["small", "small", "large", "large"],
            "miou": [0.5, 0.7, 0.2, 0.2],
            "macs_conv": np.array([1_000_000, 3_000_000, 8_000_000, 8_000_000]),
        }
    )
    table = summary(RouteLog(gates, images, space, source={}))
    assert list(table.index) == ["large", "small", "all"]
    assert list(table["images"]) == [2, 2, 4]
    np.testing.assert_allclose(table["mIoU %"], [20, 60, 40])
    np.testing.assert_allclose(table["MACs M (conv)"], [8, 2, 5])
    np.testing.assert_allclose(table["open paths %"], [100, 100 / space.n_paths, 50 * (1 + 1 / space.n_paths)])
