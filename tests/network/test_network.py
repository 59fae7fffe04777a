import numpy as np
import pytest
import torch

from routeviz.errors import InputError
from routeviz.network import NetworkConfig, Normalization, RoutingNetwork
from routeviz.space import INPUTS, Route, architectures, cell_states
from routeviz.space.states import sent


def network(seed=0, **settings):
    """A tiny network whose gates differ between images, and whose norms have seen some."""
    torch.manual_seed(seed)
    settings = {"layers": 5, "width": 4, "num_classes": 3, "stem_width": 8, **settings}
    net = RoutingNetwork(NetworkConfig(**settings))
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(4, 3, 64, 64))
        for cell in net.cells:
            if cell.gate is not None:
                torch.nn.init.normal_(cell.gate.score.weight, std=2.0)
                torch.nn.init.normal_(cell.gate.score.bias, mean=-0.7, std=1.0)
    return net.eval()


@pytest.fixture(scope="module")
def net():
    return network()


@pytest.fixture(scope="module")
def images():
    return torch.randn(6, 3, 64, 96, generator=torch.Generator().manual_seed(3)) * torch.linspace(0.2, 3, 6).view(
        6, 1, 1, 1
    )


def run(net, images, route=None, execution="folded"):
    net.execution = execution
    with torch.inference_mode():
        return net(images, route=route)


@pytest.mark.parametrize("small_gate", [False, True])
def test_a_batch_gives_each_image_what_it_gets_alone(images, small_gate):
    net = network(small_gate=small_gate)
    together = run(net, images)
    assert len(np.unique((together.gates > 1e-4).numpy(), axis=0)) > 1  # routes do differ
    for index in range(len(images)):
        alone = run(net, images[index : index + 1])
        torch.testing.assert_close(alone.gates[0], together.gates[index], rtol=1e-4, atol=1e-5, equal_nan=True)
        torch.testing.assert_close(alone.logits[0], together.logits[index], rtol=1e-4, atol=1e-4)


def test_gates_are_nan_exactly_where_the_space_says_unreached(net, images):
    rng = np.random.default_rng(0)
    routes = (
        rng.random((len(images), net.space.n_paths)) * (rng.random((len(images), net.space.n_paths)) > 0.7)
    ).astype("f4")
    routes[:3, net.space.paths_from(0)] = 0
    routes[1, 20:30] = np.nan
    gates = run(net, images, route=routes).gates.numpy()
    unreached = cell_states(net.space, gates).state == 0
    assert 0 < unreached.sum() < unreached.size
    assert np.array_equal(np.isnan(gates), unreached[:, net.space.source])
    free = run(net, images).gates.numpy()
    assert np.array_equal(np.isnan(free), (cell_states(net.space, free).state == 0)[:, net.space.source])


def test_forcing_a_networks_own_gates_changes_nothing(net, images):
    free = run(net, images)
    forced = run(net, images, route=free.gates)
    torch.testing.assert_close(forced.gates, free.gates, equal_nan=True)
    torch.testing.assert_close(forced.logits, free.logits)


def test_ways_to_name_a_route_agree(net, images):
    values = np.random.default_rng(0).random(net.space.n_paths).astype(np.float32)
    by_route = run(net, images, route=Route(net.space, values))
    for same in (values, dict(enumerate(values)), np.tile(values, (len(images), 1))):
        torch.testing.assert_close(run(net, images, route=same).logits, by_route.logits)


def test_forcing_some_paths_asks_the_gates_for_the_rest(net, images):
    path = net.space.path_index(1, 0, "keep")
    free, forced = run(net, images), run(net, images, route={path: 0.0})
    assert (forced.gates[:, path] == 0).all()
    cell = net.space.paths_from(net.space.source[path])
    others = [other for other in range(cell.start, cell.stop) if other != path]
    torch.testing.assert_close(forced.gates[:, others], free.gates[:, others])
    before = cell.start
    torch.testing.assert_close(forced.gates[:, :before], free.gates[:, :before], equal_nan=True)


