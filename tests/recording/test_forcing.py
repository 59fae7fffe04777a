"""Forced gates of a user's own model, against the model with its blocks left out by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import routeviz as rv
from routeviz.counterfactual import ForcedRoute
from routeviz.errors import InputError
from routeviz.gated import NETWORKS

SPACE = rv.chain_space(3)


def hard(output):
    return (output > 0).float()


def soft(output, runs):
    return 2 * runs - 1


GATES = {f"gates.{at}": rv.Gate(f"block {at}", hard, soft) for at in range(3)}


@pytest.fixture
def x():
    return torch.randn(40, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("forced", [{0: 0}, {0: 1, 2: 0}, {1: 0.0}, {}])
@torch.inference_mode()
def test_a_forced_model_is_the_one_with_its_blocks_left_out_by_hand(model, x, forced, hooks):
    wanted = model.by_hand(x, forced)
    with rv.force_paths(model, SPACE, GATES, forced), rv.record(model, SPACE, GATES) as inner:
        assert torch.equal(model(x), wanted)
    with rv.record(model, SPACE, GATES) as outer, rv.force_paths(model, SPACE, GATES, forced):
        model(x)
    np.testing.assert_array_equal(inner.log.gates, outer.log.gates)
    for path, value in forced.items():
        assert (inner.log.gates[:, path] == value).all()
    assert not hooks(model)
    assert torch.equal(model(x), model.by_hand(x, {}))
    if forced.get(0) == 0:  # those further on are asked on what it changed
        with rv.record(model, SPACE, GATES) as free:
            model(x)
        assert (free.log.gates[:, 1] != inner.log.gates[:, 1]).any()


@torch.inference_mode()
def test_a_route_in_words_and_a_compiled_model(model, x):
    route = ForcedRoute(SPACE, {"block 1": "closed"})
    compiled = torch.compile(model, backend="eager")
    compiled(x)
    with rv.force_paths(compiled, SPACE, GATES, route):
        assert torch.equal(compiled(x), model.by_hand(x, {1: 0}))
    assert torch.equal(compiled(x), model.by_hand(x, {}))


class Recurrent(nn.Module):
    """One gate that runs for each block and hands on a state; it returns activations themselves."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 1)

    def forward(self, x):
        seen = []
        for shift in range(3):
            runs = torch.sigmoid(self.gate(x + shift))
            seen.append(runs)
            x = x + runs
        return torch.cat(seen, dim=1)


@torch.inference_mode()
def test_a_gate_that_runs_for_one_block_after_the_other(x):
    model = Recurrent()
    gates = {"gate": rv.Gate(SPACE.cell_names, torch.sigmoid, lambda output, runs: torch.logit(runs))}
    free = model(x)
    for _ in range(2):  # every forward pass begins with the first block
        with rv.force_paths(model, SPACE, gates, {1: 0.0}):
            for _ in range(2):
                seen = model(x)
    assert (seen[:, 1] == 0).all()
    assert torch.equal(seen[:, 0], free[:, 0])
    assert (seen[:, 2] != free[:, 2]).any()  # of an x without the second block's share


class Wide(nn.Module):
    """A gate that is asked in each of some rounds, with shapes that a convolution, or tokens, would have."""

    def __init__(self, rounds, *shape):
        super().__init__()
        self.gate, self.rounds, self.shape = nn.Identity(), rounds, shape

    def forward(self, x):
        return torch.stack([self.gate(torch.ones(len(x), *self.shape)) for _ in range(self.rounds)] or [x])


