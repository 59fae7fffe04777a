import numpy as np
import pytest
import torch

from routeviz.costs import expected_macs
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.training.config import TrainConfig
from routeviz.training.learner import Learner
from routeviz.training.loss import budget_loss, cross_entropy, expected_share
from routeviz.training.ranks import Ranks

# Two cells: the first with two paths, the second with one. Operations cost 100 and 50, paths 10, 20 and 30.
SOURCE = torch.tensor([0, 0, 1])
OPERATION = torch.tensor([100.0, 50.0])
PATH = torch.tensor([10.0, 20.0, 30.0])
WHOLE = 210.0


def test_expected_share_by_hand():
    gates = torch.tensor([[0.5, 0.2, 1.0], [0.0, 0.0, 0.0]])
    # First image: 0.5·100 + 1.0·50 + 0.5·10 + 0.2·20 + 1.0·30 = 139; second: nothing. Mean 69.5.
    assert expected_share(gates, SOURCE, OPERATION, PATH, WHOLE).item() == pytest.approx(69.5 / 210)


def test_every_path_open_costs_the_whole_space():
    assert expected_share(torch.ones(3, 3), SOURCE, OPERATION, PATH, WHOLE).item() == pytest.approx(1)


def test_budget_loss_by_hand_is_of_the_mean_not_the_mean_of_the_squares():
    gates = torch.tensor([[0.5, 0.2, 1.0], [0.0, 0.0, 0.0]])
    share = expected_share(gates, SOURCE, OPERATION, PATH, WHOLE)
    assert budget_loss(share, weight=0.5, target=0.1).item() == pytest.approx(0.5 * (69.5 / 210 - 0.1) ** 2)


def test_budget_loss_pulls_gates_towards_its_target_from_both_sides():
    for value, sign in ((0.9, 1), (0.05, -1)):
        gates = torch.full((2, 3), value, requires_grad=True)
        budget_loss(expected_share(gates, SOURCE, OPERATION, PATH, WHOLE), weight=0.5, target=0.5).backward()
        assert (gates.grad * sign > 0).all()


def test_expected_share_is_the_cost_rooms_expected_macs(config):
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=3, stem_width=4))
    learner = Learner(net, config, Ranks(0, 1, torch.device("cpu")), ignore_index=255)
    gates = torch.rand(5, net.space.n_paths)
    share = expected_share(gates, learner.source, learner.operation, learner.path, learner.whole)
    reference = expected_macs(net, gates.numpy(), config.crop)
    assert share.item() == pytest.approx(np.mean(reference) / learner.whole, rel=1e-5)


def test_cross_entropy_is_torchs_mean_over_labelled_pixels():
    logits, label = torch.randn(2, 5, 6, 7), torch.randint(0, 5, (2, 6, 7), dtype=torch.uint8)
    label[0, :3] = 255
    expected = torch.nn.functional.cross_entropy(logits, label.long(), ignore_index=255)
    assert cross_entropy(logits, label, ignore_index=255).item() == pytest.approx(expected.item(), rel=1e-6)


def test_batch_without_any_label_has_no_loss_and_no_gradient():
    logits = torch.randn(1, 5, 2, 2, requires_grad=True)
    loss = cross_entropy(logits, torch.full((1, 2, 2), 255, dtype=torch.uint8), ignore_index=255)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_learning_rate_is_the_papers_at_batch_8_and_grows_with_the_batch():
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=3, stem_width=4))
    config = TrainConfig(layers=4, width=4, batch_size=16, warmup_steps=0, crop=(32, 32))
    assert Learner(net, config, Ranks(0, 1, torch.device("cpu")), ignore_index=255).rate == pytest.approx(0.1)
