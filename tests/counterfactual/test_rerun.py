import numpy as np
import pytest
import torch

from routeviz.costs import macs
from routeviz.counterfactual import ForcedRoute, KeptPass, Original, rerun
from routeviz.errors import InputError, NonFiniteError
from routeviz.metrics import confusion, mean_iou
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.space import architectures, lattice_space

SETTINGS = {"bias": 0.8, "spread": 0.3, "weight": 0.05, "layers": 4, "num_classes": 3}


@pytest.fixture(scope="module")
def net(make_net):
    return make_net(**SETTINGS)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)


@pytest.fixture(scope="module")
def label():
    return np.random.default_rng(1).integers(0, 3, (48, 80))


def force(net, **changes):
    return ForcedRoute(net.space, {name.replace("_", " "): value for name, value in changes.items()})


def whole(net, image, forced):
    """A whole forward pass under a forced route."""
    with torch.inference_mode():
        return net(net.preprocess(image)[None], route=forced)


def test_nothing_forced_changes_nothing(net, image):
    same = rerun(net, image, ForcedRoute(net.space))
    assert not same.changed.any()
    assert same.paths.empty
    assert same.remarks == ()
    before, after = same.macs()
    assert before == after


@pytest.mark.parametrize("name", ["L0_s0_keep", "L1_s1", "L3_s0_keep", "L4_s1"])
def test_a_rerun_is_what_a_whole_pass_gives(net, image, name):
    forced = force(net, **{name: 0})
    result, wanted = rerun(net, image, forced), whole(net, image, forced)
    assert np.array_equal(result.forced.gates, wanted.gates[0].numpy(), equal_nan=True)
    assert np.array_equal(result.forced.prediction, wanted.logits[0].argmax(dim=0).numpy())
    assert np.array_equal(result.changed, result.original.prediction != result.forced.prediction)


def test_gates_that_are_not_forced_are_asked_again(net, image):
    result = rerun(net, image, force(net, L2_s0_down=0))
    asked = result.paths[~result.paths["forced"]]
    assert len(asked)
    layers = [int(path.split()[0][1:]) for path in asked["path"]]
    assert min(layers) > 2
    assert result.paths.loc[result.paths["forced"], "path"].tolist() == ["L2 s0 down"]
    sizes = (result.paths["alpha_original"].fillna(0) - result.paths["alpha_forced"].fillna(0)).abs()
    assert sizes.is_monotonic_decreasing


def test_iou_and_macs_are_those_of_the_two_passes(net, image, label):
    forced = force(net, L2_s1=0, L3_s0=1)
    result = rerun(net, image, forced, label=label)
    tables = [confusion(label, one.prediction, 3, None) for one in (result.original, result.forced)]
    assert [result.original.miou, result.forced.miou] == [mean_iou(table) for table in tables]
    classes = result.classes(("sky", "road", "tree"))
    assert classes["name"].tolist() == ["sky", "road", "tree"]
    assert classes["change"].tolist() == pytest.approx((classes["iou_forced"] - classes["iou_original"]).tolist())
    before, after = result.macs("conv")
    assert before == macs(net, result.original.gates[None], (48, 80))[0]
    # Cells that are forced on all their paths compute no gate.
    assert after < macs(net, result.forced.gates[None], (48, 80))[0]


def test_without_a_label_there_is_no_iou(net, image):
    result = rerun(net, image, force(net, L1_s0=0))
    assert np.isnan(result.forced.miou)
    assert result.classes()["change"].isna().all()


def test_the_original_is_what_it_was_after_many_reruns(net, image):
    original = Original(net, image)
    before = original.outcome.prediction.copy()
    for name in net.space.path_names[::5]:
        original.rerun(ForcedRoute(net.space, {name: 0}))
    assert np.array_equal(original.rerun(ForcedRoute(net.space)).forced.prediction, before)


def test_all_cells_closed_leaves_one_scale_to_the_decoder(net, image):
    result = rerun(net, image, ForcedRoute(net.space, dict.fromkeys(net.space.cell_names, 0.0)))
    assert "The decoder gets nothing any more from stride 8, 16 and 32." in result.remarks
    assert any(remark.startswith("Closed now") for remark in result.remarks)
    assert not any("No way through" in remark for remark in result.remarks)


def test_closing_the_only_way_through_is_said_and_does_not_fail(net, image):
    # A live cell without an open path sends zeros everywhere: 2 x 6e-5 is live, and neither path is open.
    forced = ForcedRoute(net.space, {"L0 s0": 6e-5})
    one, other = rerun(net, image, forced), rerun(net, image[::-1].copy(), forced)
    assert any("No way through is left" in remark for remark in one.remarks)
    assert any("Image-blind now: L1 s0, L2 s0" in remark for remark in one.remarks)
    assert np.array_equal(one.forced.prediction, other.forced.prediction)