def test_a_gate_of_two_calls_is_forced_on_the_path_that_was_named(x):
    model, space = Wide(2, 2, 1, 1), rv.branches_space(4)
    for path in range(4):
        wanted = torch.ones(2, 40, 2, 1, 1)
        wanted[path // 2, :, path % 2] = 0
        with rv.force_paths(model, space, {"gate": space.cell_names}, {path: 0.0}):
            assert torch.equal(model(x), wanted)


def test_a_call_that_may_be_of_four_paths_or_of_one_of_four_tokens_is_refused(x):
    model, space = Wide(4, 4, 1), rv.branches_space(4)
    with rv.record(model, space, {"gate": space.cell_names}) as recording:
        model(x)
    assert recording.log.gates.shape == (160, 4)  # a recording knows, when the pass has ended
    with (
        pytest.raises(InputError, match="cannot be told which a call is of"),
        rv.force_paths(model, space, {"gate": space.cell_names}, {1: 0.0}),
    ):
        model(x)
    plain = rv.Gate(space.cell_names, lambda output: output.reshape(-1, 1), lambda output, runs: runs.view_as(output))
    with rv.force_paths(model, space, {"gate": plain}, {1: 0.0}):
        seen = model(x)
    assert seen.mean(dim=(1, 2, 3)).tolist() == [1, 0, 1, 1]


def test_a_gate_whose_calls_do_not_fit_its_paths_is_refused(x):
    space = rv.branches_space(4)
    for model, message in (
        (Wide(3, 1), "ran 3 times for 4 paths"),
        (Wide(2, 1), "each as if for 1 of its 4 paths"),
        (Wide(1, 3), "array of shape .40, 3. for 4 paths"),
        (Wide(0, 1), "did not run in this forward pass"),
    ):
        with (
            pytest.raises(InputError, match=message),
            rv.force_paths(model, space, {"gate": space.cell_names}, {1: 0.0}),
        ):
            model(x)


@torch.inference_mode()
def test_what_cannot_be_forced_is_said_in_one_line(model, x, hooks):
    two = rv.branches_space(4)
    branches = nn.Linear(4, 4)

    def two_best(scores):
        return (scores >= scores.topk(2, dim=1).values[:, [1]]).float()

    for gates, space, route, message in (
        ({"gates.0": rv.Gate("block 0", hard, lambda output, runs: output)}, SPACE, {0: 0}, "not say what was written"),
        ({"gates.0": rv.Gate("block 0", hard)}, SPACE, {0: 0}, "say how activations get into what it returns"),
        ({"gates.0": GATES["gates.0"]}, SPACE, {1: 0}, "path block 1 run has no gate"),
        (GATES, SPACE, {7: 0}, "no path 7"),
        (GATES, SPACE, {0: 2.0}, "valid: 0 to 1"),
    ):
        with pytest.raises(InputError, match=message), rv.force_paths(model, space, gates, route):
            model(x)
        assert not hooks(model)
    gate = {"": rv.Gate(two.cell_names, two_best, lambda scores, opens: opens)}
    with (
        pytest.raises(InputError, match="cannot open these paths together"),
        rv.force_paths(branches, two, gate, np.array([1.0, 0, 0, 0])),
    ):
        branches(x)


def test_what_closing_each_path_changes(model, x):
    nn.init.zeros_(model.blocks[2].weight)
    nn.init.zeros_(model.blocks[2].bias)  # open, and changes nothing
    nn.init.constant_(model.gates[2].bias, 9.0)
    nn.init.constant_(model.gates[0].bias, -9.0)  # never open
    costs = rv.measure_macs(model, SPACE, x, operations={f"block {at}": f"blocks.{at}" for at in range(3)})
    table = rv.close_paths(model, SPACE, GATES, lambda: model(x), costs=costs)
    with torch.inference_mode():
        before, after = model.by_hand(x, {}), model.by_hand(x, {1: 0})
    kl = F.kl_div(after.log_softmax(1), before.log_softmax(1), reduction="batchmean", log_target=True)
    assert table["path"].tolist() == list(SPACE.path_names)
    assert table["kl"].tolist() == pytest.approx([0, float(kl), 0], abs=1e-6)
    assert table["kl"][1] > 1e-3
    changed = (before.argmax(1) != after.argmax(1)).float().mean()
    assert table["changed"].tolist() == pytest.approx([0, float(changed), 0])
    opened = (table["open"] * len(x)).round().astype(int).tolist()
    assert opened[0] == 0
    assert opened[2] == len(x)
    assert 0 < opened[1] < len(x)
    assert table["macs_conv"].tolist() == pytest.approx([0, -16 * table["open"][1], -16])
    sheet = rv.plot_importance.describe(SPACE, table, rows="tokens", answers="answers")
    assert sheet.table() is table
    assert "pixels" not in repr(sheet)
    assert "no token" in repr(sheet)
    with pytest.raises(InputError, match="lacks saved_conv, miou, changed_open"):
        rv.flag_paths(table)
    with pytest.raises(InputError, match="a tensor"):
        rv.close_paths(model, SPACE, GATES, lambda: model(x).sum())


def test_paths_without_a_gate_are_not_closed(model, x):
    table = rv.close_paths(model, SPACE, {at: GATES[at] for at in ("gates.1", "gates.2")}, lambda: model(x))
    assert table["open"][0] == 1
    assert table[["kl", "changed"]].isna().all(axis=1).tolist() == [True, False, False]
    whole = rv.close_paths(model, SPACE, GATES, lambda: model(x))
    assert table["kl"][1:].tolist() == whole["kl"][1:].tolist()


def test_paths_of_a_model_in_training_mode_are_not_closed(model, x):
    with pytest.raises(InputError, match=r"call model\.eval"):
        rv.close_paths(model.train(), SPACE, GATES, lambda: model(x))


def test_macs_of_inputs_of_two_sizes_change_by_what_each_costs():
    class Sized(nn.Module):
        """A block that always runs, over as many tokens as it is given."""

        def __init__(self):
            super().__init__()
            self.gate, self.block = nn.Linear(4, 1), nn.Linear(4, 4)
            nn.init.constant_(self.gate.bias, 9.0)

        def forward(self, x):
            return (x + (self.gate(x.mean(dim=1)) > 0)[:, None] * self.block(x)).mean(dim=1)

    torch.manual_seed(3)
    model, space = Sized().eval(), rv.chain_space(1)
    small, large = torch.randn(3, 2, 4), torch.randn(1, 6, 4)
    costs = [rv.measure_macs(model, space, one, operations={"block 0": "block"}) for one in (small, large)]
    gates = {"gate": rv.Gate("block 0", hard, soft)}
    table = rv.close_paths(model, space, gates, lambda: torch.cat([model(small), model(large)]), costs=costs)
    assert table["macs_conv"].tolist() == [-(3 * 2 + 6) * 16 / 4]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "msdnet"])
