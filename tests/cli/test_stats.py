import json

import numpy as np
import pandas as pd
import pytest

from routeviz.routelog import RouteLog
from routeviz.space import RoutingSpace, lattice_space
from routeviz.stats import path_usage, summary


@pytest.fixture(scope="module")
def log():
    space, rng = lattice_space(6, 4), np.random.default_rng(0)
    gates = rng.random((30, space.n_paths)) * (rng.random((30, space.n_paths)) < 0.6)
    gates[:, :2] = 0.5
    images = pd.DataFrame(
        {"id": [f"{index:03d}" for index in range(30)], "macs_conv": rng.integers(2_000_000, 5_000_000, 30)}
    )
    source = {"checkpoint": {"file": "step-000100.safetensors"}, "dataset": {"name": "camvid", "split": "val"}}
    return RouteLog(gates, images, space, source)


@pytest.fixture
def folder(log, tmp_path):
    log.save(tmp_path / "log")
    return tmp_path / "log"


def test_figures_with_their_definitions_and_the_lattice(routeviz, folder, log):
    result = routeviz("stats", folder)
    assert result.exit_code == 0, result.stderr
    assert "30 images of camvid val through step-000100.safetensors" in result.stdout
    text = " ".join(result.stdout.split())
    for figure in summary(log):
        assert figure.name in text
        assert figure.definition.split(",")[0].split(":")[0][:20] in text
    mean = log.images["macs_conv"].mean()
    assert f"MACs, average {mean / 1e6:.3f} M MACs, conv" in text
    assert all(len(line) <= 80 for line in result.stdout.splitlines()[1:])


def test_the_lattice_shows_shares_as_percentages(routeviz, folder, log):
    lines = routeviz("stats", folder).stdout.splitlines()
    keep = [line.split() for line in lines if line.startswith("s0 keep")]
    expected = 100 * path_usage(log).query("scale == 0 and move == 'keep'").open
    assert keep == [["s0", "keep", *(f"{share:.0f}" for share in expected)]]
    cells = [line.split() for line in lines if line.startswith("s0 ") and "keep" not in line and "down" not in line]
    assert len(cells[0]) == 1 + 7


def test_a_kind_that_nobody_knows_is_described_as_a_lattice(routeviz, folder, log, tmp_path):
    space = RoutingSpace.from_dict(log.space.to_dict() | {"kind": "pyramid"})
    RouteLog(log.gates, log.images, space, log.source).save(tmp_path / "other")
    said = [routeviz("stats", path).stdout.splitlines()[1:] for path in (tmp_path / "other", folder)]
    assert said[0] == said[1]


def test_json_is_what_the_library_gives(routeviz, folder, log):
    result = routeviz("stats", folder, "--json")
    data = json.loads(result.stdout)
    assert data["figures"] == [vars(figure) for figure in summary(log)]
    assert len(data["cells"]) == log.space.n_cells
    assert [row["open"] for row in data["paths"]] == pytest.approx(path_usage(log).open.tolist())


def test_a_folder_that_is_no_log_ends_in_one_line(routeviz, tmp_path):
    for arguments in ((tmp_path,), (tmp_path / "missing",)):
        result = routeviz("stats", *arguments)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
