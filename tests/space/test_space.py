import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.space import RoutingSpace, lattice_space


@pytest.fixture
def small():
    return lattice_space(4, 8)


def test_published_depth_has_62_cells_and_149_paths():
    space = lattice_space(16, 64)
    assert (space.n_cells, space.n_paths) == (62, 149)
    assert space.exits.sum() == 4


def test_every_path_of_a_three_layer_lattice():
    # Counted by hand: layer 0 offers keep and down; layer 3 is the last and offers keep alone, into the decoder.
    space = lattice_space(3, 8)
    expected = [
        (0, 0, "keep", 1, 0), (0, 0, "down", 1, 1),
        (1, 0, "keep", 2, 0), (1, 0, "down", 2, 1),
        (1, 1, "up", 2, 0), (1, 1, "keep", 2, 1), (1, 1, "down", 2, 2),
        (2, 0, "keep", 3, 0), (2, 0, "down", 3, 1),
        (2, 1, "up", 3, 0), (2, 1, "keep", 3, 1), (2, 1, "down", 3, 2),
        (2, 2, "up", 3, 1), (2, 2, "keep", 3, 2), (2, 2, "down", 3, 3),
        (3, 0, "keep", 4, 0), (3, 1, "keep", 4, 1), (3, 2, "keep", 4, 2), (3, 3, "keep", 4, 3),
    ]  # fmt: skip
    assert list(space.paths.itertuples(index=False, name=None)) == expected
    assert list(space.cells.columns) == ["layer", "scale", "stride", "channels"]
    assert space.cells.iloc[-1].tolist() == [3, 3, 32, 64]


def test_targets_are_where_the_moves_lead(small):
    for path in range(small.n_paths):
        layer, scale, move, target_layer, target_scale = small.paths.iloc[path]
        assert target_layer == layer + 1
        assert target_scale - scale == {"up": -1, "keep": 0, "down": 1}[move]
        if layer < small.layers:
            assert small.target[path] == small.cell_index(target_layer, target_scale)
        else:
            assert small.target[path] == -1


def test_paths_of_a_cell_are_a_slice(small):
    for cell in range(small.n_cells):
        paths = small.paths_from(cell)
        assert (small.source[paths] == cell).all()
        assert (np.delete(small.source, np.arange(paths.start, paths.stop)) != cell).all()


def test_names_and_positions_agree(small):
    path = small.path_index(2, 1, "up")
    assert small.path_names[path] == "L2 s1 up"
    assert small.cell_names[small.source[path]] == "L2 s1"


def test_round_trip_keeps_equality_and_a_change_breaks_it(small):
    again = RoutingSpace.from_dict(small.to_dict())
    assert again == small
    assert hash(again) == hash(small)
    assert lattice_space(5, 8) != small
    assert lattice_space(4, 16) != small


def test_arrays_cannot_be_written(small):
    with pytest.raises(ValueError, match="read-only"):
        small.source[0] = 3


@pytest.mark.parametrize(("layers", "width"), [(2, 8), (0, 8), (4, 7), (4, 0)])
def test_impossible_lattices_are_refused(layers, width):
    with pytest.raises(InputError):
        lattice_space(layers, width)


def test_a_name_stands_for_a_path_or_for_all_of_a_cell(small):
    for cell, name in enumerate(small.cell_names):
        np.testing.assert_array_equal(small.paths_named(name), np.flatnonzero(small.source == cell))
    assert [small.paths_named(name).tolist() for name in small.path_names] == [[path] for path in range(small.n_paths)]
    for wrong in ("L1 s", "L1 s0 keep ", "", 3, None, ["L1 s0"]):
        with pytest.raises(InputError, match=r"no cell or path .*; it has L0 s0, L1 s0, L0 s0 keep, L0 s0 down and"):
            small.paths_named(wrong)


def test_unknown_places_are_refused_by_name(small):
    with pytest.raises(InputError, match="no cell at layer 9"):
        small.cell_index(9, 0)
    with pytest.raises(InputError, match="offers keep, down"):
        small.path_index(1, 0, "up")


