import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.space import ARCHITECTURES, Route, architecture, architectures, lattice_space, skips

# All tables are written by hand from the sources' numbers of operations and levels, and the rule that layers are shared
# out in proportion. They are not read back from the code.

# L = 16, one line a scale, layers 0 to 16: O an open cell, - a closed one that carries features of the image, . any
# other. Then the scales that feed the decoder.
DRAWN = {
    "fcn32s": ("OOOOO............", "....OOOOO.......", "....OOOO...", "...OOO", {3}),
    "unet": ("OOO------------OO", "..OOO-------OO..", "..OOO--OO....", "..OO......", {0}),
    "deeplabv3": ("OOO..............", "..OOOO..........", "...OOOOOOOOOO", ".........", {2}),
    "hrnetv2": ("OOOOOOOOOOOOOOOOO", ".OOOOOOOOOOOOOOO", ".OOOOOOOOOOOOO", "......OOOOOO", {0, 1, 2, 3}),
    "auto_deeplab": ("OOOOO............", "....O..O.......O", "OO.OOO...O.", ".....OOO..", {1}),
    "segnet": ("OOO...........OOO", "..OOO.....OOO...", "..OOOOO......", "..........", {0}),
    "fpn": ("OOO-------------O", "..OOO---------O-", "..OOOOO---O--", "....OOO---", {0, 1, 2, 3}),
    "deeplabv3plus": ("OOO------------OO", "..OOO........O..", "..OOOOOOOO...", "..........", {0}),
    "bisenet": ("OO--O............", "OOOO----------OO", "...OOOO----OO..", "...OOOO....", {1}),
    "icnet": ("OO...............", ".O-------------O", "OOO---------O.", "..OOOOOOOOO..", {1}),
}  # fmt: skip

# Open cells at strides 4, 8, 16, 32, for a shallow odd depth, the two published ones, and (all_open) the whole space.
OPEN_CELLS = {
    "fcn32s": {11: (4, 3, 3, 2), 16: (5, 5, 4, 3), 33: (10, 9, 9, 6)},
    "unet": {11: (3, 3, 4, 2), 16: (5, 5, 5, 2), 33: (9, 10, 10, 5)},
    "deeplabv3": {11: (2, 3, 7, 0), 16: (3, 4, 10, 0), 33: (6, 9, 19, 0)},
    "hrnetv2": {11: (12, 10, 9, 4), 16: (17, 15, 13, 6), 33: (34, 30, 26, 11)},
    "auto_deeplab": {11: (3, 3, 4, 2), 16: (5, 3, 6, 3), 33: (9, 7, 12, 6)},
    "segnet": {11: (4, 4, 4, 0), 16: (6, 6, 5, 0), 33: (11, 12, 11, 0)},
    "fpn": {11: (3, 3, 4, 2), 16: (4, 4, 6, 3), 33: (7, 9, 13, 5)},
    "deeplabv3plus": {11: (3, 4, 5, 0), 16: (5, 4, 8, 0), 33: (9, 9, 16, 0)},
    "bisenet": {11: (3, 4, 4, 3), 16: (3, 6, 6, 4), 33: (3, 13, 12, 8)},
    "icnet": {11: (1, 2, 3, 6), 16: (2, 2, 4, 9), 33: (3, 6, 8, 17)},
    "all_open": {11: (12, 11, 10, 9), 16: (17, 16, 15, 14), 33: (34, 33, 32, 31)},
}

# Open paths up, keep and down. A chain has one path a layer; a skip adds the keep that its features leave by.
OPEN_PATHS = {
    "fcn32s": {11: (0, 9, 3), 16: (0, 14, 3), 33: (0, 31, 3)},
    "unet": {11: (3, 9, 3), 16: (3, 14, 3), 33: (3, 31, 3)},
    "deeplabv3": {11: (0, 10, 2), 16: (0, 15, 2), 33: (0, 32, 2)},
    "hrnetv2": {11: (15, 35, 18), 16: (15, 51, 18), 33: (15, 101, 18)},
    "auto_deeplab": {11: (3, 5, 4), 16: (3, 10, 4), 33: (3, 27, 4)},
    "segnet": {11: (2, 8, 2), 16: (2, 13, 2), 33: (2, 30, 2)},
    "fpn": {11: (3, 12, 3), 16: (3, 17, 3), 33: (3, 34, 3)},
    "deeplabv3plus": {11: (2, 9, 2), 16: (2, 14, 2), 33: (2, 31, 2)},
    "bisenet": {11: (2, 10, 4), 16: (2, 15, 4), 33: (2, 32, 4)},
    "icnet": {11: (2, 9, 3), 16: (2, 14, 3), 33: (2, 31, 3)},
    "all_open": {11: (27, 42, 30), 16: (42, 62, 45), 33: (93, 130, 96)},
}

