"""The notebook runs from top to bottom, and what it holds is what its cells show."""

import json
import runpy
from pathlib import Path

import pytest

ANALYSIS = Path(__file__).parents[2] / "analysis"
NOTEBOOK = ANALYSIS / "from_checkpoint_to_figure.ipynb"


@pytest.fixture(scope="module")
def stored():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def program():
    return runpy.run_path(str(ANALYSIS / "notebook.py"))


def outputs(notebook):
    """What each code cell shows: the kinds of its outputs."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [[sorted(output.get("data", {"stream": ""})) for output in cell["outputs"]] for cell in cells]


@pytest.mark.slow
def test_it_runs_and_shows_what_it_holds(program, stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fresh = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    program["execute"](fresh)
    assert outputs(fresh) == outputs(stored)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".pdf", ".png", ".svg"]


def test_it_was_run_from_top_to_bottom_and_is_small(stored):
    cells = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert NOTEBOOK.stat().st_size < 1_000_000
    kinds = {kind for cell in outputs(stored) for output in cell for kind in output}
    assert {"image/svg+xml", "image/png", "text/html"} <= kinds


def test_a_cell_shows_what_it_prints_and_its_last_value(program):
    run, space = program["run_cell"], {}
    printed, value = run("x = 2\nprint('two')\nx + 1", space, 1)
    assert printed["text"] == ["two\n"]
    assert value["data"]["text/plain"] == ["3"]
    assert run("x;", space, 2) == []
    assert run("x = 5", space, 3) == []
    (drawn,) = run("from matplotlib import pyplot as plt\nplt.plot([1, 2]);", space, 4)
    assert "image/png" in drawn["data"]
    with pytest.raises(ZeroDivisionError):
        run("1 / 0", space, 5)
