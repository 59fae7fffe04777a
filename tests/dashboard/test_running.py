from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import routeviz as rv
from routeviz.dashboard import running


@pytest.fixture(scope="module")
def loaded(shelf_folder):
    log = rv.load_log(shelf_folder / "logs" / "scenes")
    net = rv.load_checkpoint(shelf_folder / "checkpoints" / "step-000010.safetensors")
    data = log.source["dataset"]
    dataset = rv.open_dataset(data["name"], None, data["split"], length=6, size=(64, 96))
    return log, net, dataset


def test_an_image_takes_the_route_that_was_logged_and_scores_what_was_logged(loaded):
    log, net, dataset = loaded
    for index in range(3):
        sample = dataset[index]
        result = running.run(net, sample.image, running.How())
        np.testing.assert_allclose(result.gates, log.gates[index], atol=1e-5)
        scores = running.scores(sample.label, result.prediction, dataset.class_names, dataset.ignore_index)
        assert scores["miou"] == pytest.approx(log.images["miou"][index], abs=1e-6)


def test_labels_of_other_classes_score_nothing(loaded):
    _, net, dataset = loaded
    assert running.label_for(net, dataset, dataset[0]) is not None

    class Other:
        class_names, ignore_index = [f"other {name}" for name in dataset.class_names], dataset.ignore_index

    assert running.label_for(net, Other, dataset[0]) is None


def test_a_resized_image_is_segmented_at_its_own_size(loaded):
    _, net, dataset = loaded
    sample = dataset[0]
    result = running.run(net, sample.image, running.How(resize=(32, 64)))
    assert result.prediction.shape == sample.label.shape
    direct = rv.trace(net, dataset, resize=(32, 64), workers=0)
    np.testing.assert_allclose(result.gates, direct.gates[0], atol=1e-5)


def test_forced_activations_are_used(loaded):
    _, net, dataset = loaded
    forced = [None] * net.space.n_paths
    forced[0] = 0.25
    result = running.run(net, dataset[0].image, running.How(forced=tuple(forced)))
    assert result.gates[0] == pytest.approx(0.25)


def test_features_are_those_of_the_cell_and_nothing_stays_attached(loaded):
    log, net, dataset = loaded
    states = log.route(0).cell_states["state"]
    open_cell, other = states.eq("open").idxmax(), states.ne("open").idxmax()
    features = running.features(net, dataset[0].image, running.How(), int(open_cell))
    assert features.shape[0] == net.space.cells.channels[open_cell]
    if states[other] != "open":
        assert running.features(net, dataset[0].image, running.How(), int(other)) is None
    assert not any(cell._forward_hooks for cell in net.cells)
    assert not torch.is_grad_enabled() or features.dtype == np.float32


def test_features_of_every_cell_are_what_it_computes_as_trained(loaded):
    log, net, dataset = loaded
    image, states = dataset[1].image, log.route(1).cell_states["state"]
    wanted = {}
    handles = [
        cell.register_forward_hook(lambda module, inputs, output, cell=index: wanted.update({cell: output[0].numpy()}))
        for index, cell in enumerate(net.cells)
    ]
    net.execution = "sparse"
    try:
        running.run(net, image, running.How())
    finally:
        net.execution = "folded"
        for handle in handles:
            handle.remove()
    assert set(wanted) == set(np.flatnonzero(states == "open"))
    for cell in range(net.space.n_cells):
        found = running.features(net, image, running.How(), cell)
        if cell not in wanted:
            assert found is None
            continue
        np.testing.assert_allclose(found, wanted[cell], atol=1e-4 * np.abs(wanted[cell]).max())


def test_threads_that_share_a_network_get_the_features_of_their_own_image(loaded):
    _, net, dataset = loaded
    images = [dataset[0].image, dataset[1].image]
    wanted = [running.features(net, image, running.How(), 0) for image in images]
    assert not np.array_equal(*wanted)

    def twenty(index):
        return [running.features(net, images[index], running.How(), 0) for _ in range(20)]

    with ThreadPoolExecutor(2) as pool:
        for own, found in zip(wanted, pool.map(twenty, range(2)), strict=True):
            assert all(np.array_equal(features, own) for features in found)
    assert net.execution == "folded"
