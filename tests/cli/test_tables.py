import pytest

from routeviz.cli.tables import columns, grid


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")


def test_columns_stand_under_each_other():
    assert columns([("part", "MACs"), ("stem", "1"), ("operations", "22")], "<>") == (
        "part        MACs\nstem           1\noperations    22"
    )


def test_the_last_column_wraps_within_the_terminal():
    text = columns([("a", "1", "word " * 20), ("bb", "22", "short")], "<><", wrap_last=True)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 40
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["a", "bb"]
    assert text.count("word") == 20
    assert {line.index("word") for line in lines if "word" in line} == {8}


def test_a_grid_too_wide_is_set_in_blocks():
    header = [f"L{layer}" for layer in range(20)]
    text = grid(["s0", "s1"], header, [["100"] * 20, [""] * 20])
    assert max(map(len, text.splitlines())) <= 40
    assert text.split("\n\n")[0].splitlines()[0].split() == header[:9]
    assert text.count("100") == 20
    assert text.split()[0] == "L0"
