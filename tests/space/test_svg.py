import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.space import RoutingSpace, lattice_space
from routeviz.space.drawing import MARKS, RAMP_STEPS, lattice_data
from routeviz.space.layout import PITCH_RANGE
from routeviz.space.svg import THEMES, lattice_svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def space():
    return lattice_space(4, 4)


def gates_of(space, **open_paths):
    """Activations that are 0 but for paths named like L0_s0_keep."""
    gates = np.zeros(space.n_paths, np.float32)
    for name, value in open_paths.items():
        gates[space.path_names.index(name.replace("_", " "))] = value
    return gates


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_layers_run_across_and_scales_down(space):
    cells = lattice_data(space)["cells"]
    by_layer = {cell["layer"]: cell["x"] for cell in cells}
    by_scale = {cell["scale"]: cell["y"] for cell in cells}
    assert all(cell["x"] == by_layer[cell["layer"]] and cell["y"] == by_scale[cell["scale"]] for cell in cells)
    assert sorted(by_layer.values()) == [by_layer[layer] for layer in range(5)]
    assert sorted(by_scale.values()) == [by_scale[scale] for scale in range(4)]


def test_strides_label_the_rows_and_layers_the_columns(space):
    texts = [text["text"] for text in lattice_data(space)["texts"]]
    assert [text for text in texts if text.startswith("stride")] == ["stride 4", "stride 8", "stride 16", "stride 32"]
    assert [text for text in texts if text.isdigit()] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("layers", [3, 16, 33])
def test_nothing_moves_from_one_route_to_the_next(layers):
    space = lattice_space(layers, 4)
    rng = np.random.default_rng(0)
    one, other = (lattice_data(space, rng.random(space.n_paths)) for _ in range(2))
    geometry = [key for key in one if key not in ("activation", "path_width", "path_level", "path_text", "cell_text")]
    assert {key: one[key] for key in geometry if "kind" not in key} == {
        key: other[key] for key in geometry if "kind" not in key
    }
    assert PITCH_RANGE[0] <= one["pitch"] <= PITCH_RANGE[1]
    assert max(cell["x"] for cell in one["cells"]) < one["width"]
    assert max(item["y"] for item in one["legend"]) < one["height"]


def test_a_hand_made_route_gets_the_marks_that_its_states_ask_for(space):
    # The first cell opens keep alone: its cell gets the image and closes; below, a starved cell opens keep.
    data = lattice_data(space, gates_of(space, L0_s0_keep=0.5, L1_s1_keep=1.0))
    kinds = dict(zip(space.cell_names, data["cell_kind"], strict=True))
    assert kinds["L0 s0"] == "open image"
    assert kinds["L1 s0"] == "closed image"
    assert kinds["L1 s1"] == "open zeros"
    assert kinds["L2 s1"] == "closed constant"
    assert kinds["L2 s2"] == "closed zeros"
    assert kinds["L3 s3"] == "unreached none"
    paths = dict(zip(space.path_names, data["path_kind"], strict=True))
    assert paths["L0 s0 keep"] == "open"
    assert paths["L0 s0 down"] == ""
    assert paths["L1 s0 keep"] == "passed"
    assert paths["L1 s1 keep"] == "blind"
    widths = dict(zip(space.path_names, data["path_width"], strict=True))
    assert widths["L0 s0 keep"] == pytest.approx(1.5 + 4.5 * 0.5)
    assert widths["L1 s1 keep"] == pytest.approx(6.0)


def test_marks_differ_in_form_not_only_in_colour():
    assert len({(outline, filled) for outline, _, filled in MARKS.values()}) == len(MARKS)


def test_nan_counts_as_shut_and_an_unreached_cell_has_no_open_path(space):
    gates = np.full(space.n_paths, np.nan, np.float32)
    gates[space.path_names.index("L0 s0 keep")] = 0.3
    gates[space.path_names.index("L2 s2 keep")] = 0.9  # its cell is unreached: a value there opens nothing
    index = space.path_names.index("L2 s2 keep")
    data = lattice_data(space, gates)
    assert data["path_kind"][index] == ""
    assert "cell unreached, sends nothing" in data["path_text"][index]
    assert json.loads(json.dumps(data, allow_nan=False)) == json.loads(json.dumps(data))


def test_hover_says_activation_verdict_and_notes(space):
    index = space.path_names.index("L0 s0 down")
    notes = {"mean in this log": [f"{i / 100:.2f}" for i in range(space.n_paths)]}
    data = lattice_data(space, gates_of(space, L0_s0_down=0.25), path_notes=notes)
    assert data["path_text"][index].split("\n") == [
        "L0 s0 down → L1 s1",
        "activation 0.25: open, carries the image",
        f"mean in this log: {index / 100:.2f}",
    ]
    assert "decoder" in data["path_text"][-1]
    with pytest.raises(InputError, match="needs"):
        lattice_data(space, path_notes={"short": [1]})


