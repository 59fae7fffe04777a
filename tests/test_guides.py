"""The guide to bringing one's own network, and the README's short form of it, run as they are written."""

import re
from pathlib import Path

import pytest
import torch

import routeviz as rv

ROOT = Path(__file__).parents[1]


def blocks(path, heading=""):
    text = path.read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text[text.index(heading) :] if heading else text, flags=re.S)


def test_the_guide_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = blocks(ROOT / "docs" / "bring-your-own.md")
    assert len(code) == 12
    names = {}
    *own, transformers = code
    assert "import transformers" in transformers or "from transformers" in transformers  # an extra: a test of its own
    for block in own:
        exec(compile(block, "bring-your-own.md", "exec"), names)
    assert (tmp_path / "my-log" / "log.json").exists()
    assert "distinct routes" in capsys.readouterr().out


def test_the_guide_records_a_model_of_transformers(monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("transformers", reason="no transformers: pip install 'routeviz[transformers]'")
    (block,) = blocks(ROOT / "docs" / "bring-your-own.md", "## A model of `transformers`")
    names = {"torch": torch, "rv": rv}
    exec(compile(block, "bring-your-own.md", "exec"), names)
    assert "layer 3" in capsys.readouterr().out
    assert names["svg"].startswith("<svg")


def test_twenty_lines_of_the_readme_lead_from_a_network_to_its_route(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = blocks(ROOT / "README.md", "## Any gated network")[0]
    assert len(block.splitlines()) <= 20
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    assert len(names["log"]) == 4
    assert (tmp_path / "log" / "log.json").exists()
    assert (tmp_path / "route.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("name", ["bring-your-own.md", "networks.md"])
def test_the_readme_leads_to_the_page(name):
    assert f"docs/{name}" in (ROOT / "README.md").read_text(encoding="utf-8")
