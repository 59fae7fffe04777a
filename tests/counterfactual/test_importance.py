import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from routeviz.costs import CONVENTIONS, macs
from routeviz.counterfactual import (
    ForcedRoute,
    Limits,
    close_each,
    flag_paths,
    image_importance,
    importance,
    load_importance,
    ranked,
)
from routeviz.datasets import Sample
from routeviz.errors import InputError, LogError
from routeviz.metrics import confusion, mean_iou
from routeviz.routelog import label_columns, load_log
from routeviz.tracing import trace

N = 5


class Pictures:
    """Random pictures; the third has no label, and the fifth cannot be read."""

    name = "pictures"
    class_names = ("road", "sky", "car")
    ignore_index = 255
    ids = tuple(f"picture {index}" for index in range(N))

    def __init__(self, stop=None):
        self.stop = stop

    def __len__(self):
        return N

    def __getitem__(self, index):
        if index == self.stop:
            raise KeyboardInterrupt
        if index == 4:
            raise OSError("cut short")
        rng = np.random.default_rng(index)
        image = (rng.integers(0, 200, 3) + rng.integers(0, 56, (32, 64, 3))).astype(np.uint8)
        label = np.kron(rng.choice([0, 1, 2, 255], (4, 8)), np.ones((8, 8), int))
        return Sample(image=image, label=None if index == 2 else label, id=self.ids[index], file=f"{index}.png")


@pytest.fixture(scope="module")
def net(make_net):
    return make_net(0.2, 0.5, seed=1, layers=3, num_classes=3)


