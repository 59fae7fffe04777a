import numpy as np
import pytest
import torch
from torch import nn

import routeviz as rv
from routeviz.errors import InputError, LogError


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 1)

    def forward(self, x):
        for shift in range(3):
            x = x + self.gate(x + shift).sigmoid()
        return x


SPACE = rv.chain_space(3)
GATES = {f"gates.{at}": f"block {at}" for at in range(3)}


def hard(output):
    return (output > 0).float()


@pytest.fixture
def images():
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(1))


def test_a_log_holds_what_each_gate_said_of_each_image(model, images):
    with rv.record(model, SPACE, GATES, activations=hard) as recording:
        model(images[:3])
        recording.add(id=["a", "b", "c"], digit=torch.tensor([1, 2, 3]), split="val")
        model(images[3:])
        recording.add(id=["d", "e"], digit=[4, 5])
    log = recording.log
    expected, x = [], images
    for block, gate in zip(model.blocks, model.gates, strict=True):
        expected.append(hard(gate(x)))
        x = x + expected[-1] * block(x)
    np.testing.assert_array_equal(log.gates, torch.cat(expected, dim=1).detach().numpy())
    assert log.images["id"].tolist() == list("abcde")
    assert log.images["digit"].tolist() == [1, 2, 3, 4, 5]
    assert log.images["split"].isna().tolist() == [False] * 3 + [True] * 2
    assert log.source["model"] == "Gated"


def test_recording_changes_nothing_and_leaves_nothing_behind(model, images, hooks):
    before = model(images)
    with rv.record(model, SPACE, GATES, activations=hard):
        during = model(images)
    assert torch.equal(before, during)
    assert not hooks(model)

    def fail():
        with rv.record(model, SPACE, GATES, activations=hard) as recording:
            model(images)
            assert hooks(model)
            recording.add(digit=[1])

    with pytest.raises(InputError, match="the last forward pass gave 5 rows"):
        fail()
    assert not hooks(model)


def test_a_log_in_batches_is_that_of_one_batch(model, images):
    logs = []
    for size in (1, 2, 5):
        with rv.record(model, SPACE, GATES, activations=hard) as recording:
            for batch in images.split(size):
                model(batch)
        logs.append(recording.log)
    assert logs[0].images["id"].tolist() == ["0", "1", "2", "3", "4"]
    for log in logs[1:]:
        np.testing.assert_array_equal(log.gates, logs[0].gates)


def test_a_gate_that_runs_for_every_block_gives_them_in_turn(images):
    model = Recurrent()
    with rv.record(model, SPACE, {"gate": SPACE.cell_names}, activations=torch.sigmoid) as recording:
        model(images)
    log, x = recording.log, images
    for at in range(3):
        alpha = model.gate(x + at).sigmoid()
        np.testing.assert_allclose(log.gates[:, at], alpha[:, 0].detach().numpy(), atol=1e-6)
        x = x + alpha


def test_paths_without_a_gate_are_open_and_what_is_not_reached_is_nan(model, images):
    space = rv.exits_space(3)

    def leave(_):
        return rv.exit_gates(space, [0, 1, 2, 2, 0])

    with rv.record(model, space, {"": rv.Gate(space.cell_names, leave)}) as recording:
        model(images)
    assert np.isnan(recording.log.gates[0, 2:]).all()
    with rv.record(model, SPACE, {"gates.0": "block 0"}, activations=hard) as recording:
        model(images)
    assert (recording.log.gates[:, 1:] == 1).all()


def test_tokens_are_rows():
    router = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=-1))
    with rv.record(router, rv.experts_space(1, 3), {"1": "layer 0"}) as recording:
        out = router(torch.randn(2, 5, 4))
        recording.add(image=np.repeat(["a", "b"], 5))
    np.testing.assert_array_equal(recording.log.gates, out.detach().reshape(10, 3).numpy())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_is_recorded_as_it_is(model, images, hooks):
    with rv.record(model, SPACE, GATES, activations=hard) as recording:
        model(images)
    compiled = torch.compile(model, backend="eager")
    compiled(images)
    with rv.record(compiled, SPACE, GATES, activations=hard) as again:
        compiled(images)
    np.testing.assert_array_equal(again.log.gates, recording.log.gates)
    assert not hooks(model)


def test_a_model_of_distributed_data_parallel_is_recorded_as_it_is(model, images, tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(model)
        with rv.record(wrapped, SPACE, GATES, activations=hard) as recording:
            wrapped(images)
    finally:
        torch.distributed.destroy_process_group()
    with rv.record(model, SPACE, GATES, activations=hard) as alone:
        model(images)
    np.testing.assert_array_equal(recording.log.gates, alone.log.gates)


@pytest.mark.parametrize(
    ("gates", "options", "words"),
    [
        ({}, {}, "no gates"),
        ({"gates.7": "block 0"}, {}, "no module 'gates.7'"),
        ({"gates.0": "block 9"}, {}, "no cell or path 'block 9'"),
        ({"gates.0": "block 0", "gates.1": "block 0 run"}, {}, "has two gates"),
        ({nn.Linear(1, 1): "block 0"}, {}, "not part of the model"),
        ({"gates.0": "block 0"}, {"activations": lambda out: out * 100}, "activations lie in"),
        ({"gates.0": "block 0"}, {"activations": lambda out: [out]}, "gives list"),
        ({"gates.0": ["block 0", "block 1"]}, {"activations": hard}, "for 2 paths"),
        ({"blocks.0": "block 0"}, {"activations": hard}, r"give \(rows, 1\)"),
        ({"gates.0": "block 0"}, {"activations": lambda out: out * torch.nan}, "gives NaN"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(model, images, gates, options, words, hooks):

    def run():
        with rv.record(model, SPACE, gates, **options):
            model(images)

    with pytest.raises(InputError, match=words) as caught:
        run()
    assert "\n" not in str(caught.value)
    assert not hooks(model)


def test_without_a_forward_pass_there_is_no_log(model, images):
    with rv.record(model, SPACE, GATES, activations=hard) as recording:
        model.blocks[0](images)
        with pytest.raises(InputError, match="call the model first"):
            recording.add(digit=1)
    with pytest.raises(LogError, match="no forward pass"):
        _ = recording.log
    with pytest.raises(InputError, match="DataParallel"), rv.record(nn.DataParallel(model), SPACE, GATES):
        pass
