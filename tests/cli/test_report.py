import json
import shlex
from html import escape

import numpy as np
import pandas as pd
import pytest

from routeviz.report.drawn import Drawn
from routeviz.routelog import RouteLog, load_log
from routeviz.space import lattice_space


@pytest.fixture
def log(tmp_path, monkeypatch):
    drawn = [Drawn("usage", "Use", "Of paths", "<svg></svg>", False)], {"training_budget": "costs need a run"}
    monkeypatch.setattr("routeviz.report.report.drawn_figures", lambda material, **options: drawn)
    space = lattice_space(4, 4)
    gates = np.random.default_rng(0).random((3, space.n_paths), dtype=np.float32)
    RouteLog(gates, pd.DataFrame({"id": ["a", "b", "c"]}), space, {}).save(tmp_path / "my log")
    return tmp_path / "my log"


def test_the_page_names_the_command_that_makes_it_again(routeviz, log, tmp_path):
    first, second = tmp_path / "one.html", tmp_path / "two.html"
    result = routeviz("report", log, "--out", first, "--title", "A < B")
    assert result.exit_code == 0, result.stderr
    assert "routes of 3 images, 1 figures" in result.stdout
    assert "left out training_budget: costs need a run: give --run" in result.stdout
    again = shlex.join(["routeviz", "report", str(log), "--out", "report.html", "--title", "A < B"])
    assert escape(again) in first.read_text()
    assert routeviz("report", log, "--out", second, "--title", "A < B").exit_code == 0
    assert first.read_bytes() == second.read_bytes()


def test_json_says_what_is_on_the_page(routeviz, log, tmp_path):
    answer = json.loads(routeviz("report", log, "--out", tmp_path / "page.html", "--json").stdout)
    assert answer["bytes"] == (tmp_path / "page.html").stat().st_size
    assert (answer["images"], answer["figures"]) == (len(load_log(log)), ["usage"])
    assert answer["notes"]


def test_bad_input_ends_in_one_line_and_leaves_nothing(routeviz, log, tmp_path):
    for arguments, message in (
        ((tmp_path, "--out", tmp_path / "page.html"), "no route log"),
        ((log, "--out", tmp_path / "page.html", "--root", tmp_path), "leave out --root"),
        ((log, "--out", tmp_path / "page.html", "--run", log), "holds no training run"),
        ((log, "--out", tmp_path / "none" / "page.html"), "page.html"),
    ):
        result = routeviz("report", *arguments)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["my log"]