def test_each_image_can_be_forced_its_own_way(net, images):
    routes = np.full((len(images), net.space.n_paths), np.nan, np.float32)
    routes[2] = 1.0
    out = run(net, images, route=routes)
    free, all_open = run(net, images), run(net, images, route=np.ones(net.space.n_paths))
    torch.testing.assert_close(out.logits[2], all_open.logits[2], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(out.logits[3], free.logits[3], rtol=1e-4, atol=1e-4)


def test_a_cell_forced_on_all_its_paths_computes_no_gate(net, images):
    asked = []
    handles = [cell.gate.register_forward_hook(lambda *_, i=i: asked.append(i)) for i, cell in enumerate(net.cells)]
    try:
        first = net.space.paths_from(0)
        run(net, images, route={path: 1.0 for path in range(first.start, first.stop)}, execution="sparse")
        assert 0 not in asked
        asked.clear()
        run(net, images, route=np.ones(net.space.n_paths), execution="sparse")
        assert asked == []
    finally:
        for handle in handles:
            handle.remove()


def test_closed_everywhere_is_the_stem_into_the_decoder(net, images):
    out = run(net, images, route=np.zeros(net.space.n_paths))
    with torch.inference_mode():
        y = net.decoder.predictor(net.decoder.stages[0](net.stem(images)))
        expected = torch.nn.functional.interpolate(y, scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(out.logits, expected)
    assert torch.isnan(out.gates).any()


def test_nothing_into_the_decoder_gives_the_predictors_bias(net):
    finals = net._inboxes(torch.zeros(2, 4, 16, 16), (64, 64))[net.space.n_cells :]
    logits = net.decoder(finals, (64, 64))
    assert logits.shape == (2, 3, 64, 64)
    assert torch.equal(logits[0, :, 5, 7], net.decoder.predictor.bias)


def test_closed_cells_compute_nothing(net, images):
    ran = []
    handles = [cell.register_forward_hook(lambda *_, i=i: ran.append(i)) for i, cell in enumerate(net.cells)]
    try:
        path = net.space.path_index(0, 0, "down")
        route = np.zeros(net.space.n_paths)
        route[path] = 1
        run(net, images, route=route, execution="sparse")
    finally:
        for handle in handles:
            handle.remove()
    assert ran == [0]


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (64, 64), (20, 200)])
def test_any_size_goes_in_and_comes_out(net, size):
    out = run(net, torch.randn(2, 3, *size))
    assert out.logits.shape == (2, 3, *size)
    assert torch.isfinite(out.logits).all()


def test_padding_is_zeros_after_normalisation_at_the_bottom_and_right(net):
    image = torch.randn(1, 3, 40, 50)
    padded = torch.zeros(1, 3, 64, 64)
    padded[..., :40, :50] = image
    torch.testing.assert_close(run(net, image).logits, run(net, padded).logits[..., :40, :50])


def test_training_runs_everything_and_gates_keep_gradients():
    net = network().train()
    out = net(torch.randn(2, 3, 64, 64))
    assert not torch.isnan(out.gates).any()
    out.logits.sum().backward()
    for cell in net.cells:
        assert cell.gate.score.weight.grad is not None
        assert cell.operation[0].depthwise.weight.grad is not None


def test_training_and_inference_agree_where_nothing_is_unreached():
    # With every path open at inference the two differ by batch norm alone: freeze it and they must meet.
    net = network()
    for cell in net.cells:
        torch.nn.init.constant_(cell.gate.score.weight, 0.01)
        torch.nn.init.constant_(cell.gate.score.bias, 1.0)
    image = torch.randn(2, 3, 64, 64)
    expected = run(net, image)
    net.train()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    dense = run(net, image)
    torch.testing.assert_close(dense.gates, expected.gates)
    torch.testing.assert_close(dense.logits, expected.logits)


def test_every_path_starts_open():
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, stem_width=8, num_classes=2))
    gates = net(torch.randn(2, 3, 64, 64)).gates
    assert abs(gates.mean().item() - np.tanh(1.5)) < 0.02


def test_published_parameter_count():
    # 17.785 M at C = 64, L = 16, 19 classes (released implementation).
    net = RoutingNetwork(NetworkConfig())
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 3) == 17.785


def test_fixed_gates_build_only_what_the_route_uses(images):
    supernet = network(layers=7)
    unet = architectures(supernet.space)["unet"]
    net = network(layers=7, fixed_gates=tuple(unet.activations.tolist()))
    assert sum(cell.operation is not None for cell in net.cells) == 8
    assert all(cell.gate is None for cell in net.cells)
    missing = net.load_state_dict(supernet.state_dict(), strict=False).missing_keys
    assert missing == []
    torch.testing.assert_close(run(net, images).logits, run(supernet, images, route=unet).logits)


def test_a_static_network_trains_and_refuses_what_it_lacks(images):
    unet = architectures(NetworkConfig(layers=7, width=4).space)["unet"]
    net = network(layers=7, fixed_gates=tuple(unet.activations.tolist()))
    net.train()(images).logits.sum().backward()
    assert net.stem[0].conv.weight.grad is not None
    with pytest.raises(InputError, match="not built into this static network"):
        run(net.eval(), images, route=np.ones(net.space.n_paths))


