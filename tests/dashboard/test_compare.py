import shutil

import numpy as np
import pandas as pd
import pytest

import routeviz as rv
from routeviz.dashboard import sides, state
from routeviz.dashboard.means import mean_of, mean_of_log
from routeviz.dashboard.sides import Side
from routeviz.routelog import RouteLog

CHECKPOINT = "checkpoints/step-000010.safetensors (checkpoint)"


@pytest.fixture(scope="module")
def log(shelf_folder):
    return rv.load_log(shelf_folder / "logs" / "scenes")


@pytest.fixture
def compare(open_app, shelf_folder):
    """Open the view; keywords are parameters of the address."""

    def run(**address):
        app = open_app(shelf_folder, **address)
        app.switch_page("routeviz/dashboard/views/compare.py").run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def metric(app, label):
    return next(item for item in app.metric if item.label == label)


def components_of(app):
    """What the lattices were handed, by title."""
    return [item.proto for item in app.get("bidi_component") if item.proto.component_name == "routeviz_lattice"]


def furthest_in_macs(log):
    macs = log.images["macs_conv"]
    return int((macs - macs[0]).abs().idxmax())


def test_the_first_image_is_compared_at_first_with_the_one_whose_macs_are_furthest(compare, log):
    app, other = compare(), furthest_in_macs(log)
    macs = log.images["macs_conv"]
    assert max(abs(macs[other] - macs[0]), 1) == max(macs.max() - macs[0], macs[0] - macs.min(), 1)
    assert app.selectbox(key="left_image").value == "val-00000"
    assert app.selectbox(key="right_image").value == log.images["id"][other]
    distance = rv.route_distance(log.route(0), log.route(other))
    assert metric(app, "jaccard distance").value == f"{distance:.4f}"
    left, right = log.images["miou"][[0, other]]
    assert metric(app, "mIoU: right").delta == f"{100 * (right - left):+.1f} points"
    assert metric(app, "MACs (conv): right").delta == f"{100 * (macs[other] - macs[0]) / macs[0]:+.2f}%"
    one, two = log.route(0).open, log.route(other).open
    counts = f"{(one & ~two).sum()} · {(two & ~one).sum()} · {(one & two).sum()}"
    assert metric(app, "paths: left only, right only, both").value == counts
    assert len(components_of(app)) == 3


def test_a_link_compares_what_it_names_by_the_metric_it_names(compare, log):
    app = compare(left_image="val-00004", right_what="an architecture", right_architecture="all_open",
                  compared_by="hamming", macs="released")  # fmt: skip
    whole = rv.architecture(log.space, "all_open")
    distance = rv.route_distance(log.route(4), whole, metric="hamming")
    assert metric(app, "hamming distance").value == f"{distance:.4f}"
    net = rv.RoutingNetwork(rv.NetworkConfig.from_dict(log.source["network"]))
    macs = rv.macs(net, whole.activations[None], (64, 96), convention="released", with_gates=False)[0]
    assert metric(app, "MACs (released): right").delta == (
        f"{100 * (macs - log.images['macs_released'][4]) / log.images['macs_released'][4]:+.2f}%"
    )
    assert metric(app, "mIoU: right").value == "—"


def test_an_image_against_the_mean_lists_the_ten_paths_that_differ_most(compare, log):
    app = compare(right_what="all images")
    table = app.dataframe[0].value
    mean = np.nan_to_num(log.gates).mean(axis=0)
    gap = np.abs(mean - np.nan_to_num(log.gates[0]))
    assert len(table) == 10
    assert sorted(table["path"]) == sorted(np.array(log.space.path_names)[np.argsort(-gap, kind="stable")[:10]])
    assert table["difference"].abs().is_monotonic_decreasing
    # Of an image a path is open or shut, of several it is open in a share.
    assert table["open_left"].tolist() == ["open" if value > 1e-4 else "shut" for value in table["left"]]
    assert table["open_right"].max() > 1


def test_groups_are_the_images_that_meet_conditions(compare, shelf_folder, log):
    there = f"{shelf_folder.name}/logs/scenes (log)"
    app = compare(left_what="a group", left_where="id has 00002", right_what="a group", right_from=there)
    assert "**Right: all images, scenes**" in [item.value for item in app.markdown]
    assert metric(app, "mIoU: right").value == f"{100 * log.images['miou'].mean():.1f}%"
    assert any("Mean of 1 image;" in item.value for item in app.caption)
    app.multiselect(key="left_where").set_value(["id has nothing"]).run()
    assert "no image is in the group" in app.error[0].value