# Where each skip leaves (an open cell) and arrives (an open cell, or the decoder). Closed cells carry it, all of them
# cells to which the image comes; no other cell is closed and fed with the image.
SKIPS = {
    "unet": {
        11: "L1 s0 > L11 s0, L3 s1 > L10 s1, L5 s2 > L8 s2",
        16: "L2 s0 > L15 s0, L5 s1 > L13 s1, L8 s2 > L11 s2",
        33: "L4 s0 > L30 s0, L9 s1 > L25 s1, L14 s2 > L20 s2",
    },
    "fpn": {
        11: "L1 s0 > L11 s0, L3 s1 > L10 s1, L6 s2 > L9 s2, L8 s3 > decoder, L9 s2 > decoder, L10 s1 > decoder",
        16: "L2 s0 > L16 s0, L5 s1 > L15 s1, L10 s2 > L14 s2, L13 s3 > decoder, L14 s2 > decoder, L15 s1 > decoder",
        33: "L4 s0 > L32 s0, L11 s1 > L30 s1, L22 s2 > L28 s2, L27 s3 > decoder, L29 s2 > decoder, L31 s1 > decoder",
    },
    "deeplabv3plus": {11: "L1 s0 > L11 s0", 16: "L2 s0 > L15 s0", 33: "L4 s0 > L30 s0"},
    # The spatial path waits at stride 4, then goes down from an open cell and waits again at stride 8.
    "bisenet": {
        11: "L1 s0 > L3 s0, L3 s0 > L11 s1, L6 s2 > L10 s2",
        16: "L1 s0 > L4 s0, L4 s0 > L15 s1, L8 s2 > L13 s2",
        33: "L1 s0 > L9 s0, L9 s0 > L30 s1, L17 s2 > L26 s2",
    },
    "icnet": {
        11: "L1 s1 > L11 s1, L3 s2 > L10 s2",
        16: "L2 s1 > L16 s1, L5 s2 > L15 s2",
        33: "L5 s1 > L31 s1, L10 s2 > L28 s2",
    },
}
DEPTHS = (11, 16, 33)

# Fewest layers of cells (L + 1): one for each stage; the lattice itself needs four.
FEWEST = {
    "fcn32s": 4, "unet": 7, "deeplabv3": 4, "hrnetv2": 4, "auto_deeplab": 12, "segnet": 5, "fpn": 7,
    "deeplabv3plus": 5, "bisenet": 6, "icnet": 6, "all_open": 4,
}  # fmt: skip


def drawing(route, scale):
    space, states = route.space, route.states
    line = ""
    for layer in range(space.layers + 1):
        if scale <= layer:
            cell = space.cell_index(layer, scale)
            line += "O" if states.state[0, cell] == 2 else "-" if states.input[0, cell] == 3 else "."
    return line


def written(key, layers):
    """Skips of the table as ((layer, scale), (layer, scale)); the decoder is a layer after the last."""
    for line in SKIPS[key][layers].split(", ") if key in SKIPS else ():
        leaves, arrives = ([int(part[1:]) for part in end.split()] for end in line.replace("decoder", "").split(">"))
        yield tuple(leaves), tuple(arrives) or (layers + 1, leaves[1])


@pytest.fixture(scope="module")
def paper():
    return architectures(lattice_space(16, 8))


@pytest.fixture(scope="module")
def by_depth(paper):
    return {16: paper} | {layers: architectures(lattice_space(layers, 8)) for layers in DEPTHS if layers != 16}


@pytest.mark.parametrize("key", DRAWN)
def test_cells_of_each_scale_as_drawn_by_hand(paper, key):
    for scale in range(4):
        expected, found = DRAWN[key][scale], drawing(paper[key], scale)
        # Lines of deeper scales are written from their first interesting layer on: leading dots are left out above.
        assert found == expected.rjust(len(found), ".")


@pytest.mark.parametrize("key", DRAWN)
def test_scales_that_feed_the_decoder_with_the_image(paper, key):
    route = paper[key]
    last = route.cell_states[route.space.cells.layer == 16]
    assert set(last[last.input == "image"].scale) == DRAWN[key][4]


