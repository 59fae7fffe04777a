"""The page of public names: complete, as its script makes it, and right about commands and views."""

import ast
import re
import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner

import routeviz as rv
from routeviz.cli.main import COMMANDS, Commands
from routeviz.dashboard.app import PAGES
from routeviz.plots import catalogue

ROOT = Path(__file__).parents[2]
CLI = ROOT / "routeviz" / "cli"
SCRIPT = runpy.run_path(str(ROOT / "analysis" / "api_page.py"))
PLACES = [(name, place) for name, places in SCRIPT["ELSEWHERE"].items() for place in places]


def source_of(command):
    """Text of a command's file, and of those of the command line that it imports."""
    wanted, texts = ["import_" if command == "import" else command], {}
    while wanted:
        texts[module] = text = (CLI / f"{(module := wanted.pop())}.py").read_text(encoding="utf-8")
        found = [node.module or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
        own = [name.removeprefix("routeviz.cli.") for name in found if name.startswith("routeviz.cli.")]
        wanted += [name for name in own if name not in (*texts, *wanted, "main")]
    return "\n".join(texts.values())


def test_the_page_is_what_its_script_makes(tmp_path):
    result = CliRunner().invoke(SCRIPT["main"], ["--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    made = (tmp_path / "api.md").read_text(encoding="utf-8")
    assert made == (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), "run python analysis/api_page.py"


def test_every_public_name_has_one_row_that_says_what_it_is():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    rows = [re.fullmatch(r"\| `(\w+)` \| (.+) \|(.*)\|", line) for line in text.splitlines() if line.startswith("| `")]
    assert sorted(row[1] for row in rows) == sorted(set(rv.__all__) - {"__version__"})
    assert all(re.match(r"[A-Z`]", row[2]) for row in rows)
    assert "Built-in" not in text


@pytest.mark.parametrize(("name", "place"), [pair for pair in PLACES if pair[1][0].islower()])
def test_a_command_uses_the_name_that_it_is_said_to_use(name, place):
    command, *rest = place.split()
    assert command in COMMANDS
    assert name in rv.__all__
    known = Commands().get_command(None, command)
    options = {flag for parameter in known.params for flag in parameter.opts} | set(getattr(known, "commands", ()))
    assert set(rest) <= options
    text = source_of(command)
    if command in ("figures", "report"):
        text += Path(catalogue.__file__).read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", text), f"{command} does not name {name}"


def test_views_are_those_of_the_dashboard():
    assert {place for _, place in PLACES if place[0].isupper()} <= {title for _, title, _ in PAGES}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_page_is_linked(page):
    assert "(docs/api.md)" in (ROOT / page).read_text(encoding="utf-8")
