import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from routeviz.costs import expected_macs, macs
from routeviz.datasets import Sample
from routeviz.errors import InputError, LogError, NonFiniteError
from routeviz.metrics import object_facts
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.routelog import Skipped, load_log
from routeviz.space import OPEN_THRESHOLD, STATES, Route, lattice_space
from routeviz.tracing import trace

SPACE = lattice_space(4, 4)
ROUTE = Route(SPACE, SPACE.paths.move.isin(("keep", "down")) * 0.5, name="keep and down")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@torch.inference_mode()
def alone(net, image):
    return net(net.preprocess(image)[None])


def test_every_image_gets_what_it_gets_alone_in_dataset_order(net, pictures):
    dataset = pictures(23)
    log = trace(net, dataset, batch_size=4, workers=0)
    assert log.images["id"].tolist() == [f"picture {i}" for i in range(23)]
    assert log.images[["height", "width"]].to_numpy().tolist() == [list(dataset[i].image.shape[:2]) for i in range(23)]
    wanted = np.concatenate([alone(net, dataset[i].image).gates.numpy() for i in range(23)])
    np.testing.assert_array_equal(np.isnan(log.gates), np.isnan(wanted))
    np.testing.assert_array_equal(log.gates > OPEN_THRESHOLD, wanted > OPEN_THRESHOLD)
    np.testing.assert_allclose(log.gates, wanted, atol=1e-6)
    # The case means something only where routes differ and cells are in every state.
    assert len(np.unique(wanted > OPEN_THRESHOLD, axis=0)) > 3
    assert set(np.unique(log.states.state)) == set(range(len(STATES)))


def test_batch_size_workers_and_look_ahead_do_not_show(net, pictures):
    logs = [
        trace(net, pictures(23), batch_size=size, workers=workers, look_ahead=ahead)
        for size, workers, ahead in ((1, 0, None), (3, 1, 1), (8, 2, 5))
    ]
    for log in logs[1:]:
        np.testing.assert_allclose(log.gates, logs[0].gates, atol=1e-6)
        pd.testing.assert_frame_equal(log.images, logs[0].images, rtol=1e-5)


def test_facts_are_those_of_costs_and_metrics(net, pictures):
    dataset = pictures(6)
    log = trace(net, dataset, workers=0)
    sizes = log.images[["height", "width"]].to_numpy()
    for convention in ("conv", "fvcore", "released"):
        wanted = macs(net, log.gates, sizes, convention=convention)
        np.testing.assert_array_equal(log.images[f"macs_{convention}"], wanted)
    np.testing.assert_array_equal(log.images["expected_macs_released"], expected_macs(net, log.gates, sizes))
    for i in range(6):
        sample, row = dataset[i], log.images.iloc[i]
        for name, value in object_facts(sample.label, dataset.class_names, 255).items():
            np.testing.assert_equal(row[f"objects_{name.removeprefix('object_')}"], value)
        counted = sample.label != 255
        prediction = alone(net, sample.image).logits[0].argmax(0).numpy()
        assert row["pixel_accuracy"] == pytest.approx((prediction == sample.label)[counted].mean())
        hit = ((prediction == 1) & (sample.label == 1)).sum()
        union = (((prediction == 1) & counted) | (sample.label == 1)).sum()
        assert row["iou_sky"] == pytest.approx(hit / union)
        assert row["miou"] == pytest.approx(np.nanmean(row[["iou_road", "iou_sky", "iou_car"]].astype(float)))


def test_a_log_of_another_execution_is_not_gone_on_with(net, pictures, tmp_path):
    trace(net, pictures(2), workers=0, out=tmp_path)
    other = copy.deepcopy(net)
    other.execution = "dense"
    with pytest.raises(LogError, match=r'settings\.execution is "folded" there, "dense" now'):
        trace(other, pictures(2), workers=0, out=tmp_path)