def test_the_image_goes_on_by_keep_where_the_only_open_path_is_shut(net, image):
    chain = ForcedRoute.from_activations(net.space, np.zeros(net.space.n_paths))
    for name in ("L0 s0 down", "L1 s1 down", "L2 s2 down", "L3 s3 keep", "L4 s3 keep"):
        chain = chain.change(name, 1)
    through = Original(net, image, base=chain)
    result = through.rerun(ForcedRoute(net.space, {"L2 s2 down": 0}))
    assert "Reached no more: L3 s3 and L4 s3." in result.remarks
    assert "The decoder gets nothing any more from stride 32." in result.remarks
    assert "Closed now, passing on their input: L2 s2." in result.remarks


def test_what_is_forced_on_a_cell_that_nothing_reaches_is_said_to_have_no_effect(net, image):
    result = rerun(net, image, ForcedRoute(net.space, {"L0 s0": 0, "L1 s1 up": 1}))
    assert any("forced on L1 s1 has no effect" in remark for remark in result.remarks)


def test_a_base_stays_forced_where_the_rerun_is_silent(net, image):
    base = force(net, L1_s0=0)
    original = Original(net, image, base=base)
    assert (original.outcome.gates[net.space.paths_from(1)] == 0).all()
    result = original.rerun(force(net, L3_s0=0))
    wanted = whole(net, image, force(net, L1_s0=0, L3_s0=0))
    assert np.array_equal(result.forced.gates, wanted.gates[0].numpy(), equal_nan=True)


def test_a_resized_image_is_segmented_at_its_own_size(net, image, label):
    result = rerun(net, image, force(net, L2_s0=0), resize=(32, 64), label=label)
    assert result.changed.shape == (48, 80)
    assert result.macs()[0] == macs(net, result.original.gates[None], (32, 64))[0]


def test_a_part_that_a_static_network_has_not_built_is_an_error_in_one_line(make_net, net, image):
    fixed = architectures(net.space)["all_open"].activations.copy()
    fixed[net.space.path_index(2, 1, "up")] = 0
    static = make_net(**SETTINGS, fixed_gates=tuple(fixed.tolist()))
    with pytest.raises(InputError, match="was not built"):
        rerun(static, image, force(static, L2_s1_up=1))
    assert rerun(static, image, force(static, L3_s0=0)).changed.shape == (48, 80)


def test_more_classes_than_a_byte_holds_are_told_apart(make_net, image):
    net = make_net(**SETTINGS | {"num_classes": 300})
    with torch.no_grad():
        net.decoder.predictor.bias[299] = 1e6
    found = rerun(net, image, ForcedRoute(net.space), label=np.full((48, 80), 299))
    assert (found.original.prediction == 299).all()
    assert found.original.pixel_accuracy == 1


def test_infinity_in_a_cell_that_only_the_forced_route_opens_is_named(make_net, image):
    net = make_net(**SETTINGS)
    cell = net.space.cell_names.index("L1 s0")
    with torch.no_grad():
        net.cells[cell].operation[0].pointwise.conv.weight.fill_(torch.inf)
    original = Original(net, image, base=force(net, L1_s0=0))
    original.rerun(force(net, L2_s0=0))
    with pytest.raises(NonFiniteError, match="cell L1 s0"):
        original.rerun(force(net, L1_s0_keep=1))


def test_a_route_of_another_space_is_refused(net, image):
    with pytest.raises(InputError, match="belongs to"):
        rerun(net, image, ForcedRoute(lattice_space(4, 8), {"L1 s0": 0}))


def test_a_label_of_another_size_is_refused(net, image):
    with pytest.raises(InputError, match="must agree"):
        Original(net, image, label=np.zeros((3, 3), int))


@pytest.mark.parametrize("max_bytes", [1, 40_000, 1 << 30])
def test_a_kept_pass_stays_within_its_bound_and_gives_the_same(net, max_bytes):
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    kept = KeptPass(net, images, max_bytes=max_bytes)
    stem = 2 * 4 * 16 * 16 * 4
    assert kept.nbytes <= max(max_bytes, stem)
    with torch.inference_mode():
        for path in (0, 5, net.space.n_paths - 1):
            wanted = net(images, route={path: 0.3})
            got = kept.run({path: 0.3})
            assert torch.equal(got.logits, wanted.logits)
        assert torch.equal(kept.output.logits, net(images).logits)


def test_a_kept_pass_knows_where_a_route_first_differs(net):
    kept = KeptPass(net, torch.zeros(1, 3, 32, 32), {3: 0.5})
    assert kept.first_difference({3: 0.5}) == net.space.layers
    assert kept.first_difference(None) == net.space.paths.layer[3]
    assert kept.first_difference({3: 0.5, net.space.path_index(2, 1, "up"): 0}) == 2


def test_a_network_in_training_is_refused(net):
    with pytest.raises(InputError, match="eval"):
        KeptPass(RoutingNetwork(NetworkConfig(layers=4, width=4)), torch.zeros(1, 3, 32, 32))