def test_small_gate_samples_every_fourth_feature_at_odd_sizes():
    # 10 features at a factor of 1/4 give 2, sampled at 1.5 and 5.5, not spread over all 10 (2.0 and 7.0).
    net = network(small_gate=True)
    gate = net.cells[0].gate
    row = torch.arange(10.0).expand(1, 4, 8, 10).contiguous()
    seen = []
    handle = gate.reduce.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    gate(row)
    handle.remove()
    assert seen[0].shape == (1, 4, 2, 2)
    assert seen[0][0, 0, 0].tolist() == [1.5, 5.5]


def test_preprocess_orders_and_normalises():
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[..., 0] = 10
    bgr = RoutingNetwork(NetworkConfig(layers=3, width=2, stem_width=2)).preprocess(rgb)
    assert bgr.shape == (3, 2, 3)
    assert bgr[:, 0, 0].tolist() == pytest.approx([-103.53, -116.28, 10 - 123.675])
    settings = Normalization(mean=(0, 0, 0), std=(2, 1, 1), channels="RGB")
    net = RoutingNetwork(NetworkConfig(layers=3, width=2, stem_width=2, normalization=settings))
    assert net.preprocess(rgb)[:, 0, 0].tolist() == [5, 0, 0]
    with pytest.raises(InputError, match="uint8 RGB"):
        net.preprocess(rgb.astype(np.float32))


def test_cell_sizes_pad_to_the_coarsest_stride(net):
    sizes = net.cell_sizes((33, 64))
    assert sizes[0].tolist() == [16, 16]
    assert sizes[-1].tolist() == [2, 2]


def test_config_round_trip_and_bad_settings():
    config = NetworkConfig(
        layers=3, width=2, num_classes=2, class_names=("a", "b"), class_colors=((1, 2, 3), (4, 5, 6))
    )
    assert NetworkConfig.from_dict(config.to_dict()) == config
    for bad in ({"layers": 1}, {"width": 3}, {"num_classes": 0}, {"class_names": ("a",)}, {"fixed_gates": (1.0,)}):
        with pytest.raises(InputError):
            RoutingNetwork(NetworkConfig(**bad))
    with pytest.raises(InputError, match="unknown network settings depth"):
        NetworkConfig.from_dict({"depth": 3})


@pytest.mark.parametrize("bad", [np.ones(3), {999: 1.0}, {0: 1.5}, np.full((2, 84), np.nan)])
def test_routes_that_do_not_fit_are_refused(net, images, bad):
    with pytest.raises(InputError):
        run(net, images, route=bad)


def test_images_that_do_not_fit_and_forcing_in_training_are_refused(net, images):
    with pytest.raises(InputError, match="batch"):
        net(images[0])
    with pytest.raises(InputError, match="inference only"):
        network().train()(images, route={0: 1.0})


def test_without_starved_cells_only_the_image_is_worked_on(net, images):
    """A route that closes every cell left unreached does the same, but that it sends the decoder zeros."""
    space, rng = net.space, np.random.default_rng(2)
    forced = np.where(rng.random((len(images), space.n_paths)) < 0.4, np.nan, 0).astype(np.float32)
    forced[:2, space.paths.layer >= 3] = 1  # so that the image comes to the decoder at every scale
    with torch.inference_mode():
        without = net(images, route=forced, run_starved=False)
        shut = without.gates.nan_to_num(0)
        closed = net(images, route=shut)
    usual = run(net, images, route=forced).gates.numpy()
    states, runs = cell_states(space, usual), ~without.gates.isnan()
    first = np.array([space.paths_from(cell).start for cell in range(space.n_cells)])
    assert states.starved.any()
    assert not runs.numpy()[:, first][states.image_blind].any()
    torch.testing.assert_close(closed.gates[runs], without.gates[runs])
    fed = (sent(space, shut.numpy())[:, space.exits] == INPUTS.index("image")).all(axis=1)
    assert 0 < fed.sum() < len(images)
    torch.testing.assert_close(without.logits[fed], closed.logits[fed], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(without.logits[~fed], closed.logits[~fed])


def test_where_nothing_is_starved_leaving_such_cells_out_changes_nothing(net, images):
    route = np.ones(net.space.n_paths, np.float32)
    with torch.inference_mode():
        one, other = net(images, route=route), net(images, route=route, run_starved=False)
    assert torch.equal(one.logits, other.logits)
    assert torch.equal(one.gates, other.gates)


def test_starved_cells_are_left_out_at_inference_only():
    with pytest.raises(InputError, match="at inference only"):
        network().train()(torch.zeros(1, 3, 32, 32), run_starved=False)
