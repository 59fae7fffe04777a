"""Every network of the table: what it says of itself holds, and its log counts what executes."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from routeviz.bundled import bundled_data
from routeviz.datasets import Digits
from routeviz.errors import InputError
from routeviz.gated import NETWORKS, Gated, record_digits
from routeviz.recording import record
from routeviz.routelog import load_log
from routeviz.space import KINDS

PIXELS = torch.from_numpy(Digits().pixels)


def spread_gates(net):
    """Weights under which gates decide differently from image to image, as they seldom do before training."""
    generator = torch.Generator().manual_seed(10)
    with torch.no_grad():
        for name, weights in net.named_parameters():
            if any(word in name for word in ("gate", "policy", "router", "classifiers")) and weights.ndim > 1:
                # An agent of channels is given pooled features, which hardly differ before training.
                weights.copy_((20 if "encoders" in name else 1) * torch.randn(weights.shape, generator=generator))
            elif any(word in name for word in ("gate", "policy")):
                weights.copy_(0.3 * torch.randn(weights.shape, generator=generator))
    return net.eval()


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def net(request):
    torch.manual_seed(0)
    return spread_gates(request.param())


def executed(net, images):
    """Multiply-adds that run, as torch counts them."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net(images)
    return counter.get_total_flops() // 2


def logged(net, images):
    with torch.no_grad(), record(net, net.space, net.gates(), costs=net.costs(images)) as recording:
        net(images)
    return recording.log


def test_macs_of_the_log_are_what_executes_for_each_image_alone(net):
    images = PIXELS[:12]
    log = logged(net, images)
    counted = log.images.macs_conv.to_numpy().reshape(len(images), net.tokens).sum(axis=1)
    assert counted.tolist() == [executed(net, images[at : at + 1]) for at in range(len(images))]
    assert len(np.unique(np.nan_to_num(log.gates), axis=0)) > 1


def test_a_batch_gives_each_image_what_it_gets_alone(net):
    images = PIXELS[:6]
    whole = logged(net, images)
    with torch.no_grad():
        together = net(images)
        for at in range(len(images)):
            torch.testing.assert_close(net(images[at : at + 1])[0], together[at], rtol=1e-4, atol=1e-5)
    rows = [logged(net, images[at : at + 1]).gates for at in range(len(images))]
    np.testing.assert_allclose(np.concatenate(rows), whole.gates, rtol=1e-4, atol=1e-5)


def test_a_step_of_training_reaches_the_gates(net):
    net.train()
    for progress in (0.0, 0.5, 0.9):
        net.loss(PIXELS[:16], torch.from_numpy(Digits().digits[:16]), progress).backward()
    words = ("gate", "policy", "router.logits", "classifiers")
    gates = {name: weights.grad for name, weights in net.named_parameters() if any(word in name for word in words)}
    assert gates
    assert [name for name, grad in gates.items() if grad is None or not grad.abs().sum() > 0] == []


STEM, HEAD = 64 * 9 * 16, 64 * 10
FIXED = {
    "skipnet": STEM + HEAD,
    "blockdrop": STEM + HEAD + 16 * 9 * 8 + 4 * 9 * 8 * 16 + 64 * 9,  # and the policy
    "convnet-aig": STEM + HEAD,
    "msdnet": 64 * 9 * 8 + 16 * 9 * 8 * 16,
    "hydranet": STEM + 80 * 10,
    "moe": 4 * 32 + 3 * (32 * 96 + 2 * 16 * 32 + 32 * 32) + 32 * 10 // 16,  # of a token; it looks at all sixteen
    "pruning": STEM + HEAD,
}
"""MACs of what no gate decides over, by hand: pixels, kernel, channels."""


def test_what_is_fixed_and_everything_cost_what_is_counted_by_hand(net):
    costs = net.costs(PIXELS[:4])
    assert costs.fixed == FIXED[net.name]
    net.everything = True
    assert costs.total * net.tokens == executed(net, PIXELS[:1])
    assert net.space.kind in KINDS


def test_blocks_and_gates_of_skipnet_cost_what_is_counted_by_hand():
    costs = NETWORKS["skipnet"]().costs(PIXELS[:2])
    whole, wider = 2 * 64 * 9 * 16 * 16, 16 * 9 * 16 * 32 + 16 * 9 * 32 * 32  # each stage: half the side, twice as wide
    assert costs.operation.tolist() == [whole] * 3 + [wider, whole, whole] * 2
    assert costs.gate.tolist() == [width * 10 + 4 * 10 * (10 + 10) + 10 for width in [16] * 4 + [32] * 3 + [64] * 2]
    assert costs.path.tolist() == [0] * 9


def test_counting_leaves_the_network_as_it_was_by_an_error_too(net):
    net.train()
    net.costs(PIXELS[:2])
    with pytest.raises(InputError, match="at least one image"):
        net.costs(PIXELS[:0])
    assert net.training
    assert not net.everything


def test_a_network_that_does_not_say_what_it_must_is_none():
    class Silent(Gated):
        def loss(self, images, labels, progress):
            return images.sum()

    with pytest.raises(TypeError, match="gates"):
        Silent()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_bundled_weights_give_the_bundled_log(name):
    folder = bundled_data(f"gated/{name}")
    net = NETWORKS[name]()
    net.load_state_dict(load_file(folder / "weights.safetensors"))
    log, now = load_log(folder / "log", verify=True), record_digits(net)
    assert log.space == now.space
    assert log.images["answer"].eq(now.images["answer"]).mean() > 0.99
    assert np.isclose(log.gates, now.gates, atol=1e-3, equal_nan=True).mean() > 0.999
    assert log.images["correct"].mean() > 0.95
    assert log.source["costs"] == now.source["costs"]
