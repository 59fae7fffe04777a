import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.routelog import RouteLog, Skipped
from routeviz.space import STATES, cell_states


def test_parts_that_do_not_fit_are_named(space, make_gates, make_images):
    gates, images = make_gates(3), make_images(3)
    for wrong_gates, wrong_images, words in (
        (gates[:2], images, r"\(2, 29\).*3 images"),
        (gates[:, :9], images, "this space needs"),
        (gates + 1.5, images, r"activations lie in \[0, 1\]"),
        (gates - 0.5, images, r"activations lie in \[0, 1\]"),
        (gates, images.drop(columns="id"), "column 'id'"),
        (gates, images.assign(id="same"), "2 ids occur more than once, first 'same'"),
        (gates, images.assign(id=[1, 2, 3]), "must hold text"),
        (gates, images.assign(gates=1), "'gates'"),
        (gates, images.rename(columns={"miou": 7}), "named by text"),
    ):
        with pytest.raises(InputError, match=words):
            RouteLog(wrong_gates, wrong_images, space)
    for skipped in ([Skipped(4, "", "")], [Skipped(0, "", ""), Skipped(0, "", "")]):
        with pytest.raises(InputError, match="each has its own index"):
            RouteLog(gates, images, space, skipped=skipped)
    with pytest.raises(InputError, match="must fit JSON"):
        RouteLog(gates, images, space, {"weights": gates})
    with pytest.raises(InputError, match=r"the source of a log is \[1\]; give a mapping"):
        RouteLog(gates, images, space, [1])


def test_infinite_gates_are_refused(space, make_gates, make_images):
    gates = make_gates(2)
    gates[1, 0] = np.inf
    with pytest.raises(InputError, match="gates from 0 to inf"):
        RouteLog(gates, make_images(2), space)


def test_what_a_log_gives_cannot_change_it(log):
    with pytest.raises(ValueError, match="read-only"):
        log.gates[0, 0] = 1
    images = log.images
    images["miou"] = 0.0
    images.loc[0, "id"] = "other"
    assert log.images["id"][0] == "image 0"
    assert log.images["miou"].isna().sum() == 34


def test_gates_given_are_not_frozen_for_their_owner(space, make_gates, make_images):
    gates = make_gates(2)
    RouteLog(gates, make_images(2), space)
    gates[0, 0] = 0.25


def test_selection_by_mask_positions_and_slice_agree(log):
    mask = log.images["miou"] > 0.05
    by_mask, by_position = log.select(mask), log.select(np.flatnonzero(mask))
    assert len(by_mask) == mask.sum()
    assert by_mask.digest == by_position.digest
    assert by_mask.images["id"].tolist() == log.images["id"][mask].tolist()
    np.testing.assert_array_equal(by_mask.gates, log.gates[mask])
    assert log.select(slice(None, None, -1)).images["id"].tolist() == log.images["id"].tolist()[::-1]
    assert log.select([-1]).images["id"].tolist() == ["image 99"]
    assert len(log.select([])) == 0
    for wrong, words in (
        ([0, 0], "twice"),
        ([99, -1], "twice"),
        ([100], "images 0 to 99"),
        ([-101], "images 0 to 99"),
        ([0.5], "mask, a slice or a list"),
        ([True], r"mask of shape \(1,\)"),
    ):
        with pytest.raises(InputError, match=words):
            log.select(wrong)


def test_states_and_routes_are_those_of_the_gates(log, space):
    state, kind = cell_states(space, log.gates)
    np.testing.assert_array_equal(log.states.state, state)
    np.testing.assert_array_equal(log.states.input, kind)
    route = log.route(7)
    assert route.name == "image 7"
    assert route.cell_states["state"].tolist() == [STATES[code] for code in state[7]]
    np.testing.assert_array_equal(route.activations, np.nan_to_num(log.gates[7]))


def test_states_of_many_images_are_put_together_in_order(log, space, monkeypatch):
    monkeypatch.setattr("routeviz.space.states.BLOCK", 7)
    np.testing.assert_array_equal(log.states.state, cell_states(space, log.gates).state)


def test_digest_tells_every_part_apart(log, space):
    gates = log.gates.copy()
    gates[5, 0] = 0.123
    facts = log.images.assign(miou=log.images["miou"].fillna(0.5))
    others = [
        RouteLog(gates, log.images, space, log.source),
        RouteLog(log.gates, facts, space, log.source),
        RouteLog(log.gates, log.images.rename(columns={"miou": "iou"}), space, log.source),
        RouteLog(log.gates, log.images, space, {"settings": {"resize": [1, 2]}}),
        log.select(slice(99)),
    ]
    assert len({log.digest, *(other.digest for other in others)}) == 6
    assert log.digest == RouteLog(log.gates.copy(), log.images, space, log.source).digest


def test_facts_of_an_unknown_column_names_one_like_it_or_the_first_ones(log):
    pd.testing.assert_frame_equal(log.facts("miou", "id"), log.images[["miou", "id"]])
    with pytest.raises(InputError, match=r"no column 'mioU'; did you mean 'miou'\?$"):
        log.facts("mioU")
    with pytest.raises(InputError, match=r"no column 'xyz'; it has id, file, height, macs_conv, miou$"):
        log.facts("xyz")
    wide = RouteLog(log.gates, log.images.assign(a1=0, a2=0, a3=0, a4=0), log.space)
    with pytest.raises(InputError, match=r"it has id, file, height, macs_conv, miou, a1, a2, a3 and others$"):
        wide.facts("xyz")


def test_a_notebook_shows_what_the_log_holds_with_names_escaped(log):
    source = {"checkpoint": {"file": "<i>step", "step": 5}, "dataset": {"name": "scenes", "split": "val"}}
    shown = RouteLog(log.gates, log.images, log.space, source)._repr_html_()
    assert f'<td style="text-align:left">{len(log)}</td>' in shown
    assert "scenes val" in shown
    assert "&lt;i&gt;step 5" in shown
    assert "<i>" not in shown
    assert "images" in log.select([])._repr_html_()