@pytest.mark.parametrize("layers", DEPTHS)
@pytest.mark.parametrize("key", ARCHITECTURES)
def test_open_cells_of_each_scale_by_hand(by_depth, key, layers):
    table = by_depth[layers][key].cell_states
    opened = table[table.state == "open"]
    assert tuple((opened.scale == scale).sum() for scale in range(4)) == OPEN_CELLS[key][layers]
    # A chain spends one operation a layer; so do all but the two with streams side by side and BiSeNet's spatial path.
    if key not in ("hrnetv2", "all_open", "bisenet"):
        assert sum(OPEN_CELLS[key][layers]) == layers + 1


@pytest.mark.parametrize("layers", DEPTHS)
@pytest.mark.parametrize("key", ARCHITECTURES)
def test_open_paths_of_each_move_by_hand(by_depth, key, layers):
    route = by_depth[layers][key]
    moves = np.array(route.space.moves)[route.open]
    assert tuple((moves == move).sum() for move in ("up", "keep", "down")) == OPEN_PATHS[key][layers]


@pytest.mark.parametrize("layers", DEPTHS)
@pytest.mark.parametrize("key", ARCHITECTURES)
def test_skips_leave_and_arrive_where_the_table_says_carried_by_closed_cells_alone(by_depth, key, layers):
    route = by_depth[layers][key]
    space, is_open = route.space, route.cell_states.state == "open"
    carriers = set()
    for (leaves, source), (arrives, scale) in written(key, layers):
        assert is_open[space.cell_index(leaves, source)]
        move = "keep" if scale == source else "down"
        assert route.open[space.path_index(leaves, source, move)]
        if arrives <= layers:
            assert is_open[space.cell_index(arrives, scale)]
        carriers |= {(layer, scale) for layer in range(leaves + 1, arrives)}
    table = route.cell_states
    carrying = table[(table.state == "closed") & (table.input == "image")]
    assert set(zip(carrying.layer, carrying.scale, strict=True)) == carriers


@pytest.mark.parametrize("layers", DEPTHS)
@pytest.mark.parametrize("key", ARCHITECTURES)
def test_skips_are_found(by_depth, key, layers):
    found = skips(by_depth[layers][key])
    ends = found[["from_layer", "from_scale", "to_layer", "to_scale"]].to_numpy().tolist()
    assert sorted(ends) == sorted([*leaves, *arrives] for leaves, arrives in written(key, layers))
    assert (found.carried_by == "closed").all()
    assert (found.cells == found.to_layer - found.from_layer - 1).all()


def test_skips_that_start_alike_or_meet_are_told_apart():
    # L0 s0 feeds two closed rows; L1 s1, open, sends into the upper one while it is carried.
    space = lattice_space(3, 4, scales=2)
    opened = [(0, 0, "keep"), (0, 0, "down"), (1, 1, "up"), (1, 1, "keep")]
    route = Route(space, np.isin(np.arange(space.n_paths), [space.path_index(*path) for path in opened]))
    assert skips(route).to_numpy().tolist() == [
        [0, 0, 4, 0, 3, "closed"],
        [1, 1, 4, 0, 2, "closed"],
        [1, 1, 4, 1, 2, "closed"],
    ]
    assert skips(Route(space, np.ones(space.n_paths))).empty
    # Nothing is carried where the first cell is closed: it is the stem's feature, which no open cell sends.
    assert skips(Route(space, np.zeros(space.n_paths))).empty


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


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_too_shallow_a_space_is_refused(key):
    needs = FEWEST[key]
    if needs > 4:
        with pytest.raises(InputError, match=f"needs {needs} layers of cells; this space has {needs - 1}"):
            architecture(lattice_space(needs - 2, 8), key)
    assert architecture(lattice_space(needs - 1, 8), key).open.any()


def test_layers_that_are_owed_alike_go_to_the_earlier_stage():
    # DeepLabV3+ shares out 12 layers 3:4:9:1:2. Beyond one each: 17/19, 29/19, 89/19, 0, 5/19, times 0.95 to make 7, so
    # .85, 1.45, 4.45, 0, .25; after 0, 1, 4, 0, 0 the first is owed most, and the second and the third are owed alike.
    lines = [drawing(architecture(lattice_space(11, 8), "deeplabv3plus"), scale) for scale in range(3)]
    assert lines == ["OO---------O", ".OOO.....O.", "...OOOOO.."]


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