@pytest.fixture(scope="module")
def kept(net, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "importance"
    return importance(net, Pictures(), out=folder, resize=(16, 32), workers=0), folder


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@torch.inference_mode()
def one_each(net, image, label):
    """Confusion of each segmentation and activations, the original first; from one forward pass a path."""
    x = net.preprocess(image)[None]
    tables, gates = [], []
    for path in (None, *range(net.space.n_paths)):
        output = net(x, route=None if path is None else {path: 0.0})
        logits = torch.nn.functional.interpolate(output.logits, size=label.shape, mode="bilinear", align_corners=False)
        tables.append(confusion(label, logits[0].argmax(dim=0).numpy(), 3, 255))
        gates.append(output.gates[0].numpy())
    return np.array(tables), np.array(gates)


def test_over_a_dataset_it_is_one_forward_pass_a_path_on_each_image(net, kept):
    found, _ = kept
    assert found.images["id"].tolist() == [f"picture {index}" for index in range(4)]
    tables = []
    for row in (0, 1, 3):
        sample = Pictures()[row]
        # The network sees it at half the label's size.
        small = importance(net, Pictures(), images=[sample.id], resize=(16, 32), workers=0)
        image = np.asarray(Image.fromarray(sample.image).resize((32, 16), Image.Resampling.BILINEAR))
        own, gates = one_each(net, image, sample.label)
        tables.append(own)
        np.testing.assert_allclose(small.gates[0], found.gates[row], atol=1e-6)
        change = np.array([mean_iou(table) for table in own])
        np.testing.assert_allclose(found.miou_changes()[row], change[1:] - change[0], atol=1e-9)
        for name in CONVENTIONS:
            np.testing.assert_array_equal(found.macs[name][row], macs(net, gates, (16, 32), convention=name))
    summed = np.array([mean_iou(table) for table in np.sum(tables, axis=0)])
    np.testing.assert_allclose(found.miou_change(), summed[1:] - summed[0], atol=1e-9)
    assert found.miou() == pytest.approx(summed[0], abs=1e-9)
    assert np.isnan(found.miou_changes()[2]).all()


def test_means_are_over_all_images_or_over_those_that_open_a_path(net, kept):
    found, _ = kept
    table, opens = found.table(), found.opens
    some = opens.any(axis=0) & ~opens.all(axis=0)
    assert some.any()
    assert (~opens.any(axis=0)).any()
    for path in range(net.space.n_paths):
        row, here = table.loc[path], opens[:, path]
        saved = found.macs["conv"][:, 0] - found.macs["conv"][:, 1 + path]
        assert row.open == here.mean()
        assert row.changed == pytest.approx(found.changed[:, path].mean())
        assert row.macs_conv == pytest.approx(-saved.mean())
        if here.any():
            assert row.kl_open == pytest.approx(found.kl[here, path].mean())
            assert row.saved_conv == pytest.approx(saved[here].sum() / found.macs["conv"][here, 0].sum())
        else:
            assert np.isnan([row.kl_open, row.changed_open, row.saved_conv]).all()
            assert row[["kl", "changed", "macs_conv", "miou"]].tolist() == [0, 0, 0, 0]


def test_it_is_kept_as_a_route_log_with_all_that_a_trace_records(net, kept):
    found, folder = kept
    again = load_importance(folder)
    for name in ("gates", "kl", "changed", "hits", "labelled", "predicted"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    pd.testing.assert_frame_equal(again.table(), found.table())
    log, wanted = load_log(folder, verify=True), trace(net, Pictures(), resize=(16, 32), batch_size=1, workers=0)
    np.testing.assert_array_equal(log.gates, wanted.gates)
    pd.testing.assert_frame_equal(log.images[list(wanted.columns)], wanted.images)
    pd.testing.assert_frame_equal(found.images[list(wanted.columns)], wanted.images)
    assert label_columns(log) == label_columns(wanted)
    assert [image.reason for image in log.skipped] == ["OSError: cut short"]


@pytest.mark.parametrize("stop", [0, 3])
def test_stopped_and_called_again_it_goes_on_to_the_same_bytes(net, kept, tmp_path, stop):
    settings = {"out": tmp_path / "importance", "resize": (16, 32), "workers": 0}
    with pytest.raises(KeyboardInterrupt):
        importance(net, Pictures(stop), **settings)
    there = contents(tmp_path / "importance")
    assert len([path for path in there if path.suffix == ".parquet"]) == stop
    importance(net, Pictures(), **settings)
    assert contents(tmp_path / "importance") == contents(kept[1])


def test_one_image_is_what_it_is_in_the_dataset(net, kept):
    found, _ = kept
    one = found.image("picture 1")
    sample = Pictures()[1]
    closings = close_each(net, net.preprocess(sample.image), label=sample.label, ignore_index=255)
    alone = image_importance(net.space, closings, {"id": "picture 1"})
    other = importance(net, Pictures(), images=["picture 1"], workers=0)
    pd.testing.assert_frame_equal(alone.table(), other.table())
    np.testing.assert_array_equal(one.kl[0], found.kl[1])
    assert one.table()["open"].isin([0, 1]).all()
    np.testing.assert_allclose(one.miou_change(), found.miou_changes()[1])
    with pytest.raises(InputError, match=r"no image 'picture 9'; there are 4, such as picture"):
        found.image("picture 9")
    with pytest.raises(InputError, match="no image 'picture 9'"):
        importance(net, Pictures(), images=["picture 9"])


def test_images_are_selected_as_those_of_a_log(kept):
    found, _ = kept
    masked, sliced = found.select(np.array([True, False, True, False])), found.select(slice(0, 4, 2))
    assert masked.images["id"].tolist() == sliced.images["id"].tolist() == ["picture 0", "picture 2"]
    np.testing.assert_array_equal(masked.kl, found.kl[[0, 2]])
    for wrong, message in (([True, False], "a mask of shape"), ([0, 4], "positions 0 to 4"), ([1, 1], "occurs twice")):
        with pytest.raises(InputError, match=message):
            found.select(wrong)


def test_without_any_label_there_is_no_miou(net):
    found = importance(net, Pictures(), images=["picture 2"], workers=0)
    assert found.miou() is None
    assert found.table()[["miou", "miou_images"]].isna().all(axis=None)
    assert "useless" in flag_paths(found.table(), Limits(pixels=1, costly=0, often=0))
    with pytest.raises(InputError, match="no labels"):
        ranked(found.table(), "miou")


def test_what_is_forced_already_stays_forced(net):
    forced = ForcedRoute(net.space, {"L1 s0": "open", "L2 s1 keep": 0.5})
    found = importance(net, Pictures(), images=["picture 0"], route=forced, workers=0)
    x = net.preprocess(Pictures()[0].image)[None]
    asked = np.isnan(forced.activations)
    for path in np.flatnonzero(found.opens[0]):
        with torch.inference_mode():
            gates = net(x, route=forced.change(net.space.path_names[path], 0)).gates
        assert gates[0, path] == 0
        cells = [asked[net.space.paths_from(cell)].any() for cell in range(net.space.n_cells)]
        assert found.macs["conv"][0, 1 + path] == macs(net, gates.numpy(), (32, 64), with_gates=np.array(cells))[0]


def table_of(**columns):
    """A table of four paths: open in all, most, few and no images."""
    base = {
        "path": ["a", "b", "c", "d"],
        "open": [1.0, 0.75, 0.25, 0.0],
        "kl_open": [0.1, 0.2, 0.3, np.nan],
        "changed_open": [0.001, 0.004, 0.1, np.nan],
        "miou": [0.01, -0.0005, -0.2, 0.0],
        "saved_conv": [0.02, 0.001, -0.01, np.nan],
    }
    return pd.DataFrame(base | columns)


def test_flags_by_hand():
    flagged = flag_paths(table_of())
    assert flagged["often_open"].tolist() == [True, True, False, False]
    assert flagged["costly"].tolist() == [True, True, False, False]
    assert flagged["useless"].tolist() == [True, True, False, False]
    assert flagged["flagged"].tolist() == [True, True, False, False]
    assert flag_paths(table_of(), Limits(often=0.8))["flagged"].tolist() == [True, False, False, False]
    assert flag_paths(table_of(), Limits(costly=0.0011))["flagged"].tolist() == [True, False, False, False]
    assert flag_paths(table_of(), Limits(pixels=0.0039))["flagged"].tolist() == [True, False, False, False]
    assert flag_paths(table_of(), Limits(miou=0.0004))["flagged"].tolist() == [True, False, False, False]
    # Without labels pixels alone decide, and what nobody opens is nothing whatever the limits.
    assert flag_paths(table_of(miou=[np.nan] * 4))["useless"].tolist() == [True, True, False, False]
    assert not flag_paths(table_of(), Limits(often=0, costly=0, pixels=1, miou=1)).iloc[3].flagged


def test_a_path_that_carries_nothing_is_flagged_and_one_that_does_is_not(make_net):
    tables = []
    for silent in (False, True):
        net = make_net(3, 0.5, seed=1, norm=0.3, layers=3, num_classes=3)
        path = net.space.path_index(1, 0, "down")
        (norm,) = (
            module
            for module in net.cells[net.space.source[path]].transforms["down"].modules()
            if isinstance(module, torch.nn.BatchNorm2d)
        )
        if silent:  # it sends 0 for every image, at the cost of before
            torch.nn.init.zeros_(norm.weight)
            torch.nn.init.zeros_(norm.bias)
        tables.append(flag_paths(importance(net, Pictures(), workers=0).table(), Limits(pixels=0, miou=0)))
    before, after = tables
    assert (before["open"][path], after["open"][path]) == (1, 1)
    assert before["saved_conv"][path] == after["saved_conv"][path] > 0.001
    assert before["kl"][path] > 1e-6
    assert before["changed"][path] > 0
    assert not before["flagged"][path]
    assert after["kl"][path] == pytest.approx(0, abs=1e-9)
    assert after["changed"][path] == 0
    assert after["flagged"][path]
    assert (after["kl"].drop(path)[after["open"] > 0] > 1e-9).all()


def test_rankings_by_hand():
    orders = {by: "".join(ranked(table_of(), by)["path"]) for by in ("changed", "kl", "miou", "macs")}
    assert orders == {"changed": "cba", "kl": "cba", "miou": "cba", "macs": "abc"}


def test_bad_input(net, kept, tmp_path):
    with pytest.raises(InputError, match="the limit often is 2; give a share from 0 to 1"):
        Limits(often=2)
    with pytest.raises(InputError, match="unknown ranking 'size'"):
        ranked(table_of(), "size")
    with pytest.raises(InputError, match="unknown convention 'flops'"):
        flag_paths(table_of(), convention="flops")
    with pytest.raises(InputError, match="no images"):
        importance(net, Pictures(), images=[])
    trace(net, Pictures(), out=tmp_path / "log", workers=0)
    with pytest.raises(LogError, match="without importance"):
        load_importance(tmp_path / "log")
    with pytest.raises(LogError, match=r"settings.closes is missing there"):
        importance(net, Pictures(), out=tmp_path / "log", workers=0)
