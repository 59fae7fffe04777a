import json

import numpy as np
import pandas as pd
import pytest

from routeviz.routelog import RouteLog
from routeviz.space import architectures, lattice_space


@pytest.fixture
def log(tmp_path):
    space = lattice_space(16, 4)
    known = architectures(space)
    gates = np.array([known[key].activations for key in ("unet", "fpn", "unet", "unet")])
    RouteLog(gates, pd.DataFrame({"id": list("abcd")}), space).save(tmp_path / "log")
    return tmp_path / "log"


@pytest.mark.parametrize("metric", ["jaccard", "hamming"])
def test_each_image_and_the_counts(routeviz, log, tmp_path, metric):
    out = tmp_path / "nearest.csv"
    result = routeviz("nearest", log, "--metric", metric, "--out", out, "--json")
    assert result.exit_code == 0, result.stderr
    data = json.loads(result.stdout)
    assert (data["images"], data["metric"]) == (4, metric)
    found = {row["architecture"]: (row["images"], row["share"]) for row in data["architectures"]}
    assert found["unet"] == (3, 0.75)
    assert found["fpn"] == (1, 0.25)
    assert sum(images for images, _ in found.values()) == 4
    distances = [row["mean_distance"] for row in data["architectures"]]
    assert distances == sorted(distances)
    table = pd.read_csv(out)
    assert table.id.tolist() == list("abcd")
    assert table.architecture.tolist() == ["unet", "fpn", "unet", "unet"]
    assert (table.distance == 0).all()


def test_in_words(routeviz, log):
    text = routeviz("nearest", log).stdout
    assert "jaccard: weighted Jaccard distance of activations" in text
    assert text.splitlines()[4].split() == ["U-Net", "3", "75.0", text.splitlines()[4].split()[-1]]


def test_a_space_without_architectures_is_told(routeviz, tmp_path):
    space = lattice_space(3, 4, scales=2)
    RouteLog(np.ones((1, space.n_paths)), pd.DataFrame({"id": ["a"]}), space).save(tmp_path / "log")
    result = routeviz("nearest", tmp_path / "log")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "lattice of 4 scales" in result.stderr