def test_source_says_where_the_log_comes_from(net, pictures):
    source = trace(net, pictures(2), workers=0, resize=(32, 32)).source
    assert source["dataset"]["name"] == "pictures"
    assert source["dataset"]["class_names"] == ["road", "sky", "car"]
    assert source["settings"] == {"execution": "folded", "resize": [32, 32], "route": None}
    assert NetworkConfig.from_dict(source["network"]) == net.config
    other = RoutingNetwork(net.config)
    assert trace(other, pictures(2), workers=0).source["weights"] != source["weights"]
    other.load_state_dict(net.state_dict())
    assert trace(other, pictures(2), workers=0).source["weights"] == source["weights"]


def test_images_that_cannot_be_used_are_skipped_with_their_reason(net, pictures):
    good = pictures(1)[0]
    samples = {
        1: OSError("truncated\nfile"),
        2: Sample(image=good.image[..., 0], label=None, id="grey", file=""),
        3: Sample(image=good.image.astype(float), label=None, id="float", file=""),
        5: Sample(image=good.image, label=np.full((32, 64), 7), id="unknown class", file=""),
        6: Sample(image=good.image[:0], label=None, id="nothing", file=""),
        7: KeyError("annotation"),
    }
    log = trace(net, pictures(9, samples=samples), shard_size=2)
    assert log.images["id"].tolist() == ["picture 0", "picture 4", "picture 8"]
    assert [image.index for image in log.skipped] == [1, 2, 3, 5, 6, 7]
    reasons = [image.reason for image in log.skipped]
    assert reasons[0] == "OSError: truncated file"
    assert "(32, 64)" in reasons[1]
    assert "float64" in reasons[2]
    assert "the ids [7]" in reasons[3]
    assert reasons[5] == "KeyError: 'annotation'"


