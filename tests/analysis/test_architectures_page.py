"""The page of static architectures: made by its script, as it is committed, and right."""

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from routeviz.space import ARCHITECTURES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def text():
    return (DOCS / "architectures.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_is_what_its_script_makes(tmp_path):
    main = runpy.run_path(str(ROOT / "analysis" / "architectures_page.py"))["main"]
    result = CliRunner().invoke(main, ["--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert len(made) == 1 + len(ARCHITECTURES)
    assert {path for path in made if (DOCS / path).read_bytes() != made[path]} == set()


def test_every_architecture_has_its_row_and_its_picture(text):
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| [")]
    assert [re.search(r"\(#(\w+)\)", row[0])[1] for row in rows] == list(ARCHITECTURES)
    for key in ARCHITECTURES:
        assert f'<a id="{key}"></a>' in text
        drawing = DOCS / "architectures" / f"{key}.svg"
        assert f"(architectures/{key}.svg)" in text
        assert ElementTree.parse(drawing).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_numbers_of_one_row_by_hand(text):
    # All open at 1024 x 2048, C = 64: what the released code counts, 118.085 G, less the gates of layers 1 to 16.
    row = next(line for line in text.splitlines() if line.startswith("| [All open]")).strip("| ").split(" | ")
    assert row[1:8] == ["17", "16", "15", "14", "62", "149", "0"]
    assert row[8:] == ["101.266", "101.216", "15.262"]