def test_activations_of_another_space_are_refused(space):
    with pytest.raises(InputError, match="needs"):
        lattice_data(space, np.zeros(3))


def test_paths_start_and_end_at_their_cells(space):
    data = lattice_data(space)
    for path, source, target in zip(data["paths"], data["source"], data["target"], strict=True):
        x, y = map(float, re.match(r"M([\d.]+) ([\d.]+)", path["d"]).groups())
        cell = data["cells"][source]
        assert np.hypot(x - cell["x"], y - cell["y"]) < 12
        if target >= 0:
            cell = data["cells"][target]
            assert np.hypot(path["tip"][0] - cell["x"], path["tip"][1] - cell["y"]) < 14
    moves = {path["move"]: np.sign(path["tip"][2]) for path in data["paths"]}
    assert moves == {"up": -1, "keep": 0, "down": 1}
    assert data["moves"] == ["up", "keep", "down"]


def test_other_kinds_of_space_are_drawn_by_the_same_code():
    # A chain of skippable blocks: two moves between the same two cells, which must not lie on each other.
    cells = pd.DataFrame([(layer, 0, 1, 8) for layer in range(4)], columns=["layer", "scale", "stride", "channels"])
    rows = [(layer, 0, move, layer + 1, 0) for layer in range(4) for move in ("skip", "run")]
    paths = pd.DataFrame(rows, columns=["layer", "scale", "move", "target_layer", "target_scale"])
    chain = RoutingSpace("chain", cells, paths, pass_move="skip")
    data = lattice_data(chain, np.linspace(0, 1, 8))
    assert len({path["d"] for path in data["paths"]}) == 8
    assert data["moves"] == ["skip", "run"]
    assert ET.fromstring(lattice_svg(chain)).tag == f"{SVG}svg"


@pytest.mark.parametrize("theme", list(THEMES))
def test_every_colour_that_carries_meaning_stands_out_from_the_paper(theme):
    colours = THEMES[theme]
    assert len(colours.ramp) == RAMP_STEPS
    for colour in (colours.ink, colours.soft, colours.blind, colours.accent, *colours.ramp):
        assert contrast(colour, colours.paper) >= 3, colour
    assert contrast(colours.ink, colours.paper) >= 7


def test_the_svg_stands_alone_and_escapes_every_name(space):
    title = "<script>alert(1)</script> & \x00 ]]> \"'"
    for theme in THEMES:
        text = lattice_svg(space, gates_of(space, L0_s0_keep=1), title=title, theme=theme, width=500)
        root = ET.fromstring(text)
        assert root.get("width") == "500"
        assert root.find(f"{SVG}title").text == title.replace("\x00", "?")
        assert not root.findall(f".//{SVG}script")
        assert not re.search(r"href|url\(|<image|<style", text)


def test_an_svg_has_a_stroke_for_each_open_path_as_wide_as_its_activation(space):
    gates = gates_of(space, L0_s0_keep=0.5, L0_s0_down=1.0)
    root = ET.fromstring(lattice_svg(space, gates))
    groups = [group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None]
    strokes = {
        group.find(f"{SVG}title").text.split(" →")[0]: float(group.find(f"{SVG}path").get("stroke-width"))
        for group in groups
        if ": open" in group.find(f"{SVG}title").text
    }
    assert strokes == {"L0 s0 keep": pytest.approx(3.75), "L0 s0 down": pytest.approx(6.0)}


def test_an_unknown_theme_is_refused(space):
    with pytest.raises(InputError, match="light, dark"):
        lattice_svg(space, theme="sepia")


def test_a_static_network_has_only_the_cells_that_an_image_arrives_at(space):
    route = gates_of(space, L0_s0_keep=1, L1_s0_keep=1, L2_s0_keep=1, L3_s0_keep=1, L4_s0_keep=1)
    forced, built = (lattice_data(space, route, static=static) for static in (False, True))
    assert {kind for kind in forced["cell_kind"] if kind.endswith("zeros")}
    image = np.char.endswith(forced["cell_kind"], "image")
    assert np.array(built["cell_kind"])[~image].tolist() == ["unreached none"] * int((~image).sum())
    assert np.array(built["cell_kind"])[image].tolist() == np.array(forced["cell_kind"])[image].tolist()
    beside = ~image[space.source]
    assert not np.array(built["path_kind"])[beside].any()
    assert {item["text"] for item in forced["legend"]} - {item["text"] for item in built["legend"]} == {
        "unreached", "starved: zeros arrive", "only a constant arrives", "open, image-blind"
    }  # fmt: skip
    assert forced["digest"] != built["digest"]


def test_the_legend_shows_the_mark_of_every_cell(space):
    legend = {(item["sort"], item["kind"]) for item in lattice_data(space)["legend"]}
    shown = {kind for sort, kind in legend if sort == "mark"}
    shown |= {f"{state} {kind}" for sort, kind in legend if sort == "marks" for state in ("open", "closed")}
    assert shown == set(MARKS) - {"plain"}
