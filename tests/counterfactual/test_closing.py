from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from routeviz.costs import macs
from routeviz.counterfactual.closing import close_each, run_closed
from routeviz.errors import InputError
from routeviz.metrics import confusion
from routeviz.network import fixed_network, thresholded_network
from routeviz.space import Route


@pytest.fixture
def network(make_net):
    """Gates that close some cells and leave some unreached."""
    return partial(make_net, spread=0.8, weight=0.5, norm=0.1, layers=5, num_classes=3)


@pytest.fixture(scope="module")
def image():
    return torch.randn(3, 45, 70, generator=torch.Generator().manual_seed(2))


@torch.inference_mode()
def one_each(net, image):
    """One forward pass for each path with it forced to 0: what all of this is measured against."""
    return [net(image[None], route={path: 0.0}) for path in range(net.space.n_paths)]


@pytest.mark.parametrize(("bias", "seed"), [(3, 0), (0.3, 0), (0.3, 1), (-0.3, 4)])
@pytest.mark.parametrize("together", [1, 3, 16])
def test_it_is_one_forward_pass_for_each_path(network, image, bias, seed, together):
    net = network(bias, seed=seed)
    with torch.inference_mode():
        original = net(image[None])
    wanted, seen = one_each(net, image), set()
    for paths, output in run_closed(net, image, together=together):
        assert len(paths) <= together
        for path, logits, gates in zip(paths, output.logits, output.gates, strict=True):
            scale = wanted[path].logits.abs().max()
            torch.testing.assert_close(logits, wanted[path].logits[0], rtol=0, atol=1e-5 * max(1, float(scale)))
            torch.testing.assert_close(gates, wanted[path].gates[0], rtol=0, atol=1e-5, equal_nan=True)
        assert not seen & set(paths.tolist())
        seen |= set(paths.tolist())
    # What it does not run changes nothing.
    for path in set(range(net.space.n_paths)) - seen:
        assert torch.equal(wanted[path].logits, original.logits)
    assert seen == set(np.flatnonzero(original.gates[0].detach().numpy() > 0).tolist())


