"""Every script under ``analysis/`` runs as it stands, on what is bundled."""

import re
import runpy
import sys
from pathlib import Path

import pytest
from matplotlib import pyplot as plt

ANALYSIS = Path(__file__).parents[2] / "analysis"
DOCS = ANALYSIS.parent / "docs"
FIGURES = sorted(ANALYSIS.glob("figure_*.py"))
TABLES = sorted(ANALYSIS.glob("table_*.py"))


def names(paths):
    return [path.stem for path in paths]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a script as a program, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def program(script, *arguments):
        monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        return runpy.run_path(str(script), run_name="__main__")

    yield program
    plt.close("all")


def test_there_is_one_script_for_each_figure():
    assert [int(path.stem.split("_")[1]) for path in FIGURES] == list(range(1, 15))


@pytest.mark.slow
@pytest.mark.parametrize("script", FIGURES, ids=names(FIGURES))
def test_a_figure_is_written_in_every_format(run, script, tmp_path):
    run(script)
    (pdf,) = (tmp_path / "figures").glob("*.pdf")
    assert script.stem.split("_", 2)[2] == pdf.stem
    assert b"/FontFile2" in pdf.read_bytes()
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".pdf", ".svg", ".png"}


@pytest.mark.slow
@pytest.mark.parametrize("script", TABLES, ids=names(TABLES))
def test_a_table_is_printed(run, script, capsys):
    run(script)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert len({len(line) for line in lines}) == 1
    if script.stem == "table_costs":  # what the released code counts
        assert lines[-1].split() == ["total", "117.909", "120.889", "118.085"]


def test_the_table_of_runs_has_a_row_for_each_bundled_run(run, capsys):
    run(ANALYSIS / "runs_table.py")
    table, *_ = capsys.readouterr().out.split("\n\n")
    bundled = sorted(path.parent.name for path in (ANALYSIS.parent / "data" / "checkpoints").glob("*/config.json"))
    assert [line.split()[1] for line in table.splitlines()[2:]] == bundled
    assert "| camvid-hrnetv2 | static (hrnetv2) | 5600 | 0.87 | 101 | 49.8 | · |" in table
    assert "| camvid-raw | none (raw) | 5600 | 2.56 | 101 | 52.1 |" in table


def test_a_run_is_cut_down_to_its_last_checkpoint(run, tmp_path):
    folder = ANALYSIS.parent / "data" / "checkpoints" / "scenes"
    run(ANALYSIS / "bundle_run.py", folder, tmp_path / "cut", "--keep", "1")
    kept = sorted(path.relative_to(tmp_path / "cut").as_posix() for path in (tmp_path / "cut").rglob("*.*"))
    assert kept == ["checkpoints/step-006000.safetensors", "config.json", "metrics.jsonl"]


@pytest.mark.slow
def test_the_agreement_with_the_released_code_is_printed(run, reference_root, capsys):
    run(ANALYSIS / "released_agreement.py", reference_root)
    printed = capsys.readouterr().out
    assert "DIFFERENT" not in printed
    assert printed.count("reached cells     equal") == len(list(reference_root.glob("*.npz"))) > 0


def test_the_gallery_shows_every_script_as_it_is_and_every_picture():
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    for script in [*FIGURES, *TABLES]:
        code = script.read_text(encoding="utf-8").partition('"""\n\n')[2].strip()
        assert f"```python\n{code}\n```" in page, f"{script.name} has changed: python analysis/gallery.py"
    pictures = re.findall(r"\]\((gallery/.*?)\)", page)
    assert len(pictures) == len(FIGURES)
    assert all((DOCS / picture).is_file() for picture in pictures)


@pytest.mark.slow
def test_a_section_of_the_gallery_has_words_code_and_what_came_out(run, tmp_path):
    gallery = runpy.run_path(str(ANALYSIS / "gallery.py"))
    figure = gallery["section"](ANALYSIS / "figure_01_routing_space.py", tmp_path)
    assert figure.startswith("## Figure 1\n\nThe routing space")
    assert "![Figure 1](gallery/routing_space.png)" in figure
    assert (tmp_path / "routing_space.png").is_file()
    table = gallery["section"](ANALYSIS / "table_costs.py", tmp_path)
    assert table.startswith("## Table: costs")
    assert "117.909" in table
