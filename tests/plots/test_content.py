"""What the figures show, counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from routeviz import plots
from routeviz.errors import InputError
from routeviz.plots.labels import needs_leader, place_labels
from routeviz.plots.sheet import Bars, Dots, Grid, Hover, Line, Panel, Rule, Sheet
from routeviz.plots.style import RAMP, plain
from routeviz.plots.usage import BINS, activation_shares
from routeviz.routelog import RouteLog
from routeviz.space import Route, chain_space, lattice_space, route_distance

NAN = np.nan


@pytest.fixture
def small():
    """Five cells, eight paths: L0 s0 (keep, down), L1 s0 (keep, down), L1 s1 (up, keep), L2 s0, L2 s1 (keep)."""
    space = lattice_space(2, 4, scales=2)
    gates = [
        [0.5, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0],
        [0.7, 0.1, 1.0, 0.0, 0.4, 0.0, 1.0, 1.0],
        [0.0, 0.0, 1.0, 0.0, NAN, NAN, 1.0, NAN],
    ]
    macs = [4_000_000, 6_000_000, 8_000_000]
    facts = {"id": ["a", "b", "c"], "scale_class": ["small", "small", "large"], "macs_conv": macs}
    return RouteLog(np.array(gates, np.float32), pd.DataFrame(facts), space)


def marks(sheet, kind):
    return [mark for panel in sheet.panels for mark in panel.marks if isinstance(mark, kind)]


def test_a_path_is_as_wide_as_its_activation_and_moves_differ_without_colour(small):
    lines = [mark for mark in marks(plots.plot_route.describe(small.route(1)), Line) if len(mark.x)]
    widths = [line.width for line in lines if line.colour in RAMP and line.dash == "solid"]
    assert widths == sorted(widths)
    dashes = {mark.name: mark.dash for mark in marks(plots.plot_space.describe(small.space), Line) if mark.name}
    assert sorted(dashes) == ["down path", "keep path", "up path"]
    assert len(set(dashes.values())) == 3
    assert "solid" not in dashes.values()


def test_differences_are_counted_by_path(small):
    sheet = plots.plot_route_differences.describe(small)
    assert [panel.title for panel in sheet.panels] == [
        "large (1 image): 2 paths open",
        "small (2 images): 6 paths open",
    ]
    red = [mark for mark in marks(sheet, Line) if mark.name == "open here, not in all"]
    assert [int(np.isnan(mark.x).sum()) for mark in red] == [4]


def test_equal_routes_have_no_difference(small):
    sheet = plots.plot_route_differences.describe({"one": small.route(0), "two": small.route(0)})
    assert {mark.name for mark in marks(sheet, Line)} == {"", "open in all"}


def test_a_group_opens_what_enough_of_its_images_open(small):
    route = plots.group_routes(small, by="scale_class")["small (2 images)"]
    np.testing.assert_allclose(route.activations, [0.6, 0.3, 1, 0, 0.7, 0, 1, 1], atol=1e-6)


def test_usage_is_laid_out_by_scale_and_move(small):
    panels = list(plots.plot_usage.describe(small).panels)
    assert [text for _, text in panels[0].y.ticks] == ["stride 4 keep", "stride 4 down", "stride 8 keep", "stride 8 up"]
    activation, is_open = marks(plots.plot_usage.describe(small), Grid)
    np.testing.assert_allclose(activation.values[0], [0.4, 1, 1], atol=1e-6)
    np.testing.assert_allclose(is_open.values[1], [2 / 3, 0, NAN], atol=1e-6)


def test_shares_of_a_layer_sum_to_one_and_leave_out_unreached_cells(small):
    shares = activation_shares(small)
    assert shares.shape == (BINS + 1, 3)
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    # Layer 1 has 4 + 4 + 2 gates of reached cells; five are not open, three are 1, one is 0.4.
    np.testing.assert_allclose(shares[[0, BINS], 1], [5 / 10, 4 / 10])


def test_macs_are_marked_at_average_maximum_and_minimum(small):
    sheet = plots.plot_macs.describe(small, marks={"U-Net": 5e6, "FCN": 3e6})
    images, static = ([(m.name, m.x) for m in panel.marks if isinstance(m, Rule)] for panel in sheet.panels)
    assert images == [("average 6", 6.0), ("maximum 8", 8.0), ("minimum 4", 4.0)]
    assert static == [("average 6", 6.0)]
    (bars,) = marks(sheet, Bars)
    assert bars.heights.sum() == 3
    (dots,) = marks(sheet, Dots)
    assert dots.x.tolist() == [3, 5]
    assert [text for _, text in list(sheet.panels)[1].y.ticks] == ["FCN", "U-Net"]


def test_a_front_fills_what_no_point_beats_and_draws_paired_intervals():
    table = pd.DataFrame({"name": list("abcde"), "kind": ["trained", "threshold", "threshold", "greedy", "other"]})
    table = table.assign(miou=[0.5, 0.52, 0.4, 0.45, 0.6], macs_conv=[4e6, 3e6, 2e6, 1e6, 1e6])
    table = table.assign(difference_low=[0, 0.01, -0.12, -0.06, 0.05], difference_high=[0, 0.03, -0.08, -0.04, 0.15])
    sheet = plots.plot_front.describe(table)
    filled = {mark.name: (mark.filled, mark.x.tolist(), mark.y.tolist()) for mark in marks(sheet, Dots)}
    assert filled["under a threshold"] == (True, [3], [52])  # a is beaten by it, c by d
    assert filled[""] == (False, [2], [40])
    assert filled["closed greedily"] == (True, [1], [45])
    assert filled["as trained"] == (True, [4], [50])
    assert filled["other networks"] == (True, [1], [60])
    front, intervals = marks(sheet, Line)
    assert front.x.tolist() == [1, 3]
    np.testing.assert_allclose(intervals.y, [51, 53, NAN, 38, 42, NAN, 44, 46, NAN])
    assert sheet.table().efficient.tolist() == [False, True, False, True, False]
    with pytest.raises(InputError, match="lacks macs_fvcore"):
        plots.plot_front.describe(table, convention="fvcore")


def test_importance_tells_flagged_paths_by_form_as_well_as_by_colour(small):
    table = pd.DataFrame({"path": small.space.path_names, "open": [1, 1, 1, 0, 0.5, 0, 1, 1]})
    flagged = np.arange(8) % 5 == 2
    table = table.assign(changed=[0.2, 0.1, 0.01, 0, 0.05, 0, 0.2, 0], miou=NAN, flagged=flagged)
    sheet = plots.plot_importance.describe(small.space, table)
    drawn = {(mark.colour, mark.dash): int(np.isnan(mark.x).sum()) for mark in marks(sheet, Line) if len(mark.x) > 2}
    assert {RAMP.index(colour): n for (colour, _), n in drawn.items() if colour in RAMP} == {8: 2, 4: 1, 2: 1}
    (red,) = [key for key in drawn if key[1] == "dash"]
    assert drawn[red] == 2
    (crosses,) = [mark for mark in marks(sheet, Dots) if mark.symbol == "cross"]
    assert (crosses.colour, len(crosses.x)) == (red[0], 2)
    named = [mark.name for mark in sheet.named if "pixels" in mark.name]
    assert named == ["0 % of the pixels", "10 % of the pixels", "20 % of the pixels"]
    assert sheet.table() is table
    (hover,) = marks(sheet, Hover)
    assert "closing it changes: 10 % of the pixels" in hover.texts[1]
    assert "costly, often open and useless" in hover.texts[2]


def test_where_closing_changes_nothing_no_path_stands_out(small):
    table = pd.DataFrame({"path": small.space.path_names, "open": 1.0, "kl": 0.0, "miou": NAN})
    sheet = plots.plot_importance.describe(small.space, table, by="kl")
    lines = [mark for mark in marks(sheet, Line) if mark.colour in RAMP]
    assert {mark.colour for mark in lines} == {RAMP[0]}
    assert [mark.name for mark in lines if mark.name] == ["0 nats"]
    assert not [mark for mark in marks(sheet, Line) if mark.dash == "dash" and len(mark.x)]
    for by, words in (("size", "unknown measure"), ("changed", "lacks changed"), ("miou", "have no labels")):
        with pytest.raises(InputError, match=words):
            plots.plot_importance.describe(small.space, table, by=by)
    with pytest.raises(InputError, match="not of the paths of"):
        plots.plot_importance.describe(small.space, table[::-1], by="kl")


def test_similarity_is_that_of_the_routes(small):
    table = plots.route_similarity(small)
    routes = [small.route(index) for index in range(3)]
    between = np.mean([1 - route_distance(routes[2], routes[i]) for i in (0, 1)])
    assert table.loc["small", "large"] == pytest.approx(between)
    assert table.loc["large", "small"] == pytest.approx(between)
    assert table.loc["small", "small"] == pytest.approx(1 - route_distance(routes[0], routes[1]))
    assert np.isnan(table.loc["large", "large"])


def test_clusters_part_what_is_apart_and_name_a_member():
    space = lattice_space(4, 4)
    rng = np.random.default_rng(0)
    low, high = np.full(space.n_paths, 0.2), np.full(space.n_paths, 0.8)
    gates = np.array([low] * 5 + [high] * 7) + rng.uniform(-0.01, 0.01, (12, space.n_paths))
    log = RouteLog(gates.astype(np.float32), pd.DataFrame({"id": [str(i) for i in range(12)]}), space)
    found = plots.route_clusters(log, clusters=2)
    assert found.cluster.tolist() == [1] * 5 + [0] * 7
    assert found.cluster[found.typical].tolist() == [0, 1]
    assert found.explained[0] > 0.99
    one = plots.route_clusters(log.select([3]), clusters=4)
    assert one.cluster.tolist() == [0]
    assert one.explained.tolist() == [0, 0]


def test_a_budget_shows_what_it_constrains_and_what_is_paid():
    line = {"kind": "evaluation", "step": 3, "macs": {"released": {"avg": 2e9}}, "expected_macs": None}
    real, expected = marks(plots.plot_training_budget.describe([{**line, "expected_macs": 1e9}]), Line)
    assert (real.name, real.y.tolist(), real.dash) == ("real", [2], "solid")
    assert (expected.name, expected.y.tolist(), expected.dash) == ("expected", [1], "dash")
    (only,) = marks(plots.plot_training_budget.describe([line]), Line)
    assert only.name == "real"
    with pytest.raises(InputError, match="no evaluation"):
        plots.plot_training_budget([{"kind": "step", "step": 1}])


def test_groups_are_a_column_or_labels_of_ones_own(small):
    by_column = plots.group_routes(small, by="scale_class")
    assert list(by_column) == ["large (1 image)", "small (2 images)"]
    own = plots.group_routes(small, by=["x", None, "x"])
    assert list(own) == ["x (2 images)"]
    assert plots.route_similarity(small, by=[1, 1, 2]).columns.tolist() == ["1", "2"]
    with pytest.raises(InputError, match="2 labels for 3 images"):
        plots.group_routes(small, by=["x", "y"])


def test_scales_are_the_datasets_own_or_thirds_by_small_objects(small):
    assert plots.scale_groups(small).tolist() == ["small", "small", "large"]
    facts = pd.DataFrame({"id": list("abc"), "objects_share_small": [0.1, 0.9, 0.5]})
    assert plots.scale_groups(RouteLog(small.gates, facts, small.space)).tolist() == ["large", "small", "mixed"]
    equal = facts.assign(objects_share_small=0.2)
    assert set(plots.scale_groups(RouteLog(small.gates, equal, small.space))) == {"mixed"}
    with pytest.raises(InputError, match="scale"):
        plots.scale_groups(RouteLog(small.gates, facts[["id"]], small.space))


def test_the_numbers_of_a_figure_are_a_table(small):
    route = plots.plot_route.describe(small.route(1)).table()
    np.testing.assert_allclose(route.activation, small.gates[1])
    assert route.open.tolist() == small.route(1).open.tolist()
    macs = plots.plot_macs.describe(small, marks={"U-Net": 5e6}).table()
    assert macs.macs.tolist() == [4e6, 6e6, 8e6, 5e6]
    assert macs.id.tolist() == ["a", "b", "c", "U-Net"]
    assert plots.plot_usage.describe(small).table().open.tolist()[0] == pytest.approx(2 / 3)
    both = plots.plot_route_differences.describe(small).table()
    assert [name for name in both if "image" in name] == ["large (1 image)", "small (2 images)"]


def test_marks_without_data_give_a_row_for_each_point(small):
    line = {"kind": "evaluation", "step": 3, "macs": {"released": {"avg": 2e9}}, "expected_macs": 1e9}
    table = plots.plot_training_budget.describe([line, line | {"step": 4}]).table()
    assert table[["mark", "name", "x", "y"]].to_numpy().tolist() == [
        ["line", "real", 3, 2],
        ["line", "real", 4, 2],
        ["line", "expected", 3, 1],
        ["line", "expected", 4, 1],
    ]
    shares = plots.plot_activations.describe(small).table()
    assert len(shares) == (BINS + 1) * 3
    np.testing.assert_allclose(shares.groupby("x").value.sum(), 1)
    bars = Sheet(((Panel((Bars(np.array([0.0, 1, 3]), np.array([5, 7]), "red"),)),),)).table()
    assert bars[["x", "width", "y"]].to_numpy().tolist() == [[0, 1, 5], [1, 2, 7]]
    assert Sheet(((Panel(()),),)).table().empty


def test_activations_of_networks_of_two_kinds_stand_over_what_each_calls_its_columns(small):
    chain = RouteLog(np.ones((2, 3), np.float32), pd.DataFrame({"id": ["a", "b"]}), chain_space(3))
    sheet = plots.plot_activations.describe({"skipnet": chain, "lattice": small})
    assert [panel.x.label for panel in sheet.panels] == ["block", "layer"]
    assert [grid.texts[0, 0].split(",")[0] for grid in marks(sheet, Grid)] == ["block 0", "layer 0"]


def test_labels_of_crowded_points_stand_apart():
    points = np.array([(50.0, 50), (52, 50), (50, 52), (95, 99)])
    sizes = np.full((4, 2), (30.0, 6))
    centres = place_labels(points, sizes, np.array([(0, 0), (100, 100)]))
    apart = np.abs(centres[:, None] - centres) - (30, 6)
    assert (apart.max(axis=2)[~np.eye(4, dtype=bool)] >= 0).all()
    assert (centres - sizes / 2 >= 0).all()
    assert (centres + sizes / 2 <= 100).all()
    assert needs_leader(points, centres, sizes, near=8)[:3].any()


def test_a_label_stands_nearest_to_its_own_point():
    points = np.array([(40.0, 50), (52, 56), (64, 50)])
    sizes = np.full((3, 2), (24.0, 6))
    centres = place_labels(points, sizes, np.array([(0, 0), (120, 100)]))
    away = np.hypot(*np.moveaxis(np.maximum(np.abs(centres[:, None] - points) - sizes / 2, 0), 2, 0))
    assert away.argmin(axis=1).tolist() == [0, 1, 2]


def test_text_is_one_line_of_its_own_letters():
    assert plain("a\nb\x00\tc") == "a b c"
    assert plain("дорога" * 10, 8) == "дорогад…"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda log: plots.plot_usage(log, values=("speed",)), "unknown value 'speed'"),
        (lambda log: plots.plot_macs(log, convention="fvcore"), "no column 'macs_fvcore'"),
        (lambda log: plots.plot_similarity(log, by="weather"), "no column 'weather'"),
        (lambda log: plots.plot_embedding(log, clusters=0), "0 clusters"),
        (lambda log: plots.plot_activations({}), "nothing to draw"),
        (lambda log: plots.plot_accuracy(pd.DataFrame({"name": ["a"]})), "lacks macs, miou"),
        (lambda log: plots.plot_route(log.route(0), label=np.zeros((2, 2), int)), "class_colors"),
        (lambda log: plots.plot_route(log.route(0), image=np.zeros((2, 2))), "uint8 RGB"),
        (lambda log: plots.plot_route_differences({}), "no routes"),
        (
            lambda log: plots.plot_route_differences(
                {"a": log.route(0), "b": Route(lattice_space(4, 4), np.zeros(lattice_space(4, 4).n_paths))}
            ),
            "different spaces",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(small, draw, message):
    with pytest.raises(InputError, match=message) as caught:
        draw(small)
    assert "\n" not in str(caught.value)