@pytest.mark.parametrize("threshold", [0.3, "path by path"])
def test_it_is_so_under_raised_thresholds_and_on_a_forced_route(network, image, threshold):
    net = network(0.5, seed=2)
    if threshold != 0.3:
        threshold = np.random.default_rng(0).choice([1e-4, 0.2, 0.5, 1], net.space.n_paths)
    net = thresholded_network(net, threshold)
    forced = {3: 1.0, 10: 0.6, 20: 0.0}
    for route in (None, forced):
        with torch.inference_mode():
            original = net(image[None], route=route).gates[0]
        paths = np.flatnonzero(original.numpy() > 0)
        seen = {}
        for closed, output in run_closed(net, image, route=route):
            seen |= dict(zip(closed.tolist(), zip(output.logits, output.gates, strict=True), strict=True))
        assert sorted(seen) == paths.tolist()
        for path, (logits, gates) in seen.items():
            with torch.inference_mode():
                wanted = net(image[None], route=(route or {}) | {path: 0.0})
            torch.testing.assert_close(logits, wanted.logits[0], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(gates, wanted.gates[0], rtol=0, atol=1e-5, equal_nan=True)


def test_cells_in_every_state_are_among_the_cases(network, image):
    gates = [network(0.3, seed=seed)(image[None]).gates[0] for seed in (0, 1)] + [
        network(-0.3, seed=4)(image[None]).gates[0]
    ]
    assert any(one.isnan().any() for one in gates)
    assert any((one == 0).any() for one in gates)


@pytest.mark.parametrize("size", [(45, 70), (90, 100)])
def test_measures_are_those_of_the_two_segmentations(network, image, size):
    net = network(0.3)
    label = np.random.default_rng(0).integers(0, 3, size)
    label[:5] = 255

    def labelled(logits):
        """Class of each pixel at the label's size."""
        return interpolate(logits, size=size, mode="bilinear", align_corners=False)[0].argmax(dim=0).numpy()

    found = close_each(net, image, label=label, ignore_index=255)
    with torch.inference_mode():
        before = net(image[None])
    p = before.logits[0].double().softmax(dim=0)
    original = confusion(label, labelled(before.logits), 3, 255)
    np.testing.assert_array_equal(found.hits[0], np.diag(original))
    np.testing.assert_array_equal(found.predicted[0], original.sum(axis=0))
    np.testing.assert_array_equal(found.confusion, original)
    for path, after in enumerate(one_each(net, image)):
        q = after.logits[0].double().softmax(dim=0)
        assert found.kl[path] == pytest.approx(float((p * (p / q).log()).sum(dim=0).mean()), abs=1e-5)
        prediction = after.logits[0].argmax(dim=0)
        changed = (prediction != before.logits[0].argmax(dim=0)).double().mean()
        assert found.changed[path] == pytest.approx(float(changed), abs=2 / (45 * 70))
        for convention, counts in found.macs.items():
            assert counts[1 + path] == macs(net, after.gates.numpy(), (45, 70), convention=convention)[0]
        table = confusion(label, labelled(after.logits), 3, 255)
        assert np.abs(found.hits[1 + path] - np.diag(table)).sum() <= 2
        assert np.abs(found.predicted[1 + path] - table.sum(axis=0)).sum() <= 4


def test_closing_what_is_shut_or_unreached_changes_nothing(network, image):
    net = network(-0.3, seed=4)
    found = close_each(net, image)
    shut = ~(np.nan_to_num(found.gates) > 0)
    assert np.isnan(found.gates).any()
    assert shut.any()
    assert (~shut).any()
    assert not found.kl[shut].any()
    assert not found.changed[shut].any()
    assert (found.macs["conv"][1:][shut] == found.macs["conv"][0]).all()
    assert found.hits is None


def test_a_path_that_is_not_open_but_above_0_is_closed_as_a_forward_pass_forced_to_0_does(network, image):
    net, together = network(3), [6e-5, 6e-5]  # neither is open; together they keep the cell from being closed
    paths = net.space.paths_from(net.space.cell_index(2, 0))
    route = dict.fromkeys(range(paths.start, paths.stop), 0.0) | dict(
        zip(range(paths.start, paths.stop), together, strict=False)
    )
    found = close_each(net, image, route=route)
    for path in (paths.start, paths.start + 1):
        with torch.inference_mode():
            log_p, q = (net(image[None], route=way).logits.log_softmax(dim=1) for way in (route, route | {path: 0.0}))
        kl = float((log_p.exp() * (log_p - q)).sum(dim=1).mean())
        assert kl > 1e-3
        assert found.kl[path] == pytest.approx(kl, rel=1e-3)


def test_without_the_last_path_into_the_decoder_its_bias_is_left(network, image):
    """One way only, along the first scale: each of its paths is the last one, but for a cell that passes its input."""
    net = network(3)
    way = np.array(
        [
            scale == 0 and move == "keep"
            for scale, move in zip(*net.space.paths[["scale", "move"]].T.values, strict=True)
        ]
    )
    static = fixed_network(net, Route(net.space, way.astype(np.float32)))
    outputs = {
        int(path): one
        for paths, output in run_closed(static, image)
        for path, one in zip(paths, output.logits, strict=True)
    }
    assert sorted(outputs) == np.flatnonzero(way).tolist()
    wanted = one_each(static, image)
    for path, logits in outputs.items():
        torch.testing.assert_close(logits, wanted[path].logits[0], rtol=0, atol=1e-5)
    # A closed cell passes its input on, so that even the last one leaves no empty decoder.
    found = close_each(static, image)
    assert (found.kl[way] > 0).all()
    assert not found.kl[~way].any()
    # Its operation is saved, two separable convolutions of 4 channels at 16x24; its path along the scale costs nothing.
    saved = found.macs["conv"][0] - found.macs["conv"][1:]
    assert saved.tolist() == np.where(way, 2 * (9 * 4 + 4 * 4) * 16 * 24, 0).tolist()


def test_a_gate_of_nan_goes_on_to_the_logits_whatever_is_closed_beside_it(network, image):
    net = network(3)
    broken = net.space.cell_index(1, 0)
    torch.nn.init.constant_(net.cells[broken].gate.score.bias, torch.nan)
    for paths, output in run_closed(net, image):
        beside = (net.space.paths.layer.to_numpy()[paths] == 1) & (net.space.source[paths] != broken)
        assert output.logits[torch.from_numpy(beside)].isnan().all()


def test_bad_input(network, image):
    net = network(0.3)
    with pytest.raises(InputError, match="inference only"):
        next(run_closed(net.train(), image))
