import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import routeviz as rv
from routeviz.errors import CostError, InputError
from routeviz.stats import recorded_parts


class Chain(nn.Module):
    """A convolution, two blocks with a gate inside each, and a linear head, on 6×6 images."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"gate": nn.Linear(2, 1), "body": nn.Conv2d(2, 2, 3, padding=1)}) for _ in range(2)
        )
        self.head = nn.Linear(2, 3)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            runs = block["gate"](x.mean(dim=(2, 3))) > 0
            x = x + runs[:, :, None, None] * block["body"](x)
        return self.head(x.mean(dim=(2, 3)))


SPACE = rv.chain_space(2)
PARTS = {
    "operations": {f"block {at}": f"blocks.{at}.body" for at in range(2)},
    "gates": {f"block {at}": f"blocks.{at}.gate" for at in range(2)},
}


@pytest.mark.parametrize("batch", [1, 3])
def test_parts_cost_what_is_counted_by_hand_whatever_the_batch(batch):
    costs = rv.measure_macs(Chain(), SPACE, torch.zeros(batch, 1, 6, 6), **PARTS)
    assert costs.fixed == 36 * 9 * 1 * 2 + 2 * 3
    assert costs.operation.tolist() == [36 * 9 * 2 * 2] * 2
    assert costs.gate.tolist() == [2, 2]
    assert costs.path.tolist() == [0, 0]
    assert costs.total == 654 + 2 * 1296 + 4


def test_macs_of_routes_are_sums_of_what_is_open_and_reached():
    space = rv.exits_space(2)
    costs = rv.PartCosts(space, 1, np.array([10, 20]), np.array([100, 200]), np.array([1000, 2000, 4000]))
    gates = rv.exit_gates(space, [0, 1])
    assert costs.macs(gates).tolist() == [1 + 10 + 100 + 2000, 1 + 30 + 300 + 1000 + 4000]
    assert costs.by_part(gates).iloc[0].tolist() == [1, 10, 100, 2000]
    assert costs.macs(np.zeros((0, 3))).tolist() == []
    again = rv.PartCosts.from_dict(space, costs.to_dict())
    assert again.macs(gates).tolist() == costs.macs(gates).tolist()


def test_a_log_knows_its_costs_when_it_comes_back_from_disk(tmp_path):
    model, images = Chain(), torch.randn(4, 1, 6, 6)
    costs = rv.measure_macs(model, SPACE, images, **PARTS)
    gates = {f"blocks.{at}.gate": f"block {at}" for at in range(2)}
    with rv.record(model, SPACE, gates, activations=lambda out: (out > 0).float(), costs=costs) as recording:
        model(images)
    recording.log.save(tmp_path / "log")
    log = rv.load_log(tmp_path / "log")
    assert log.costs.total == costs.total
    assert log.images.macs_conv.tolist() == [658 + 1296 * int(row.sum()) for row in log.gates]


def test_a_part_inside_another_is_counted_once():
    model = Chain()
    whole = nn.Sequential(model.stem, nn.Flatten(), nn.Linear(72, 1))
    space = rv.chain_space(1)
    costs = rv.measure_macs(whole, space, torch.zeros(2, 1, 6, 6), operations={"block 0": ""}, gates={"block 0": "2"})
    assert (costs.fixed, costs.operation.tolist(), costs.gate.tolist()) == (0, [648], [72])


def test_tokens_are_counted_one_by_one():
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    space = rv.experts_space(1, 1)
    paths = {"layer 0 expert 0": "1"}
    costs = rv.measure_macs(model, space, torch.zeros(2, 5, 4), paths=paths, rows=10)
    assert (costs.fixed, costs.path.tolist()) == (32, [24])


class Twice(nn.Module):
    """One convolution for a picture and for its quarter."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x):
        return self.shared(x).mean() + self.shared(x[..., ::2, ::2]).mean()


