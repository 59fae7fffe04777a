import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import lattice_space
from routeviz.space.difference import MARKS, STROKES
from routeviz.space.svg import THEMES, difference_data, difference_svg, lattice_data, lattice_svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def space():
    return lattice_space(4, 4)


def gates_of(space, **opened):
    gates = np.zeros(space.n_paths, np.float32)
    for name, value in opened.items():
        gates[space.path_names.index(name.replace("_", " "))] = value
    return gates


@pytest.fixture
def pair(space):
    """Both keep the first cell; the left one goes down, the right one keeps the second layer."""
    left = gates_of(space, L0_s0_keep=0.8, L0_s0_down=0.5, L1_s1_keep=1)
    return left, gates_of(space, L0_s0_keep=0.4, L1_s0_keep=0.25)


def kinds(space, data):
    return {name: kind for name, kind in zip(space.path_names, data["path_kind"], strict=True) if kind}, {
        name: kind for name, kind in zip(space.cell_names, data["cell_kind"], strict=True) if kind != "neither"
    }


def test_each_path_and_cell_is_on_the_side_that_opens_it(space, pair):
    paths, cells = kinds(space, difference_data(space, *pair))
    assert paths == {"L0 s0 keep": "both", "L0 s0 down": "left", "L1 s0 keep": "right", "L1 s1 keep": "left"}
    assert cells == {"L0 s0": "both", "L1 s0": "right", "L1 s1": "left"}


def test_changing_sides_changes_left_and_right_and_nothing_else(space, pair):
    swap = {"left": "right", "right": "left", "both": "both"}
    one, other = (kinds(space, difference_data(space, *sides)) for sides in (pair, pair[::-1]))
    assert [{name: swap[kind] for name, kind in part.items()} for part in one] == list(other)


def test_two_equal_routes_have_no_difference(space, pair):
    paths, cells = kinds(space, difference_data(space, pair[0], pair[0]))
    assert set(paths.values()) == {"both"}
    assert set(cells.values()) == {"both"}


def test_width_is_how_far_activations_are_apart_and_their_mean_where_both_open(space, pair):
    widths = dict(zip(space.path_names, difference_data(space, *pair)["path_width"], strict=True))
    assert widths["L0 s0 down"] == pytest.approx(1.5 + 4.5 * 0.5)
    assert widths["L1 s0 keep"] == pytest.approx(1.5 + 4.5 * 0.25, abs=0.01)
    assert widths["L0 s0 keep"] == pytest.approx(1.5 + 4.5 * 0.6)


def test_a_path_that_one_side_opens_a_little_is_no_weaker_line_than_2_5_pixels(space, pair):
    left, right = np.ones((2, space.n_paths))
    path = space.path_names.index("L0 s0 down")
    left[path], right[path] = 0.05, 0
    assert difference_data(space, left, right)["path_width"][path] == 2.5
    assert difference_data(space, right, left)["path_width"][path] == 2.5


def test_a_set_of_images_opens_what_half_of_them_open(space, pair):
    shares = np.zeros((2, space.n_paths))
    shares[:, space.path_names.index("L0 s0 keep")] = 0.5, 0.49
    data = difference_data(space, *pair, opens=tuple(shares), names=("small", "large"))
    assert kinds(space, data)[0] == {"L0 s0 keep": "left"}
    text = data["path_text"][space.path_names.index("L0 s0 keep")].split("\n")
    assert text == [
        "L0 s0 keep → L1 s0",
        "small: activation 0.8, open in 50% of its images",
        "large: activation 0.4, open in 49% of its images",
        "open in small only",
    ]


def test_the_three_kinds_differ_in_form_not_only_in_colour():
    assert len({(stroke.dash, stroke.round) for stroke in STROKES.values()}) == 3
    assert len({outline for outline, _, _ in MARKS.values()}) == 4


def test_the_drawing_has_the_same_places_as_that_of_a_route(space, pair):
    route, both = lattice_data(space, pair[0]), difference_data(space, *pair)
    assert route["digest"] != both["digest"]  # another legend: a browser builds it anew
    one, other = (difference_data(space, *pair, names=(name, "b")) for name in ("a", "c"))
    assert one["digest"] != other["digest"]
    for key in ("cells", "paths", "width", "body", "decoder", "texts"):
        assert route[key] == both[key]
    assert json.loads(json.dumps(both, allow_nan=False)) == json.loads(json.dumps(both))
    assert set(both["cell_kind"]) <= set(both["marks"])
    assert set(both["path_kind"]) - {""} <= set(both["strokes"])


@pytest.mark.parametrize("theme", list(THEMES))
def test_the_svg_draws_both_sides_in_red_with_two_dashes_and_escapes_names(space, pair, theme):
    text = difference_svg(space, *pair, names=("<b>left", "right & wrong"), title="a < b", theme=theme)
    root = ET.fromstring(text)
    red = [node for node in root.iter(f"{SVG}path") if node.get("stroke") == THEMES[theme].differs and node.get("d")]
    assert {node.get("stroke-dasharray") for node in red if node.get("fill") == "none"} == {"9 4", "0.1 7"}
    assert root.find(f"{SVG}title").text == "a < b"
    assert not re.search(r"href|url\(|<image|<style|<b>", text)


def test_what_does_not_fit_is_refused(space, pair):
    with pytest.raises(InputError, match="29 paths"):
        difference_data(space, np.zeros(3), np.zeros(3))
    with pytest.raises(InputError, match="shares"):
        difference_data(space, *pair, opens=(np.zeros(2), np.zeros(2)))
    with pytest.raises(InputError, match="light, dark"):
        difference_svg(space, *pair, theme="sepia")


def test_forced_paths_are_marked_and_said(space, pair):
    forced = np.zeros(space.n_paths, bool)
    forced[[0, 5]] = True
    data = lattice_data(space, pair[0], forced=forced)
    assert [index for index, here in enumerate(data["path_forced"]) if here] == [0, 5]
    assert "activation 0.8, forced: open" in data["path_text"][0]
    assert data["legend"][-1]["text"] == "forced"
    assert "forced" not in {item["text"] for item in lattice_data(space, pair[0])["legend"]}
    assert lattice_svg(space, pair[0]).count("forced") == 0
