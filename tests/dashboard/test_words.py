import math

import pytest

from routeviz.dashboard.words import WORDS, hint, percent, plain, short
from routeviz.space import lattice_space
from routeviz.space.drawing import FORCED, LEGEND

SPACE = lattice_space(3, 4)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (999_600, "1.00 M"),
        (1.234e9, "1.23 G"),
        (5.4e8, "540 M"),
        (2e12, "2.00 T"),
    ],
)
def test_numbers_have_three_digits_and_a_unit(number, text):
    assert short(number) == text


def test_what_is_not_known_is_a_dash():
    assert short(math.nan) == percent(math.nan) == percent(None) == short(None) == "—"
    assert percent(0.1234) == "12.3%"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("step-000500.safetensors", "step-000500.safetensors"),
        ("![x](http://host/a.png)", r"!\[x\](http\://host/a.png)"),
        ("a_b *c* `d` <b>", r"a\_b \*c\* \`d\` \<b\>"),
        ("1. first\n- second", r"1\. first - second"),
        ("- item", r"\- item"),
        (":red[x] $y$ www.host.com", r"\:red\[x\] \$y\$ www\.host.com"),
    ],
)
def test_text_from_files_is_no_markdown(text, escaped):
    assert plain(text) == escaped


def test_every_entry_of_a_lattice_s_legend_is_explained():
    assert all(hint(text, SPACE) for _, _, text in (*LEGEND, FORCED))
    assert hint("closed: input passes on", SPACE) == WORDS["closed"]
    assert hint("starved: zeros arrive", SPACE) == WORDS["image-blind"]
    assert hint("weights", SPACE) == ""