def test_a_part_that_costs_more_for_some_rows_has_no_one_cost():
    with pytest.raises(CostError, match=r"operation of block 0 does not cost the same for every row \(\[81.0, 324.0\]"):
        rv.measure_macs(Twice(), rv.chain_space(1), torch.zeros(2, 1, 6, 6), operations={"block 0": "shared"})


def test_what_cannot_be_counted_is_said():
    model, images = Chain(), torch.zeros(1, 1, 6, 6)
    model.spare = nn.Linear(1, 1)
    with pytest.raises(CostError, match="did not run"):
        rv.measure_macs(model, SPACE, images, operations={"block 0": "spare"})
    with pytest.raises(InputError, match="no cell 'block 7'"):
        rv.measure_macs(model, SPACE, images, operations={"block 7": "stem"})
    with pytest.raises(InputError, match="at least one image"):
        rv.measure_macs(model, SPACE, images[:0])
    with pytest.raises(InputError, match="give 2 whole numbers"):
        rv.PartCosts(SPACE, 0, np.zeros(3, int), np.zeros(2, int), np.zeros(2, int))


def test_rows_of_several_sizes_are_counted_each_with_the_macs_of_its_own(tmp_path):
    model = Chain()
    gates = {f"blocks.{at}.gate": f"block {at}" for at in range(2)}

    def record(costs, *sides):
        with rv.record(model, SPACE, gates, activations=lambda out: (out > 0).float(), costs=costs) as recording:
            for side in sides:
                model(torch.randn(2, 1, side, side, generator=torch.Generator().manual_seed(side)))
        return recording.log

    costs = [rv.measure_macs(model, SPACE, torch.zeros(1, 1, side, side), **PARTS) for side in (6, 12)]
    record(costs, 6, 12).save(tmp_path / "log")
    log = rv.load_log(tmp_path / "log")
    blocks = log.gates.sum(axis=1).astype(int)
    assert log.images.input_size.tolist() == ["1x6x6", "1x6x6", "1x12x12", "1x12x12"]
    # By hand: stem and block grow with the pixels, head and gates do not.
    pixels = np.array([36, 36, 144, 144])
    assert log.images.macs_conv.tolist() == (pixels * 18 + 10 + pixels * 36 * blocks).tolist()
    assert log.macs_by_part().sum(axis=1).tolist() == log.images.macs_conv.tolist()
    assert log.costs is None
    assert log.costs_of("1x12x12").total == costs[1].total
    assert log.costs_of("1x7x7") is None
    one = record(costs[:1], 6)
    assert "input_size" not in one.columns
    assert one.costs_of("").total == costs[0].total
    with pytest.raises(InputError, match=r"an input of size 1x12x12, and costs of 1x6x6: measure its own"):
        record(costs[0], 6, 12)
    with pytest.raises(InputError, match="must each say another one"):
        record([costs[0], costs[0]], 6)


def test_what_rows_spend_in_each_part_is_told_for_their_own_sizes(tmp_path):
    costs = [rv.measure_macs(Chain(), SPACE, torch.zeros(1, 1, side, side), **PARTS) for side in (6, 12)]
    gates = np.array([[1, 1], [1, 0], [1, 0], [1, 1]], np.float32)
    facts = pd.DataFrame({"id": list("abcd"), "input_size": ["1x6x6", "1x6x6", "1x6x6", "1x12x12"]})
    log = rv.RouteLog(gates, facts, SPACE, {"costs": [one.to_dict() for one in costs]})
    parts = recorded_parts(log).set_index(["part", "of"])
    assert parts.loc[("operation", "block 1"), "macs"] == (1296, 5184)
    assert parts["runs"].tolist() == [1, 0.5, 1, 1]
    assert parts["spent"].tolist() == [(3 * 1296 + 5184) / 4, (1296 + 5184) / 4, 2, 2]
    assert log.macs_by_part()[["operations", "gates"]].mean().sum() == parts["spent"].sum()
    assert recorded_parts(rv.RouteLog(gates, facts, SPACE)).empty
