import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import ARCHITECTURES, architecture, architectures, lattice_space

# By hand from the sources, one line a scale, layers 0 to 16: O an open cell, - a closed one that carries features of
# the image, . any other. Then the scales that feed the decoder, and the skips as (scale, leaves, arrives), in layers.
TABLES = {
    "fcn32s": ("OOOOO............", "....OOOOO.......", "....OOOO...", "...OOO", {3}, set()),
    "unet": ("OOO------------OO", "..OOO-------OO..", "..OOO--OO....", "..OO......", {0},
             {(0, 2, 15), (1, 5, 13), (2, 8, 11)}),
    "deeplabv3": ("OOO..............", "..OOOO..........", "...OOOOOOOOOO", ".........", {2}, set()),
    "hrnetv2": ("OOOOOOOOOOOOOOOOO", ".OOOOOOOOOOOOOOO", ".OOOOOOOOOOOOO", "......OOOOOO", {0, 1, 2, 3}, set()),
    "auto_deeplab": ("OOOOO............", "....O..O.......O", "OO.OOO...O.", ".....OOO..", {1}, set()),
    "segnet": ("OOO...........OOO", "..OOO.....OOO...", "..OOOOO......", "..........", {0}, set()),
    "fpn": ("OOO-------------O", "..OOO---------O-", "..OOOOO---O--", "....OOO---", {0, 1, 2, 3},
            {(0, 2, 16), (1, 5, 15), (2, 10, 14)}),
    "deeplabv3plus": ("OOO------------OO", "..OOO........O..", "..OOOOOOOO...", "..........", {0}, {(0, 2, 15)}),
    "bisenet": ("OO--O............", "OOOO----------OO", "...OOOO----OO..", "...OOOO....", {1},
                {(0, 1, 4), (1, 5, 15), (2, 8, 13)}),
    "icnet": ("OO...............", ".O-------------O", "OOO---------O.", "..OOOOOOOOO..", {1},
              {(1, 2, 16), (2, 5, 15)}),
}  # fmt: skip


def drawing(route, scale):
    space, states = route.space, route.states
    line = ""
    for layer in range(space.layers + 1):
        if scale <= layer:
            cell = space.cell_index(layer, scale)
            line += "O" if states.state[0, cell] == 2 else "-" if states.input[0, cell] == 3 else "."
    return line


@pytest.fixture(scope="module")
def paper():
    return architectures(lattice_space(16, 8))


@pytest.mark.parametrize("key", TABLES)
def test_cells_of_each_scale_as_drawn_by_hand(paper, key):
    for scale in range(4):
        expected, found = TABLES[key][scale], drawing(paper[key], scale)
        # Lines of deeper scales are written from their first interesting layer on: leading dots are left out above.
        assert found == expected.rjust(len(found), ".")


@pytest.mark.parametrize("key", TABLES)
def test_scales_that_feed_the_decoder_with_the_image(paper, key):
    route = paper[key]
    last = route.cell_states[route.space.cells.layer == 16]
    assert set(last[last.input == "image"].scale) == TABLES[key][4]


@pytest.mark.parametrize("key", TABLES)
def test_skips_leave_an_open_cell_and_arrive_at_an_open_cell(paper, key):
    route = paper[key]
    space, states = route.space, route.states
    for scale, leaves, arrives in TABLES[key][5]:
        ends = [space.cell_index(layer, scale) for layer in (leaves, arrives)]
        if (key, scale, leaves) == ("bisenet", 1, 5):  # comes from stride 4, one layer before
            assert route.open[space.path_index(4, 0, "down")]
            ends = ends[1:]
        else:
            assert route.open[space.path_index(leaves, scale, "keep")]
        assert (states.state[0, ends] == 2).all()
        for layer in range(leaves + 1, arrives):
            cell = space.cell_index(layer, scale)
            assert (states.state[0, cell], states.input[0, cell]) == (1, 3)


@pytest.mark.parametrize("layers", [11, 12, 16, 20, 33])
def test_in_any_depth_open_cells_see_the_image_and_lead_to_the_decoder(layers):
    for key, route in architectures(lattice_space(layers, 8)).items():
        table = route.cell_states
        opened = table[table.state == "open"]
        assert (opened.input == "image").all(), key
        assert set(opened.layer) == set(range(layers + 1)), key
        # Every open path feeds a cell that hands the image on, or the decoder: nothing ends on the way.
        space, states = route.space, route.states
        for target in space.target[route.open & ~space.exits]:
            assert states.state[0, target] == 2 or route.space.passes[space.paths_from(target)].any(), key
        assert route.source
        assert route.name


def test_published_order_of_depth_is_kept(paper):
    # VGG-16 spends 3, 3, 3, 2 operations at strides 4 to 32, ResNet-50 spends 3, 4, 9 at strides 4 to 16.
    per_scale = {
        key: [(drawing(paper[key], scale).count("O")) for scale in range(4)]
        for key in ("fcn32s", "deeplabv3", "segnet")
    }
    assert per_scale == {"fcn32s": [5, 5, 4, 3], "deeplabv3": [3, 4, 10, 0], "segnet": [6, 6, 5, 0]}


def test_auto_deeplab_takes_its_searched_strides_where_each_has_a_layer():
    route = architecture(lattice_space(11, 8), "auto_deeplab")
    opened = route.cell_states[route.cell_states.state == "open"]
    assert opened.sort_values("layer").scale.tolist() == [0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1]


def test_hrnet_never_leaves_a_stream(paper):
    route = paper["hrnetv2"]
    table = route.cell_states[route.cell_states.state == "open"]
    for _, stream in table.groupby("scale"):
        assert stream.layer.tolist() == list(range(stream.layer.min(), 17))
    assert table.groupby("scale").layer.min().tolist() == [0, 2, 4, 11]


def test_all_open_opens_all(paper):
    assert paper["all_open"].open.all()


@pytest.mark.parametrize(("key", "needs"), [("unet", 7), ("auto_deeplab", 12), ("fcn32s", 4), ("icnet", 6)])
def test_too_shallow_a_space_is_refused(key, needs):
    if needs > 4:
        with pytest.raises(InputError, match=f"needs {needs} layers of cells; this space has {needs - 1}"):
            architecture(lattice_space(needs - 2, 8), key)
    assert architecture(lattice_space(needs - 1, 8), key).open.any()


def test_what_cannot_be_modelled_is_refused():
    shallow = architectures(lattice_space(8, 8))
    assert "unet" in shallow
    assert "auto_deeplab" not in shallow
    with pytest.raises(InputError, match="Auto-DeepLab needs 12 layers of cells; this space has 9"):
        shallow["auto_deeplab"]
    with pytest.raises(InputError, match="lattice of 4 scales"):
        architectures(lattice_space(16, 8, scales=3))
    with pytest.raises(InputError, match="architecture 'vgg' is unknown; valid: fcn32s, unet"):
        architecture(lattice_space(16, 8), "vgg")


def test_activations_are_zero_or_one_and_keys_are_kept(paper):
    assert list(paper) == list(ARCHITECTURES)
    for route in paper.values():
        assert set(np.unique(route.activations)) <= {0.0, 1.0}
