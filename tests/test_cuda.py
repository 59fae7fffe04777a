"""What runs on a GPU gives what it gives on the CPU: networks, traces, forced paths, training. Skipped without one."""

import numpy as np
import pytest
import torch
from torch import nn

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.counterfactual import KeptPass, close_each
from routeviz.datasets import open_dataset
from routeviz.errors import NonFiniteError
from routeviz.network import EXECUTIONS
from routeviz.space import OPEN_THRESHOLD
from routeviz.training import TrainConfig, checkpoint_paths, read_metrics, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can compute on")
CHECKPOINT = bundled_data("checkpoints") / "scenes" / "checkpoints" / "step-006000.safetensors"


@pytest.fixture(scope="module")
def scenes():
    return open_dataset("scenes", length=16, size=(64, 128))


@pytest.fixture(scope="module")
def images(scenes):
    net = rv.load_checkpoint(CHECKPOINT)
    return torch.stack([net.preprocess(scenes[number].image) for number in range(8)])


@pytest.fixture
def exact():
    """Convolutions in float32, as a trace computes them; torch's own default is TF32, with a mantissa of 10 bits."""
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def loaded(device, execution="folded"):
    net = rv.load_checkpoint(CHECKPOINT).to(device).eval()
    net.execution = execution
    return net


def assert_same_paths(gates, others, within=1e-5):
    """Open paths agree, but where an activation lies so near the threshold that rounding decides."""
    gates, others = np.nan_to_num(gates), np.nan_to_num(others)
    clear = np.abs(others - OPEN_THRESHOLD) > within
    assert clear.mean() > 0.99
    np.testing.assert_array_equal((gates > OPEN_THRESHOLD)[clear], (others > OPEN_THRESHOLD)[clear])
    np.testing.assert_allclose(gates, others, atol=1e-4)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("execution", EXECUTIONS)
def test_each_execution_gives_what_the_cpu_gives(images, execution):
    there, here = loaded("cuda", execution)(images.cuda()), loaded("cpu")(images)
    assert there.gates.is_cuda
    assert (there.logits.cpu() - here.logits).abs().max() < 1e-4 * here.logits.abs().max()
    assert_same_paths(there.gates.cpu().numpy(), here.gates.numpy())


@pytest.mark.usefixtures("exact")
def test_forced_routes_that_differ_from_image_to_image(images):
    net, rng = loaded("cuda"), np.random.default_rng(0)
    route = np.where(rng.random((8, net.space.n_paths)) < 0.5, rng.random((8, net.space.n_paths)), np.nan)
    there, here = net(images.cuda(), route=route), loaded("cpu")(images, route=route)
    assert (there.logits.cpu() - here.logits).abs().max() < 1e-4 * here.logits.abs().max()
    assert_same_paths(there.gates.cpu().numpy(), here.gates.numpy())
    kept = KeptPass(net, images.cuda())
    again = kept.run(route)
    assert (again.logits - there.logits).abs().max() < 1e-4 * here.logits.abs().max()


@pytest.mark.usefixtures("exact")
def test_captured_passes_follow_weights_sizes_and_routes(images):
    """A graph that was captured before is not run in place of what is asked for."""
    net, reference = loaded("cuda", "captured"), loaded("cuda")
    shut = np.zeros(net.space.n_paths)

    def assert_agree(batch, **how):
        there, here = net(batch.cuda(), **how), reference(batch.cuda(), **how)
        assert (there.logits - here.logits).abs().max() < 1e-4 * here.logits.abs().max()
        assert_same_paths(there.gates.cpu().numpy(), here.gates.cpu().numpy())

    for _ in range(2):
        for n in (8, 1, 2, 3, 4, 5):
            assert_agree(images[:n])
        assert_agree(images, route=shut)
        assert_agree(images, run_starved=False)
        assert_agree(images[..., :50, :70])
    first = net(images.cuda())
    second = net(images.flip(0).cuda())
    torch.testing.assert_close(first.logits.flip(0), second.logits, rtol=0, atol=1e-3)  # not overwritten by the second
    for one in (net, reference):
        with torch.no_grad():
            one.cells[0].gate.score.bias -= 0.5
    assert_agree(images)
    closed = np.full(net.space.n_paths, np.nan)
    closed[net.space.paths_from(5)] = 0
    for one in (net, reference):
        with torch.no_grad():
            one.cells[5].operation[0].depthwise.weight.fill_(torch.inf)
    assert_agree(images, route=closed)  # what no image opens may hold anything


