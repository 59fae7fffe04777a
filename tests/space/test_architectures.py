import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import architectures, lattice_space

# By hand, layers left to right, one line a scale: O open, - closed and carrying features of the image,
# . closed and carrying zeros or unreached.
EXPECTED_L7 = {
    "fcn32s": ["OO......", " .OO....", "  ..OO..", "   ...OO"],
    "unet": ["OO-----O", " .O---O.", "  .O-O..", "   .O..."],
    "deeplabv3": ["OO......", " .OO....", "  ..OOOO", "   ....."],
}


def drawing(route):
    space, states = route.space, route.states
    lines = []
    for scale in range(4):
        line = ""
        for layer in range(space.layers + 1):
            if scale > layer:
                line += " "
                continue
            cell = space.cell_index(layer, scale)
            carries = states.input[0, cell] == 3
            line += "O" if states.state[0, cell] == 2 else "-" if carries else "."
        lines.append(line)
    return lines


@pytest.mark.parametrize("name", EXPECTED_L7)
def test_drawing_in_eight_layers(name):
    assert drawing(architectures(lattice_space(7, 8))[name]) == EXPECTED_L7[name]


@pytest.mark.parametrize("layers", [7, 16, 33])
def test_each_ends_in_the_decoder_and_sees_the_image_only(layers):
    for route in architectures(lattice_space(layers, 8)).values():
        table = route.cell_states
        opened = table[table.state == "open"]
        assert (opened.input == "image").all()
        assert sorted(opened.layer) == list(range(layers + 1))  # one operation a layer
        assert route.open[route.space.exits].sum() == 1
        assert route.source


def test_strides_at_which_the_decoder_is_fed():
    fed = {name: route.space.paths.scale[route.open & route.space.exits].tolist()
           for name, route in architectures(lattice_space(16, 8)).items()}  # fmt: skip
    assert fed == {"fcn32s": [3], "unet": [0], "deeplabv3": [2]}


def test_unet_joins_each_skip_where_it_comes_back():
    route = architectures(lattice_space(16, 8))["unet"]
    space = route.space
    open_cells = {(c.layer, c.scale) for c in route.cell_states.itertuples() if c.state == "open"}
    # Way down 0, 0, 0, 1, 1, 1, 2, ...: the skip of scale 0 leaves at layer 2 and returns at layer 15.
    assert {(2, 0), (15, 0)} <= open_cells
    for layer in range(3, 15):
        cell = space.cell_index(layer, 0)
        assert (route.states.state[0, cell], route.states.input[0, cell]) == (1, 3)
    assert route.open[space.path_index(2, 0, "keep")]
    assert route.open[space.path_index(14, 1, "up")]


def test_too_shallow_a_space_is_refused():
    with pytest.raises(InputError, match=r"U-Net needs 7 layers of cells; this space has 5"):
        architectures(lattice_space(4, 8))
    with pytest.raises(InputError, match="lattice of 4 scales"):
        architectures(lattice_space(8, 8, scales=3))


def test_activations_are_zero_or_one():
    for route in architectures(lattice_space(16, 8)).values():
        assert set(np.unique(route.activations)) == {0.0, 1.0}
