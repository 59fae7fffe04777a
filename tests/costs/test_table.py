"""Costs of single parts against numbers worked out by hand: width 4, stem width 6, 3 classes, 32 x 64 pixels."""

import numpy as np
import pytest
import torch
from torch import nn

from routeviz.costs import CONVENTION_NOTES, CONVENTIONS, cost_table
from routeviz.costs.operators import count_operators
from routeviz.errors import CostError, InputError
from routeviz.network import NetworkConfig, RoutingNetwork

SIZE = (32, 64)
STEM_CONVOLUTIONS = 15 * 31 * (3 * 6 * 9 + 6 * 9 + 6 * 6) + 8 * 16 * (6 * 9 + 6 * 4)


def test_conv_of_each_part(make_net):
    net = make_net()
    table = cost_table(net, SIZE)
    cell, path = net.space.cell_index, net.space.path_index
    # 8 x 16 features of 4 channels at scale 0, 4 x 8 of 8 at scale 1, ... 1 x 2 of 32 at scale 3
    assert table.stem == STEM_CONVOLUTIONS
    assert table.operation[cell(0, 0)] == 8 * 16 * 2 * (4 * 9 + 4 * 4)
    assert table.operation[cell(4, 3)] == 1 * 2 * 2 * (32 * 9 + 32 * 32)
    assert table.gate[cell(0, 0)] == 8 * 16 * 4 * 2 + 2 * 2
    assert table.gate[cell(2, 1)] == 4 * 8 * 8 * 4 + 4 * 3
    assert table.path[path(2, 1, "up")] == 4 * 8 * 8 * 4
    assert table.path[path(2, 1, "keep")] == 0
    assert table.path[path(2, 1, "down")] == 2 * 4 * 8 * 16
    assert table.decoder.tolist() == [128 * 4 * 4, 32 * 8 * 4, 8 * 16 * 8, 2 * 32 * 16]
    assert table.predictor == 128 * 4 * 3 * 9


def test_fvcore_adds_norms_resizing_and_pooling(make_net):
    net = make_net()
    conv, table = cost_table(net, SIZE), cost_table(net, SIZE, "fvcore")
    cell, path = net.space.cell_index, net.space.path_index
    assert table.stem == conv.stem + 2 * (15 * 31 * 6 * 2 + 8 * 16 * 4)
    assert table.operation[cell(0, 0)] == conv.operation[cell(0, 0)] + 2 * 2 * 128 * 4
    assert table.gate[cell(0, 0)] == conv.gate[cell(0, 0)] + (2 + 1) * 128 * 2
    assert table.path[path(2, 1, "up")] == conv.path[path(2, 1, "up")] + 2 * 32 * 4 + 4 * 128 * 4
    assert table.path[path(2, 1, "keep")] == 0
    assert table.path[path(2, 1, "down")] == conv.path[path(2, 1, "down")] + 2 * 8 * 16
    assert table.decoder[0] == conv.decoder[0] + 2 * 128 * 4
    assert table.decoder[1] == conv.decoder[1] + 2 * 32 * 4 + 4 * 128 * 4
    assert table.predictor == conv.predictor + 4 * 32 * 64 * 3


def test_released_counts_relus_and_keeps_its_quirks(make_net):
    net = make_net()
    conv, table = cost_table(net, SIZE), cost_table(net, SIZE, "released")
    cell, path = net.space.cell_index, net.space.path_index
    first_convolution_padded = 16 * 32 * (3 * 6 * 9 + 6 * 9 + 6 * 6) + 8 * 16 * (6 * 9 + 6 * 4)
    assert table.stem == first_convolution_padded + 3 * (16 * 32 * 6 * 2 + 8 * 16 * 4)
    assert table.operation[cell(0, 0)] == table.gate[cell(0, 0)] == 0
    assert table.operation[cell(1, 0)] == conv.operation[cell(1, 0)] + (2 + 1 + 2) * 128 * 4
    assert table.gate[cell(2, 1)] == conv.gate[cell(2, 1)] + (2 + 1 + 1) * 32 * 4
    assert table.path[path(0, 0, "keep")] == 128 * 4
    assert table.path[path(2, 1, "up")] == 32 * 8 + conv.path[path(2, 1, "up")] + 3 * 32 * 4
    assert (table.path[net.space.exits] == 0).all()
    # height x height: 8 x 8 features in place of 8 x 16
    assert table.decoder[0] == 8 * 8 * (4 * 4 + 3 * 4)
    assert table.decoder[3] == 1 * 1 * (32 * 16 + 3 * 16)
    assert table.predictor == 8 * 8 * 4 * 3 * 9


def test_small_gate_works_on_a_quarter_and_never_on_nothing(make_net):
    net = make_net(small_gate=True)
    gate = cost_table(net, SIZE).gate
    assert gate[net.space.cell_index(0, 0)] == 2 * 4 * 4 * 2 + 2 * 2
    assert gate[net.space.cell_index(4, 3)] == 1 * 1 * 32 * 16 + 16
    assert cost_table(net, SIZE, "fvcore").gate[0] == gate[0] + 4 * 2 * 4 * 4 + (2 + 1) * 2 * 4 * 2


@pytest.mark.parametrize(("small_gate", "giga"), [(False, 118.085), (True, 102.270)], ids=["full gate", "small gate"])
def test_the_published_size_in_the_released_convention(small_gate, giga):
    net = RoutingNetwork(NetworkConfig(small_gate=small_gate))
    # A quarter of the published 1024 x 2048: every term but the gates' last convolutions grows with the area.
    table = cost_table(net, (256, 512), "released")
    last = int((net.space.cells.channels // 2 * np.bincount(net.space.source))[1:].sum())
    assert round((16 * (table.total - last) + last) / 1e9, 3) == giga
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 3) == 17.785


def test_frame_has_a_row_for_each_part_and_the_total(make_net):
    net = make_net()
    for convention in CONVENTIONS:
        table = cost_table(net, SIZE, convention)
        frame = table.frame()
        assert len(frame) == 1 + 2 * net.space.n_cells + net.space.n_paths + 4 + 1
        assert frame.macs.sum() == table.total
        up = frame.query("part == 'path' and layer == 2 and scale == 1 and move == 'up'").macs
        assert up.tolist() == [table.path[net.space.path_index(2, 1, "up")]]


def test_tables_are_kept_by_what_they_depend_on(make_net):
    net, twin = make_net(seed=0), make_net(seed=1)
    assert cost_table(net, SIZE) is cost_table(twin, SIZE)
    assert cost_table(net, (1, 33)) is cost_table(net, SIZE)
    assert cost_table(net, (33, 33)) is not cost_table(net, SIZE)
    assert cost_table(make_net(small_gate=True), SIZE) is not cost_table(net, SIZE)
    with pytest.raises(ValueError, match="read-only"):
        cost_table(net, SIZE).operation[0] = 1


def test_counting_leaves_a_network_in_training_as_it_is():
    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert count_operators(module, (2, 3, 5)) == {"conv": 60, "batch_norm": 60}
    assert module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_bad_input_is_refused_with_what_is_valid(make_net):
    net = make_net()
    with pytest.raises(CostError, match="unknown convention 'flops'; valid: conv, fvcore, released"):
        cost_table(net, SIZE, "flops")
    for size in (32, (32,), (32, 0), (32.0, 64.0), (1, 2, 3)):
        with pytest.raises(InputError, match="height, width"):
            cost_table(net, size)


def test_every_convention_says_what_it_leaves_out():
    assert set(CONVENTION_NOTES) == set(CONVENTIONS)