@pytest.mark.usefixtures("exact")
def test_what_closing_each_path_does(images):
    there, here = close_each(loaded("cuda"), images[0].cuda()), close_each(loaded("cpu"), images[0])
    np.testing.assert_allclose(there.kl, here.kl, atol=1e-4)
    np.testing.assert_allclose(there.changed, here.changed, atol=2e-3)
    for name, counts in here.macs.items():
        np.testing.assert_array_equal(there.macs[name], counts)


@pytest.mark.usefixtures("exact")
def test_what_is_no_number_is_named(images):
    bad = images.clone()
    bad[3, 1, 5, 7] = float("nan")
    with pytest.raises(NonFiniteError, match=r"image 3 of the batch.*channel 1, row 5, column 7"):
        loaded("cuda")(bad.cuda())
    net = loaded("cuda")
    net.cells[4].operation[0].depthwise.weight.data[0, 0, 0, 0] = float("inf")
    with pytest.raises(NonFiniteError, match=r"first appears in cell .*weights operation\.0"):
        net(images.cuda())


def test_trace_is_that_of_the_cpu_and_the_same_each_time(scenes, tmp_path):
    here = rv.trace(loaded("cpu"), scenes, workers=0)
    there, again = (rv.trace(loaded("cuda"), scenes, workers=0, out=tmp_path / name) for name in ("one", "two"))
    assert_same_paths(np.asarray(there.gates), np.asarray(here.gates))
    assert there.images["id"].tolist() == here.images["id"].tolist()
    np.testing.assert_allclose(there.images["miou"], here.images["miou"], atol=5e-3)
    assert there.digest == again.digest


def test_batches_of_another_size_make_no_other_log(scenes):
    one, eight = (rv.trace(loaded("cuda"), scenes, workers=0, batch_size=n) for n in (1, 8))
    assert_same_paths(np.asarray(one.gates), np.asarray(eight.gates))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_training_learns_and_goes_on_where_it_was_stopped(tmp_path, precision):
    config = TrainConfig(
        dataset="scenes", options={"length": 24, "size": [64, 128]}, crop=(64, 128), scale=(1, 1), width=8, layers=4,
        stem_width=16, batch_size=4, steps=40, checkpoint_every=20, eval_every=40, log_every=1, precision=precision,
    )  # fmt: skip
    train(config, tmp_path / "run", device="cuda")
    losses = [line["loss"] for line in read_metrics(tmp_path / "run") if line["kind"] == "step"]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    net = rv.load_checkpoint(checkpoint_paths(tmp_path / "run")[40])
    assert all(parameter.isfinite().all() for parameter in net.parameters())


def test_times_are_those_of_the_gpu():
    found = rv.measure_times(loaded("cuda"), (64, 128), rounds=3)
    assert found.device == torch.cuda.get_device_name()
    assert (found.parts["seconds"].dropna() > 0).all()


def test_gates_of_a_model_on_the_gpu_are_recorded():
    torch.manual_seed(0)
    model, x, logs = nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 1)), torch.randn(5, 4), []
    for device in ("cpu", "cuda"):
        gates = {"0": "block 0", "1": "block 1"}
        with rv.record(model.to(device), rv.chain_space(2), gates, activations=torch.sigmoid) as recording:
            model(x.to(device))
        logs.append(recording.log)
    np.testing.assert_allclose(np.asarray(logs[1].gates), np.asarray(logs[0].gates), atol=1e-6)
