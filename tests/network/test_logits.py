import numpy as np
import pytest
import torch

from routeviz.network.logits import classes_at, divergence


def test_classes_are_those_of_the_resized_logits():
    logits = torch.tensor([[[[1.0, 0.0]], [[0.0, 3.0]]]])  # (1, class, 1, 2)
    assert classes_at(logits, (1, 2)).tolist() == [[[0, 1]]]
    # Bilinear: 1, 0.75, 0.25, 0 against 0, 0.75, 2.25, 3; of equal ones the first.
    assert classes_at(logits, (1, 4)).tolist() == [[[0, 0, 1, 1]]]


def test_the_divergence_by_hand():
    p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    found = divergence(p.log()[..., None, None], 5 + q.log()[..., None, None])
    assert found.numpy() == pytest.approx([0.5 * np.log(2) + 0.5 * np.log(2 / 3), 0], abs=1e-6)
    assert (found >= 0).all()
