"""What a time table is of; how long anything takes is no matter of a test."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from routeviz.costs import cost_table, executed_parts, image_blind_macs, macs, measure_times, starved_macs, timing
from routeviz.errors import InputError
from routeviz.network import EXECUTIONS, fixed_network
from routeviz.network.folding import FoldedCell, FoldedConv
from routeviz.space import architectures, cell_states


def test_every_part_of_every_round_is_timed_beside_its_macs(make_net):
    net = make_net()
    table = measure_times(net, (40, 60), rounds=3)
    frame = cost_table(net, (40, 60)).frame()
    assert table.parts[["part", "layer", "scale", "move"]].equals(frame.drop(columns="macs"))
    for convention in ("conv", "fvcore", "released"):
        assert table.parts[f"macs_{convention}"].equals(cost_table(net, (40, 60), convention).frame().macs)
    assert (table.parts.seconds > 0).all()
    assert (table.parts.low <= table.parts.seconds).all()
    assert (table.parts.seconds <= table.parts.high).all()
    assert table.rounds == 3
    assert table.image_size == (64, 64)
    # The whole pass asks no gate and runs all else.
    assert table.parts.part[~table.route].unique().tolist() == ["gate"]
    assert table.of(table.route[None])[0] == pytest.approx(table.parts.seconds[table.parts.part != "gate"].sum())


@pytest.mark.parametrize("execution", EXECUTIONS[:3])
def test_parts_run_through_the_modules_that_the_pass_runs_through(make_net, monkeypatch, execution):
    """By a clock that only convolutions advance, one as trained by 1 and a folded one by 1000."""
    now, net = [0], make_net()
    net.execution = execution
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    calls = ((torch.nn.Conv2d, "forward", 1), (FoldedConv, "forward", 1000), (FoldedConv, "times", 1000))
    for kind, name, seconds in (*calls, (FoldedCell, "forward", 1000)):  # a cell's last convolution adds too
        call = getattr(kind, name)

        def slow(self, *given, call=call, seconds=seconds, **how):
            now[0] += seconds
            return call(self, *given, **how)

        monkeypatch.setattr(kind, name, slow)
    table = measure_times(net, (32, 32), rounds=3)
    assert table.execution == execution
    assert (table.parts.seconds[table.parts.part == "operation"] == (4000 if execution == "folded" else 4)).all()
    assert table.overhead == 0


def test_a_pass_that_is_one_graph_has_no_parts_to_time(make_net):
    net = make_net()
    net.execution = "captured"
    with pytest.raises(InputError, match=r"set net\.execution to folded"):
        measure_times(net, (32, 32))


def test_what_cannot_be_folded_is_timed_as_it_runs(make_net):
    with torch.inference_mode():
        net = make_net()  # its weights do not tell when they change
    assert measure_times(net, (32, 32), rounds=3).execution == "sparse"


def test_a_limit_ends_it_after_three_rounds(make_net):
    assert measure_times(make_net(), (32, 32), rounds=50, seconds=0).rounds == 3


def test_what_a_static_network_lacks_has_no_time(make_net):
    net = make_net()
    route = architectures(net.space)["fcn32s"]
    table = measure_times(fixed_network(net, route), (32, 32), rounds=3)
    executed = executed_parts(net, route.activations[None], with_gates=False)[0]
    assert (table.route == executed).all()
    assert table.parts.seconds[executed].notna().all()
    assert table.parts.seconds[table.parts.part == "gate"].isna().all()
    assert np.isfinite(table.of(executed[None])).all()


def test_it_is_of_networks_at_inference(make_net):
    with pytest.raises(InputError, match="3 rounds or more; given 2"):
        measure_times(make_net(), (32, 32), rounds=2)
    with pytest.raises(InputError, match=r"call net\.eval\(\) first"):
        measure_times(make_net().train(), (32, 32))


def test_executed_parts_cost_what_routes_do(make_net):
    net, rng = make_net(layers=6), np.random.default_rng(0)
    shape = 20, net.space.n_paths
    gates = np.where(rng.random(shape) < 0.4, rng.random(shape), 0).astype(np.float32)
    asked = rng.random((20, net.space.n_cells)) < 0.5
    costs = cost_table(net, (64, 32)).frame().macs.to_numpy()
    executed = executed_parts(net, gates, with_gates=asked)
    np.testing.assert_array_equal(executed @ costs, macs(net, gates, (64, 32), with_gates=asked))
    blind = executed_parts(net, gates, image_blind=True)
    np.testing.assert_array_equal(blind @ costs, image_blind_macs(net, gates, (64, 32)))
    starved = executed_parts(net, gates, starved=True)
    np.testing.assert_array_equal(starved @ costs, starved_macs(net, gates, (64, 32)))
    assert len(executed_parts(net, gates[:0])) == 0


def test_starved_cells_are_a_part_of_the_image_blind_ones(make_net):
    net, rng = make_net(layers=6), np.random.default_rng(1)
    shape = 30, net.space.n_paths
    gates = np.where(rng.random(shape) < 0.4, rng.random(shape), 0).astype(np.float32)
    table, states = cost_table(net, (64, 32)), cell_states(net.space, gates)
    wanted = []
    for row, starved, state in zip(gates, states.starved, states.state, strict=True):
        live = starved & (state == 2)
        paths = live[net.space.source] & (row > 1e-4)
        wanted.append(table.gate[starved].sum() + table.operation[live].sum() + table.path[paths].sum())
    found = starved_macs(net, gates, (64, 32))
    np.testing.assert_array_equal(found, wanted)
    blind = image_blind_macs(net, gates, (64, 32))
    assert (found <= blind).all()
    assert (found < blind).any()
    assert found.any()
