"""Two processes over gloo: that they are one training, and that one does not outlive the other."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from routeviz.training import checkpoint_paths, read_metrics

from ..processes import together

TOGETHER = """
import hashlib, json, sys
import torch
from torch import nn
from routeviz.training import TrainConfig, loop, train
from routeviz.training.loss import budget_loss, cross_entropy, expected_share
from routeviz.training.ranks import average_statistics, gathered, joined_ranks, replicated

SOURCE, OPERATION, PATH = torch.tensor([0, 0, 1]), torch.tensor([3.0, 2.0]), torch.tensor([1.0, 2.0, 4.0])

class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.scale = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        y = self.scale(x)
        return y, torch.sigmoid(y.mean((2, 3)))

def gradient(model, images, labels):
    logits, gates = model(images)
    share = expected_share(gates, SOURCE, OPERATION, PATH, 12.0)
    loss = cross_entropy(logits, labels, ignore_index=255) + budget_loss(share, weight=5.0, target=0.1)
    loss.backward()

def digest(net):
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in net.state_dict().values())).hexdigest()

out, settings = sys.argv[1], json.loads(sys.argv[2])
torch.manual_seed(1)
images, labels = torch.randn(4, 3, 5, 5), torch.randint(0, 3, (4, 5, 5))
labels[0] = 255  # so that the ranks have different numbers of labelled pixels
alone = Toy()
gradient(alone, images, labels)

kept = {}
step = loop.Learner.step
def watched(self, *arguments):
    kept["net"] = self.net
    return step(self, *arguments)
loop.Learner.step = watched

with joined_ranks("cpu") as ranks:
    share = slice(2 * ranks.rank, 2 * ranks.rank + 2)
    toy = Toy()
    gradient(replicated(toy, ranks), images[share], labels[share])
    norm = nn.BatchNorm2d(3)
    norm.running_mean += ranks.rank
    average_statistics(norm)
    evaluation = train(TrainConfig.from_dict(settings), out)
    found = {
        "differences": gathered((toy.scale.weight.grad - alone.scale.weight.grad).abs().max().item()),
        "means": gathered(norm.running_mean.tolist()),
        "digests": gathered(digest(kept["net"])),
        "figures": gathered(evaluation.to_dict()),
    }
    if ranks.first:
        with open(out + "/found.json", "w") as file:
            json.dump(found, file)
"""

ONE_DIES = """
import json, os, sys
from routeviz.training import TrainConfig, loop, train

step = loop.Learner.step
def dying(self, number, *arguments):
    if number == 4 and self.ranks.rank == 1 and "resume" not in sys.argv:
        os._exit(7)
    return step(self, number, *arguments)
loop.Learner.step = dying
train(TrainConfig.from_dict(json.loads(sys.argv[2])), sys.argv[1], resume="resume" in sys.argv)
"""


def call(tmp_path, script, config, *options):
    """The script and its arguments."""
    (tmp_path / "script.py").write_text(script)
    return tmp_path / "script.py", tmp_path / "run", json.dumps(config.to_dict()), *options


def torchrun(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_two_processes_are_one_training(launch, tmp_path, config):
    ranks = together(launch, 2, *call(tmp_path, TOGETHER, config))
    assert [rank.ended() for rank in ranks] == [0, 0], ranks[0].output
    found = json.loads((tmp_path / "run" / "found.json").read_text())
    # Gradients of cross entropy and budget are those of the whole batch.
    assert max(found["differences"]) < 1e-6
    assert found["means"] == [[0.5] * 3] * 2
    # Weights and statistics are the same on both, and both know the figures over all images.
    assert found["digests"][0] == found["digests"][1]
    assert found["figures"][0] == found["figures"][1]
    assert found["figures"][0]["images"] == 6
    assert [line["step"] for line in read_metrics(tmp_path / "run") if line["kind"] == "step"] == list(range(1, 9))
    assert list(checkpoint_paths(tmp_path / "run")) == [3, 6, 8]


@pytest.mark.slow
def test_process_that_dies_ends_the_training_which_then_goes_on(tmp_path, config):
    process = torchrun(*call(tmp_path, ONE_DIES, config))
    assert process.returncode != 0
    assert "exitcode  : 7" in process.stderr
    assert "rank      : 1" in process.stderr
    assert list(checkpoint_paths(tmp_path / "run")) == [3]
    process = torchrun(*call(tmp_path, ONE_DIES, config, "resume"))
    assert process.returncode == 0, process.stderr
    assert [line["step"] for line in read_metrics(tmp_path / "run") if line["kind"] == "step"] == list(range(1, 9))
    assert list(checkpoint_paths(tmp_path / "run")) == [3, 6, 8]


@pytest.mark.slow
def test_four_processes_take_all_steps(launch, tmp_path, config):
    # Two images each: batch norm needs more than one value of a channel.
    ranks = together(launch, 4, *call(tmp_path, ONE_DIES, replace(config, batch_size=8), "resume"))
    assert [rank.ended() for rank in ranks] == [0] * 4, ranks[0].output
    assert list(checkpoint_paths(tmp_path / "run")) == [3, 6, 8]