def test_a_dataset_that_cannot_be_read_at_all_is_an_error(net, pictures, tmp_path):
    nothing = pictures(3, samples=dict.fromkeys(range(3), OSError("gone")))
    with pytest.raises(LogError, match="none of 3 images could be read, first OSError: gone"):
        trace(net, nothing, workers=0)
    with pytest.raises(InputError, match="has no images"):
        trace(net, pictures(0), out=tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_labels_of_another_size_missing_or_ignored(net, pictures):
    image = pictures(1)[0].image
    label = np.zeros((16, 96), np.uint8)
    samples = {
        0: Sample(image=image, label=None, id="none", file=""),
        1: Sample(image=image, label=label, id="other size", file=""),
        2: Sample(image=image, label=np.full((32, 64), 255), id="all ignored", file=""),
    }
    log = trace(net, pictures(3, samples=samples), workers=0, shard_size=1)
    none, other, ignored = (row for _, row in log.images.iterrows())
    assert np.isnan(none["miou"])
    assert np.isnan(none["objects_count"])
    logits = interpolate(alone(net, image).logits, size=(16, 96), mode="bilinear", align_corners=False)
    assert other["pixel_accuracy"] == (logits[0].argmax(0) == 0).double().mean().item()
    assert other["objects_median_area"] == 16 * 96
    assert np.isnan(ignored["miou"])
    assert ignored["objects_count"] == 0
    assert log.images.columns.tolist().index("macs_conv") < log.images.columns.tolist().index("miou")


def test_the_least_that_is_a_dataset(net):
    class Least:
        class_names = ()
        ignore_index = None

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return Sample(image=np.full((32, 32, 3), index, np.uint8), label=None, id=str(index), file="")

    log = trace(net, Least(), workers=0)
    assert log.columns == (
        *("id", "file", "height", "width", "macs_conv", "macs_fvcore", "macs_released", "expected_macs_released"),
    )
    assert log.source["dataset"]["name"] == "Least"


def test_what_a_dataset_knows_stands_beside_the_images(net, pictures):
    class Knows(pictures):
        def facts(self, index):
            return {"scale_class": "small" if index else "large", "height": -1}

    log = trace(net, Knows(2), workers=0)
    assert log.images["scale_class"].tolist() == ["large", "small"]
    assert log.images["height"].tolist() == [32, 40]


def test_a_network_of_other_classes_is_logged_without_scores(pictures):
    for config in (
        NetworkConfig(layers=3, width=4, num_classes=19, stem_width=4),
        NetworkConfig(layers=3, width=4, num_classes=3, stem_width=4, class_names=("a", "b", "c")),
    ):
        log = trace(RoutingNetwork(config), pictures(2), workers=0)
        assert "miou" not in log.columns
        assert "objects_count" in log.columns
    named = NetworkConfig(layers=3, width=4, num_classes=3, stem_width=4, class_names=pictures.class_names)
    assert "miou" in trace(RoutingNetwork(named), pictures(2), workers=0).columns


def test_a_forced_route_is_what_the_log_holds(net, pictures):
    log = trace(net, pictures(3), workers=0, route=ROUTE)
    np.testing.assert_array_equal(np.nan_to_num(log.gates), np.tile(ROUTE.activations * ROUTE.open, (3, 1)))
    sizes = log.images[["height", "width"]].to_numpy()
    np.testing.assert_array_equal(log.images["macs_conv"], macs(net, log.gates, sizes, with_gates=False))
    assert log.source["settings"]["route"]["name"] == ROUTE.name
    assert log.source["settings"]["route"]["activations"] == ROUTE.activations.tolist()


def test_forcing_one_cell_asks_the_other_gates(net, pictures):
    log = trace(net, pictures(3), workers=0, route={0: 1.0, 1: 0.0})
    assert log.gates[:, :2].tolist() == [[1, 0]] * 3
    sizes = log.images[["height", "width"]].to_numpy()
    asked = np.arange(net.space.n_cells) != 0
    np.testing.assert_array_equal(log.images["macs_conv"], macs(net, log.gates, sizes, with_gates=asked))
    assert (log.images["macs_conv"] < macs(net, log.gates, sizes)).all()
    json.dumps(log.source, allow_nan=False)
    with pytest.raises(InputError, match="no path 900"):
        trace(net, pictures(3), route={900: 1.0})


def test_resized_images_are_seen_at_that_size_and_labels_keep_theirs(net, pictures):
    dataset = pictures(3)
    log = trace(net, dataset, workers=0, resize=(64, 96))
    assert log.images[["height", "width"]].to_numpy().tolist() == [[64, 96]] * 3
    small = np.asarray(Image.fromarray(dataset[1].image).resize((96, 64), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(log.gates[1], alone(net, small).gates[0], atol=1e-6)
    plain = trace(net, dataset, workers=0)
    pd.testing.assert_series_equal(log.images["objects_median_area"], plain.images["objects_median_area"])
    for wrong in ({"resize": (0, 5)}, {"batch_size": 0}, {"workers": -1}):
        with pytest.raises(InputError, match="give at least"):
            trace(net, dataset, **wrong)


def test_the_network_and_the_random_numbers_are_left_as_they_were(net, pictures):
    training = RoutingNetwork(net.config).train()
    before = {name: value.clone() for name, value in training.state_dict().items()}
    torch.manual_seed(0)
    trace(training, pictures(2))
    after = torch.rand(3)
    torch.manual_seed(0)
    torch.testing.assert_close(after, torch.rand(3))
    assert training.training
    assert all(torch.equal(before[name], value) for name, value in training.state_dict().items())
    trace(net, pictures(2), workers=0)
    assert not net.training


def test_equal_settings_give_equal_bytes_whatever_the_workers(net, pictures, tmp_path):
    for name, workers in (("a", 0), ("b", 0), ("c", 1), ("d", 2)):
        trace(net, pictures(40), out=tmp_path / name, workers=workers, shard_size=8)
    first = contents(tmp_path / "a")
    assert len(first) == 6
    assert all(contents(tmp_path / name) == first for name in "bcd")
    log = load_log(tmp_path / "a", verify=True)
    assert len(log) == 40
    assert log.digest == load_log(tmp_path / "c").digest


def test_a_second_call_computes_nothing(net, pictures, tmp_path):
    trace(net, pictures(4), out=tmp_path, workers=0)
    silent = pictures(4, samples=dict.fromkeys(range(4), AssertionError("read again")))
    assert len(trace(net, silent, out=tmp_path, workers=0)) == 4


def test_other_settings_do_not_go_on_with_a_log(net, pictures, tmp_path):
    trace(net, pictures(4), out=tmp_path, workers=0)
    before = contents(tmp_path)
    for words, arguments in (
        ("settings.resize is null there", {"resize": (32, 32)}),
        ("settings.route is null there", {"route": ROUTE}),
    ):
        with pytest.raises(LogError, match=words):
            trace(net, pictures(4), out=tmp_path, workers=0, **arguments)
    with pytest.raises(LogError, match="images is 4 there, 5 now"):
        trace(net, pictures(5), out=tmp_path, workers=0)
    with pytest.raises(LogError, match="weights is"):
        trace(RoutingNetwork(net.config), pictures(4), out=tmp_path, workers=0)
    assert contents(tmp_path) == before


def test_ids_must_be_unique_and_are_checked_before_the_first_image(net, pictures, tmp_path):
    class Twice(pictures):
        ids = ("a", "b", "a")

        def __getitem__(self, index):
            raise AssertionError("read")

    with pytest.raises(InputError, match="3 images but 2 ids"):
        trace(net, Twice(3), out=tmp_path / "log")
    sample = pictures(1)[0]
    with pytest.raises(InputError, match="2 ids occur more than once"):
        trace(net, pictures(3, samples=dict.fromkeys(range(3), sample)), workers=0)
    with pytest.raises(LogError, match="2 ids occur more than once"):
        trace(net, pictures(3, samples=dict.fromkeys(range(3), sample)), workers=0, shard_size=1)


def test_names_that_are_no_utf8_are_spelled_out(net, pictures):
    name = b"road \xff.png".decode("utf-8", "surrogateescape")
    image = pictures(1)[0].image
    log = trace(net, pictures(1, samples={0: Sample(image=image, label=None, id=name, file=name)}), workers=0)
    assert log.images["file"].tolist() == ["road \\udcff.png"]


def test_weights_that_are_not_numbers_are_named(net, pictures):
    broken = RoutingNetwork(net.config)
    with torch.no_grad():
        broken.cells[0].gate.score.bias.fill_(torch.nan)
    with pytest.raises(NonFiniteError, match=r"picture 0: .* the gate of cell L0 s0, whose weights score\.bias"):
        trace(broken, pictures(2), workers=0)


def test_no_bar_for_what_takes_less_than_two_seconds(net, pictures, capfd):
    trace(net, pictures(2), workers=0, progress=True)
    trace(net, pictures(2), workers=0)
    assert capfd.readouterr() == ("", "")


def test_skipped_images_are_in_the_log_on_disk(net, pictures, tmp_path):
    dataset = pictures(35, samples={i: OSError("truncated") for i in (1, 33)})
    log = trace(net, dataset, out=tmp_path / "traced", workers=0)
    assert log.skipped == (Skipped(1, "", "OSError: truncated"), Skipped(33, "", "OSError: truncated"))
    trace(net, dataset, workers=0).save(tmp_path / "saved")
    assert contents(tmp_path / "saved") == contents(tmp_path / "traced")


def test_a_route_of_another_space_is_refused(net, pictures):
    other = RoutingNetwork(NetworkConfig(layers=5, width=4, num_classes=3)).space
    with pytest.raises(InputError, match="the route belongs to"):
        trace(net, pictures(2), route=Route(other, np.ones(other.n_paths)))
