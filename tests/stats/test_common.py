"""Common networks of logs whose answer is known; the log of four images is in conftest."""

import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.routelog import RouteLog
from routeviz.space import Route, architectures, lattice_space
from routeviz.stats import common_network, common_sweep, usage

# Open paths of the four images: 11101011, 11101011, 00100011 (its L1 s1 is unreached), 10001110.
# Shares: 3/4 2/4 3/4 0 3/4 1/4 4/4 3/4.


def test_kept_and_cut_by_hand(log):
    common = common_network(log, keep=0.75)
    assert common.paths.kept.tolist() == [True, False, True, False, True, False, True, True]
    assert common.route.activations.tolist() == [1, 0, 1, 0, 1, 0, 1, 1]
    assert common.cut.index.tolist() == [1, 5]  # the path that none opens is not cut
    assert common.cut.open.tolist() == [0.5, 0.25]
    # The first two images open a path of share 2/4, the last one of 1/4; the third opens 3 of the 5 that are kept.
    assert common.covered.tolist() == [False, False, True, False]
    assert common.complete.tolist() == [True, True, False, False]


def test_means_as_factors(log):
    route = common_network(log, keep=0.75, factors="mean").route
    np.testing.assert_allclose(route.activations, [2.2 / 3, 0, 1, 0, 2.4 / 3, 0, 1, 1], rtol=1e-6)
    whole = common_network(log, keep=0.2, factors="mean").route
    np.testing.assert_allclose(whole.activations, [2.2 / 3, 0.3, 1, 0, 0.8, 1, 1, 1], rtol=1e-6)


def test_extremes_are_union_and_intersection(log):
    union, intersection = common_network(log, keep=0.01), common_network(log, keep=1)
    assert union.route.activations.tolist() == [1, 1, 1, 0, 1, 1, 1, 1]
    assert union.covered.all()
    assert union.cut.empty
    assert not union.complete.any()
    assert intersection.paths.kept.tolist() == [False] * 6 + [True, False]
    assert intersection.complete.all()
    assert not intersection.covered.any()


def test_a_share_of_exactly_the_threshold_is_kept(make_log):
    rows = np.ones((20, 8))
    rows[0, 6] = 0
    common = common_network(make_log(*rows), keep=0.95)
    assert common.paths.kept.all()
    assert common_network(make_log(*rows), keep=0.951).paths.kept.tolist() == [True] * 6 + [False, True]


def test_what_the_kept_paths_do_not_lead_to_is_told(make_log):
    # L1 s1 is always open towards scale 0, but only some images send down into it.
    common = common_network(make_log([1, 1, 1, 0, 1, 0, 1, 0], [1, 0, 1, 0, 1, 0, 1, 0]), keep=0.9)
    assert common.paths.kept[4]
    assert common.route.cell_states.loc[2, ["state", "input"]].tolist() == ["open", "zeros"]
    assert common.blind.nonzero()[0].tolist() == [4]


def test_images_of_one_architecture_with_noise_give_it_back():
    space, rng = lattice_space(16, 4), np.random.default_rng(0)
    unet = architectures(space)["unet"]
    noise = rng.random((200, space.n_paths)) < 0.02
    gates = np.where(noise, 1 - unet.activations, unet.activations)
    log = RouteLog(gates, pd.DataFrame({"id": [str(i) for i in range(200)]}), space)
    common = common_network(log, keep=0.5)
    assert common.route == Route(space, unet.activations)
    # Where no path is shut by chance and none opened that the image reaches, a route is the architecture.
    same = np.array([np.array_equal(log.route(i).open, unet.open) for i in range(200)])
    np.testing.assert_array_equal(common.covered & common.complete, same)
    assert 0 < same.sum() < 200


def test_equal_images_have_one_common_network_whatever_the_threshold(make_log, log):
    same = make_log(*[log.gates[0]] * 3)
    for keep in (0.01, 0.5, 1):
        common = common_network(same, keep=keep)
        assert common.covered.all()
        assert common.complete.all()
        assert common.route.activations.tolist() == [1, 1, 1, 0, 1, 0, 1, 1]


def test_a_sweep_is_its_networks(log):
    table = common_sweep(log, keeps=[0.2, 0.75, 1])
    assert table.keep.tolist() == [0.2, 0.75, 1]
    assert table.paths.tolist() == [7, 5, 1]
    assert table.covered.tolist() == [1, 1 / 4, 0]
    assert table.complete.tolist() == [0, 2 / 4, 1]
    for row in table.itertuples():
        common = common_network(log, keep=row.keep)
        assert row.route == common.route
        assert (row.covered, row.complete) == (common.covered.mean(), common.complete.mean())
    tall = common_sweep(log)
    assert (tall.paths.diff().dropna() <= 0).all()
    assert (tall.covered.diff().dropna() <= 0).all()
    assert (tall.complete.diff().dropna() >= 0).all()


def test_blocks_do_not_show(make_log, monkeypatch):
    space, rng = lattice_space(6, 4), np.random.default_rng(1)
    log = make_log(*(rng.random((50, space.n_paths)) * (rng.random(space.n_paths) < 0.6)), space=space)
    before = common_sweep(log)
    monkeypatch.setattr(usage, "BLOCK", 7)
    pd.testing.assert_frame_equal(before, common_sweep(log))


def test_bad_settings_are_refused(log, make_log):
    for keep in (0, -0.1, 1.01, float("nan")):
        with pytest.raises(InputError, match="above 0 and up to 1"):
            common_network(log, keep=keep)
    with pytest.raises(InputError, match="unknown factors 'median'; valid: ones, mean"):
        common_network(log, factors="median")
    with pytest.raises(InputError, match="no images"):
        common_sweep(make_log())
