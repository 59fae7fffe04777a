"""The routes of one image at several sizes, worked out by hand."""

import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.stats import rescaled_paths, rescaled_routes, rescaled_verdict


@pytest.fixture
def rescaled(make_log):
    """One image at four sizes, out of order: L1 s1 up opens with size, L0 s0 down shuts beyond its own size."""
    gates = np.ones((4, 8))
    gates[:, 4] = [0.0, 0.4, 0.2, 0.3]
    gates[:, 1] = [0.2, 0.1, 0.2, 0.0]
    gates[3, 1] = 0
    size = {"height": [16, 128, 32, 64], "width": [16, 128, 32, 64]}
    return make_log(*gates, factor=[0.5, 4, 1, 2], **size)


def test_routes_at_several_sizes_by_hand(rescaled):
    table = rescaled_routes(rescaled)
    assert table.factor.tolist() == [0.5, 1, 2, 4]
    assert table.height.tolist() == [16, 32, 64, 128]
    # The space's coarsest stride is 8, so 16 needs no padding.
    assert (table.padding == 0).all()
    assert table.opened.tolist() == [0, 1, 0, 1]
    assert table.shut.tolist() == [0, 0, 1, 0]
    # Against 6.4 of the route at factor 1: 0.2 away; 0.1 and 0.2; 0.2 and 0.1 more.
    np.testing.assert_allclose(table.distance, [0.2 / 6.4, 0, 0.3 / 6.5, 0.3 / 6.6], rtol=1e-5)
    assert table["open paths"].tolist() == [7, 8, 7, 8]


def test_paths_at_several_sizes_by_hand(rescaled):
    table = rescaled_paths(rescaled).set_index("path")
    up, down = table.loc["L1 s1 up"], table.loc["L0 s0 down"]
    assert [up.smallest, up.largest, up.range, up.r, up.switches] == pytest.approx([0, 0.4, 0.4, 1, 1])
    assert [down.smallest, down.largest, down.range, down.switches] == pytest.approx([0.2, 0.1, 0.2, 2])
    others = table.drop(["L1 s1 up", "L0 s0 down"])
    assert (others[["range", "r", "switches"]] == 0).all(axis=None)


def test_the_verdict_names_the_direction(rescaled, make_log):
    say = lambda log: rescaled_verdict(rescaled_routes(log), rescaled_paths(log))  # noqa: E731
    assert say(rescaled) == (
        "From 0.5 to 4 times the image's size 2 paths open or shut, and activations move by up to 0.400. The route "
        "goes finer with size (mean scale against size: rank correlation -0.80): finest at 2 times, coarsest at "
        "0.5 times."
    )
    same = make_log(*np.ones((3, 8)), factor=[1, 2, 3], height=[9, 9, 9], width=[9, 9, 9])
    assert say(same).startswith("No effect: from 1 to 3 times its size the image keeps its route")


def test_a_size_at_which_nothing_is_open_has_no_say(make_log):
    gates = np.ones((4, 8))
    gates[0], gates[2:, 1] = 0, [0.5, 0.2]
    log = make_log(*gates, factor=[1, 2, 3, 4], height=[9] * 4, width=[9] * 4)
    assert "goes finer with size (mean scale against size: rank correlation -1.00)" in rescaled_verdict(
        rescaled_routes(log), rescaled_paths(log)
    )


def test_padding_is_what_is_added(make_log):
    log = make_log(*np.ones((2, 8)), factor=[1, 2], height=[12, 24], width=[16, 32])
    assert rescaled_routes(log).padding.tolist() == pytest.approx([1 - 12 / 16, 0])


def test_a_log_of_something_else_is_refused(log):
    for describe in (rescaled_routes, rescaled_paths):
        with pytest.raises(InputError, match="no column 'factor'"):
            describe(log)