@torch.inference_mode()
def test_networks_of_other_kinds_are_forced(name):
    torch.manual_seed(0)
    net = NETWORKS[name]().eval()
    images = torch.randn(6, 1, 8, 8)
    with rv.record(net, net.space, net.gates()) as free:
        scores = net(images)
    gates = free.log.gates
    asked = [(0.0, np.flatnonzero((gates > 0).any(axis=0))[-1]), *((1.0, p) for p in np.argwhere(gates == 0)[:1, 1])]
    for value, path in asked:
        with rv.force_paths(net, net.space, net.gates(), {path: value}), rv.record(net, net.space, net.gates()) as log:
            forced = net(images)
        assert (log.log.gates[:, path] == value).all()
        assert not torch.equal(scores, forced)


@pytest.mark.parametrize(("name", "layer"), [("hydranet", 0), ("pruning", 1)])
@torch.inference_mode()
def test_a_forced_set_runs_that_no_gate_would_choose(name, layer):
    torch.manual_seed(0)
    net = NETWORKS[name]().eval()
    ran = []
    parts = net.branches if name == "hydranet" else net.layers[layer]
    for at, part in enumerate(parts):
        part.register_forward_hook(lambda *_, at=at: ran.append(at))
    cell = np.flatnonzero(net.space.source == layer)
    route = {int(path): float(at in (0, 2, 3)) for at, path in enumerate(cell)}  # neither two, nor the first so many
    with rv.force_paths(net, net.space, net.gates(), route):
        net(torch.randn(6, 1, 8, 8))
    assert ran == [0, 2, 3]


def test_where_an_image_leaves_is_not_forced():
    net = NETWORKS["msdnet"]().eval()
    with (
        pytest.raises(InputError, match="gate 'answers' cannot be forced"),
        rv.force_paths(net, net.space, net.gates(), {0: 0.0}),
    ):
        net(torch.randn(2, 1, 8, 8))