def test_a_checkpoint_runs_the_same_images(compare, shelf_folder, log):
    name = f"{shelf_folder.name}/{CHECKPOINT}"
    app = compare(left_image="val-00003", right_from=name)
    assert app.selectbox(key="right_image").value == "val-00003"
    assert "**Right: val-00003, step-000010**" in [item.value.replace("\\", "") for item in app.markdown]
    assert metric(app, "jaccard distance").value == "0.0000"
    assert any("All activations are equal" in item.value for item in app.caption)
    app = compare(left_what="all images", right_what="all images", right_from=name)
    assert metric(app, "jaccard distance").value == "0.0000"
    assert any("mean of 6 of 6 images" in item.value.lower() for item in app.caption)


def test_other_spaces_are_told_apart_in_one_line(open_app, shelf_folder, tmp_path):
    shutil.copytree(shelf_folder, tmp_path / "shelf")
    net = rv.RoutingNetwork(rv.NetworkConfig(layers=5, width=4, stem_width=4, num_classes=7)).eval()
    rv.save_checkpoint(net, tmp_path / "shelf" / "checkpoints" / "deeper.safetensors")
    app = open_app(tmp_path / "shelf", right_from="shelf/checkpoints/deeper.safetensors (checkpoint)")
    app.switch_page("routeviz/dashboard/views/compare.py").run()
    assert not app.exception
    assert len(app.error) == 1
    assert "different routing spaces" in app.error[0].value


def test_a_chosen_path_is_told_for_both_sides(compare, log):
    app = compare(selected="L0 s0 keep")
    other = furthest_in_macs(log)
    activation, id_ = log.route(other).activations[0], log.images["id"][other]
    assert any(f"keep {activation:.4f}" in item.value and id_ in item.value for item in app.caption)


def test_spaces_of_other_widths_can_be_compared(log):
    wider = rv.lattice_space(4, 8)
    assert sides.comparable(log.space, wider)
    assert not sides.comparable(log.space, rv.lattice_space(5, 4))


def two(space, left, right):
    return (Side(name=name, space=space, mean=mean_of(space, np.array(gates, np.float32)))
            for name, gates in (("left", left), ("right", right)))  # fmt: skip


def test_distances_are_those_of_the_activations_and_of_what_half_of_the_images_open():
    space = rv.lattice_space(3, 4)
    gates = np.zeros((2, space.n_paths))
    gates[:, 0], gates[0, 1] = 0.5, 0.4
    left, right = two(space, gates, gates[1:])
    # Mean activations 0.5, 0.2 against 0.5: 1 - 0.5 / 0.7. Path 1 is open in half of the left images.
    assert sides.distance(left, right, "jaccard") == pytest.approx(0.2 / 0.7, abs=1e-6)
    assert sides.distance(left, right, "hamming") == pytest.approx(1 / space.n_paths)
    assert sides.distance(left, left, "jaccard") == 0
    table = sides.differing(left, right)
    assert table["path"].tolist() == [space.path_names[1]]
    assert table["difference"].tolist() == pytest.approx([-0.2])
    assert table["open_left"].tolist() == [0.5]


def test_the_mean_of_a_log_is_that_of_its_rows_whatever_the_blocks(monkeypatch, log):
    monkeypatch.setattr("routeviz.dashboard.means.BLOCK", 4)
    mask = np.array([True, False, True, True, True, True])
    whole = mean_of(log.space, log.gates[mask])
    blocks = mean_of_log(log, mask)
    np.testing.assert_allclose(blocks.activations, whole.activations, atol=1e-7)
    np.testing.assert_allclose(blocks.opens, whole.opens)
    one = RouteLog(log.gates[:1], pd.DataFrame({"id": ["a"]}), log.space)
    np.testing.assert_allclose(mean_of_log(one, np.array([True])).activations, np.nan_to_num(log.gates[0]))


def test_equal_names_are_told_apart():
    assert sides.names_apart(("a", "b")) == ("a", "b")
    assert sides.names_apart(("a", "a")) == ("a (left)", "a (right)")
    assert state.of_side("left", "what") == "left_what"