def test_tables_that_do_not_fit_are_refused(small):
    with pytest.raises(InputError, match="lacks stride"):
        RoutingSpace("lattice", small.cells.drop(columns="stride"), small.paths)
    with pytest.raises(InputError, match="out of order"):
        RoutingSpace("lattice", small.cells, small.paths.iloc[::-1].reset_index(drop=True))
    stray = pd.concat([small.paths, small.paths.tail(1).assign(layer=99)], ignore_index=True)
    with pytest.raises(InputError, match="starts at no cell"):
        RoutingSpace("lattice", small.cells, stray)
    with pytest.raises(InputError, match="not a routing space"):
        RoutingSpace.from_dict({"kind": "lattice"})


def test_a_space_need_not_be_the_lattice():
    # Two skippable blocks in a row: nothing here assumes four scales or three moves.
    cells = pd.DataFrame({"layer": [0, 1], "scale": [0, 0], "stride": [1, 1], "channels": [4, 4]})
    paths = pd.DataFrame({
        "layer": [0, 1], "scale": [0, 0], "move": ["keep", "keep"], "target_layer": [1, 2], "target_scale": [0, 0],
    })  # fmt: skip
    space = RoutingSpace("chain", cells, paths)
    assert space.target.tolist() == [1, -1]


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("cells", "layer", 1.5, "no whole number"),
        ("cells", "layer", 10**9, "number layers and scales from 0"),
        ("cells", "scale", -1, "number layers and scales from 0"),
        ("cells", "stride", 0, "of at least 1"),
        ("cells", "channels", "many", "no whole number"),
        ("paths", "target_scale", None, "no whole number"),
        ("paths", "target_layer", 2**70, "no whole number"),
        ("paths", "move", 3, "must be text"),
    ],
)
def test_tables_of_a_file_that_are_none_are_refused(small, table, column, value, said):
    data = small.to_dict()
    data[table][column][-1] = value
    with pytest.raises(InputError, match=said):
        RoutingSpace.from_dict(data)
    with pytest.raises(InputError, match="not a routing space"):
        RoutingSpace.from_dict(small.to_dict() | {"pass_move": 3, "cells": 5})


@pytest.mark.parametrize("layer", [0, 2])
def test_a_path_that_leads_back_or_to_its_own_cell_is_refused(small, layer):
    data = small.to_dict()
    path = small.path_index(2, 0, "keep")
    data["paths"]["target_layer"][path] = layer
    with pytest.raises(InputError, match=rf"path {path} leads back, from cell L2 s0 to L{layer} s0"):
        RoutingSpace.from_dict(data)


def test_two_cells_at_one_place_and_no_cell_are_refused(small):
    data = small.to_dict()
    data["cells"]["scale"][2] = data["cells"]["scale"][1]
    with pytest.raises(InputError, match="some at one place"):
        RoutingSpace.from_dict(data)
    with pytest.raises(InputError, match="0 cells"):
        RoutingSpace("lattice", small.cells[:0], small.paths[:0])


@pytest.mark.parametrize(
    ("table", "column", "values", "said"),
    [
        ("cells", "name", ["stem", "stem", "last"], "called 'stem'"),
        ("cells", "name", ["stem", None, "last"], "must be text"),
        ("cells", "name", [1, 2, 3], "must be text"),
        ("cells", "name", [["stem"], "middle", "last"], "must be text"),
        ("paths", "name", ["on", "on", "out"], "called 'on'"),
        ("paths", "name", ["on", "L1 s0", "out"], "called 'L1 s0'"),
        ("paths", "name", ["on", None, "out"], "must be text"),
        ("cells", "fed", [None, "no", True], "fed says"),
        ("cells", "fed", [1, 0, 0], "fed says"),
        ("cells", "fed", [False, False, False], "true of at least one"),
    ],
)
def test_names_that_do_not_tell_apart_and_cells_that_nothing_feeds_are_refused(table, column, values, said):
    data = lattice_space(2, 8, scales=1).to_dict()
    data[table][column] = values
    with pytest.raises(InputError, match=said):
        RoutingSpace.from_dict(data)


def test_names_and_fed_cells_are_read_from_the_tables():
    data = lattice_space(2, 8, scales=1).to_dict()
    data["cells"] |= {"name": ["stem", "middle", "last"], "fed": [True, False, True]}
    data["paths"]["name"] = ["on", "on again", "out"]
    space = RoutingSpace.from_dict(data)
    assert (space.cell_names, space.path_names) == (("stem", "middle", "last"), ("on", "on again", "out"))
    assert space.fed.tolist() == [True, False, True]
