"""The page of questions is what its script makes, and what a log alone answers is still the answer."""

import re
import runpy
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from routeviz.cli.main import cli

ROOT = Path(__file__).parents[2]
FROM_A_LOG = ("common data/logs/scenes --sweep", "costs --image-size 1024x2048")


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "analysis" / "questions.py"))


@pytest.fixture(scope="module")
def text():
    return (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")


def outputs(text):
    """Output by command, of all console blocks of the page."""
    found = {}
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found[command] = output
    return found


def test_every_question_stands_on_the_page_with_its_answer_and_commands(script, text):
    for one in script["QUESTIONS"]:
        assert f"## {one.question}\n\n{one.answer}" in text
        assert all(f"$ {command}\n" in text for command in one.commands)


@pytest.mark.parametrize("command", FROM_A_LOG)
def test_what_the_page_shows_is_what_the_command_prints(text, monkeypatch, command):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    result = CliRunner().invoke(cli, shlex.split(command))
    assert result.exit_code == 0
    assert outputs(text)[f"routeviz {command}"].split() == result.stdout.split()


def test_what_is_left_out_is_said(script):
    assert script["cut"]("a\nb\nc\n", 2) == "a\nb\n... 1 more lines"
    assert script["cut"]("a\nb\n", 2) == "a\nb"
