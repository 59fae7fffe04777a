"""Distances and nearest architectures of routes whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.routelog import RouteLog
from routeviz.space import Route, architectures, lattice_space, route_distance
from routeviz.stats import architecture_counts, nearest_architecture, overlap, route_distances, usage


@pytest.fixture(scope="module")
def paper():
    return lattice_space(16, 4)


def log_of(space, gates):
    return RouteLog(gates, pd.DataFrame({"id": [f"{i}" for i in range(len(gates))]}), space)


def test_distances_by_hand(log, space):
    # Open paths of the four images, as in conftest: 11101011 twice, 00100011 (its L1 s1 is unreached), 10001110.
    chain = Route(space, [1, 0, 1, 0, 0, 0, 1, 0])
    hamming = route_distances(log, {"chain": chain, "all": Route(space, np.ones(8))}, metric="hamming")
    assert hamming.index.tolist() == ["image 0", "image 1", "image 2", "image 3"]
    np.testing.assert_allclose(hamming.chain, [3 / 8, 3 / 8, 2 / 8, 3 / 8])
    np.testing.assert_allclose(hamming["all"], [2 / 8, 2 / 8, 5 / 8, 4 / 8])
    jaccard = route_distances(log, {"chain": chain}).chain
    # Minima over maxima: 2.5 / (3 + 0.5 + 1 + 1), 2.7 / (3 + 0.1 + 0.4 + 1), 2 / (3 + 1), 2 / (3 + 1 + 1).
    np.testing.assert_allclose(jaccard, [1 - 2.5 / 5.5, 1 - 2.7 / 4.5, 1 - 2 / 4, 1 - 2 / 5], rtol=1e-6)


@pytest.mark.parametrize("metric", ["jaccard", "hamming"])
def test_they_are_those_of_two_routes(paper, metric):
    rng = np.random.default_rng(0)
    gates = rng.random((30, paper.n_paths)) * (rng.random((30, paper.n_paths)) < 0.4)
    gates[0] = 0
    log, others = log_of(paper, gates), architectures(paper) | {"shut": Route(paper, np.zeros(paper.n_paths))}
    table = route_distances(log, others, metric=metric)
    expected = [[route_distance(log.route(i), one, metric=metric) for one in others.values()] for i in range(30)]
    np.testing.assert_allclose(table, expected, rtol=1e-6, atol=1e-12)
    assert table.loc["0", "shut"] == 0


@pytest.mark.parametrize("metric", ["jaccard", "hamming"])
@pytest.mark.parametrize("layers", [16, 33])
def test_an_architecture_with_a_little_noise_is_nearest_to_itself(metric, layers):
    space, rng = lattice_space(layers, 4), np.random.default_rng(1)
    known = architectures(space)
    routes, truth = [], []
    for key, route in known.items():
        for _ in range(8):
            gates = route.activations * rng.uniform(0.8, 1, space.n_paths)
            flipped = rng.choice(space.n_paths, 3, replace=False)
            gates[flipped] = np.where(gates[flipped] > 0, 0, 0.9)
            routes.append(gates)
            truth.append(key)
    found = nearest_architecture(log_of(space, np.array(routes)), metric=metric)
    assert found.architecture.tolist() == truth
    assert found.columns.tolist() == ["id", "architecture", "distance"]


def test_exact_architectures_are_at_distance_0(paper):
    known = architectures(paper)
    found = nearest_architecture(log_of(paper, [route.activations for route in known.values()]))
    assert found.architecture.tolist() == list(known)
    assert (found.distance == 0).all()


def test_of_equals_the_first_is_taken(log, space):
    twin = Route(space, np.ones(8))
    assert set(nearest_architecture(log, routes={"b": twin, "a": twin}).architecture) == {"b"}


def test_counts(paper):
    known = architectures(paper)
    gates = [known[key].activations for key in ("unet", "fcn32s", "unet", "unet")]
    counts = architecture_counts(nearest_architecture(log_of(paper, gates)))
    assert counts.to_dict("list") == {
        "architecture": ["unet", "fcn32s"],
        "images": [3, 1],
        "share": [0.75, 0.25],
        "distance": [0, 0],
    }


def test_blocks_do_not_show(paper, monkeypatch):
    rng = np.random.default_rng(2)
    log = log_of(paper, rng.random((40, paper.n_paths)) * (rng.random((40, paper.n_paths)) < 0.5))
    whole = nearest_architecture(log)
    monkeypatch.setattr(usage, "BLOCK", 7)
    pd.testing.assert_frame_equal(nearest_architecture(log), whole)


def test_overlap_by_hand(space):
    a = Route(space, [0.5, 0.5, 1, 0, 1, 0, 1, 1])
    b = Route(space, [1, 0, 0.25, 0, 1, 0, 1, 0])
    both = overlap({"a": a, "b": b})
    assert both.classes.tolist() == ["all", "some", "all", "none", "all", "none", "all", "some"]
    assert both.difference.nonzero()[0].tolist() == [1, 7]
    assert both.union.activations.tolist() == [1, 0.5, 1, 0, 1, 0, 1, 1]
    assert both.intersection.activations.tolist() == [0.5, 0, 0.25, 0, 1, 0, 1, 0]
    assert both.opened.loc["L0 s0 down"].to_dict() == {"a": True, "b": False}


def test_what_is_shared_but_not_led_to_is_known_to_the_classes_alone(space):
    # Both open L1 s1 keep; a is closed in layer 0, so its L1 s1 is unreached and the path does not count as open.
    a, b = Route(space, [0, 0, 1, 0, 0, 1, 1, 1]), Route(space, [0, 1, 1, 0, 0, 1, 1, 1])
    assert overlap({"a": a, "b": b}).opened.loc["L1 s1 keep"].tolist() == [False, True]
    deep = lattice_space(3, 4, scales=2)
    end = "L2 s1 keep"
    ways = {"a": ("L0 s0 down", "L1 s1 keep", end), "b": ("L0 s0 keep", "L1 s0 down", end)}
    both = overlap({name: Route(deep, np.isin(deep.path_names, opened)) for name, opened in ways.items()})
    assert both.classes[deep.path_names.index(end)] == "all"
    assert not both.intersection.open.any()
    assert both.union.open.sum() == 5


def test_a_route_differs_from_itself_nowhere(paper):
    same = architectures(paper)["unet"]
    alone = overlap({"unet": same})
    assert not alone.difference.any()
    assert alone.union == alone.intersection == same


def test_bad_input_is_refused(log, space, paper):
    with pytest.raises(InputError, match="unknown metric 'euclid'; valid: jaccard, hamming"):
        nearest_architecture(log, metric="euclid", routes={"a": Route(space, np.ones(8))})
    with pytest.raises(InputError, match="lattice of 4 scales"):
        nearest_architecture(log)
    with pytest.raises(InputError, match="those of this log are of"):
        route_distances(log, architectures(paper))
    with pytest.raises(InputError, match="different spaces"):
        overlap({"a": Route(space, np.ones(8)), "b": architectures(paper)["unet"]})
    with pytest.raises(InputError, match="no routes"):
        overlap({})
    with pytest.raises(InputError, match="no images"):
        route_distances(log.select([]), {"a": Route(space, np.ones(8))})
