"""Every figure, in both backends, on the logs that break drawings."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.text import Text
from PIL import Image

from routeviz import plots
from routeviz.errors import InputError
from routeviz.space import architectures, lattice_space

PIXELS = np.zeros((8, 16, 3), np.uint8)
CLASSES = np.resize([0, 1, 255], (8, 16))


def networks(name):
    table = {"name": [f"{name} {i}" for i in range(6)], "macs": [1e9, 1.01e9, 1.02e9, 3e9, 3e9, 5e9]}
    return pd.DataFrame(table | {"miou": [0.5, 0.501, 0.5, 0.7, 0.6, np.nan], "dynamic": [True] * 3 + [False] * 3})


def front(name):
    """A front whose points crowd at one end, and another network with a name that is markup."""
    miou = np.array([0.5, 0.501, 0.499, 0.46, 0.3, 0.48])
    kinds = ["trained", "threshold", "threshold", "greedy", "greedy", "other"]
    table = pd.DataFrame({"name": ["as-trained", "threshold-0.1", "threshold-0.2", "greedy-01", "greedy-02", name]})
    macs = [2.27e8, 2.26e8, 2.25e8, 2.1e8, 1.2e8, 2.3e8]
    table = table.assign(kind=kinds, miou=miou, macs_conv=macs)
    return table.assign(difference_low=miou - 0.51, difference_high=miou - 0.49)


def effects(log):
    """What closing each path changes: every third path that any image opens is flagged."""
    share = (np.nan_to_num(log.gates) > 1e-4).mean(axis=0)
    table = pd.DataFrame({"path": log.space.path_names, "open": share})
    flagged = (np.arange(len(share)) % 3 == 0) & (share > 0)
    return table.assign(changed=np.linspace(0, 0.2, len(share)) * (share > 0), flagged=flagged)


def metrics():
    lines = [{"kind": "step", "step": 5}]
    return lines + [
        {"kind": "evaluation", "step": step, "macs": {"released": {"avg": 300 - step}}, "expected_macs": 9.5 * step}
        for step in (10, 20)
    ]


FIGURES = {
    "space": lambda log, name, **k: plots.plot_space(log.space, title=name, **k),
    "route": lambda log, name, **k: plots.plot_route(
        log.route(0),
        image=PIXELS,
        label=CLASSES,
        prediction=CLASSES,
        class_names=("road", name),
        class_colors=((9, 9, 9), (0, 200, 0)),
        **k,
    ),
    "route_differences": lambda log, name, **k: plots.plot_route_differences(log, **k),
    "architectures": lambda log, name, **k: plots.plot_architectures(log.space, **k),
    "usage": lambda log, name, **k: plots.plot_usage(log, **k),
    "activations": lambda log, name, **k: plots.plot_activations({name: log, "again": log}, **k),
    "macs": lambda log, name, **k: plots.plot_macs(log, marks={name: 1.0e8, "U-Net": 1.1e8, "twin": 1.1e8}, **k),
    "accuracy": lambda log, name, **k: plots.plot_accuracy(networks(name), **k),
    "front": lambda log, name, **k: plots.plot_front(front(name), **k),
    "importance": lambda log, name, **k: plots.plot_importance(log.space, effects(log), title=name, **k),
    "similarity": lambda log, name, **k: plots.plot_similarity(log, **k),
    "embedding": lambda log, name, **k: plots.plot_embedding(log, by="scale_class", pictures=lambda _: PIXELS, **k),
    "training_activations": lambda log, name, **k: plots.plot_training_activations({0: log, 1500: log}, **k),
    "training_budget": lambda log, name, **k: plots.plot_training_budget({name: metrics(), "raw": metrics()}, **k),
}
LOGS = {
    "many": {},
    "one image": {"images": 1},
    "all closed": {"closed": True},
    "hardly a cell reached": {"starving": True},
    "strange names": {"strange": True},
}


def words(figure) -> list[Text]:
    """All text that is drawn: ticks beyond the ends of an axis are not."""
    unseen = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            unseen |= {id(t.label1) for t in ticks if not low - 1e-9 <= t.get_loc() <= high + 1e-9}
            unseen |= {id(t.label2) for t in ticks}
    return [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible() and id(t) not in unseen]


def assert_legible(axes) -> None:
    figure = np.ravel(axes)[0].figure
    figure.draw_without_rendering()
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in words(figure)]
    for name, box in boxes:
        assert box.x0 >= -1, name
        assert box.y0 >= -1, name
        assert box.x1 <= figure.bbox.x1 + 1, name
        assert box.y1 <= figure.bbox.y1 + 1, name
    for (a, left), (b, right) in combinations(boxes, 2):
        across = min(left.x1, right.x1) - max(left.x0, right.x0)
        down = min(left.y1, right.y1) - max(left.y0, right.y0)
        assert min(across, down) < 1, f"{a!r} covers {b!r}"


@pytest.mark.parametrize("case", LOGS)
@pytest.mark.parametrize("name", FIGURES)
def test_no_label_covers_another_or_leaves_the_paper(name, case, make_log):
    axes = FIGURES[name](make_log(**LOGS[case]), "дорога <b>$x$" if case == "strange names" else "dynamic")
    assert all(isinstance(ax, Axes) for ax in np.ravel(axes))
    assert_legible(axes)


@pytest.mark.parametrize("name", FIGURES)
def test_thirty_three_layers_fit(name, make_log):
    assert_legible(FIGURES[name](make_log(3, layers=33), "deep"))


@pytest.mark.parametrize("name", ["space", "route", "usage", "training_activations", "importance"])
def test_thirty_three_layers_fit_a_column(name, make_log):
    assert_legible(FIGURES[name](make_log(3, layers=33), "deep", width="column"))


@pytest.mark.parametrize("name", FIGURES)
def test_thirty_three_layers_fit_the_screen(name, make_log):
    figure = FIGURES[name](make_log(3, layers=33), "deep", backend="screen")
    assert figure.layout.width <= 1100
    for axis in figure.select_xaxes():
        share = axis.domain[1] - axis.domain[0]
        assert sum(len(text) + 1 for text in axis.ticktext or ()) * 7 < share * figure.layout.width


@pytest.mark.parametrize("case", LOGS)
@pytest.mark.parametrize("name", FIGURES)
def test_the_screen_shows_names_as_they_are(name, case, make_log):
    figure = FIGURES[name](make_log(**LOGS[case]), "<b>$x$</b>", backend="screen")
    assert isinstance(figure, go.Figure)
    text = figure.to_json()
    assert "<b>" not in text.replace("\\u003c", "<")
    assert "$" not in text


@pytest.mark.parametrize("name", FIGURES)
def test_both_backends_have_one_legend(name, make_log):
    log = make_log()
    paper, screen = (FIGURES[name](log, "dynamic", backend=backend) for backend in plots.BACKENDS)
    figure = np.ravel(paper)[0].figure
    on_paper = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    on_screen = [trace.name for trace in screen.data if getattr(trace, "showlegend", False)]
    assert on_paper == on_screen


def test_widths_are_those_of_a_paper(make_log):
    space = make_log(1).space
    for width, inches in (("column", 3.25), ("text", 6.875), (5, 5)):
        assert plots.plot_space(space, width=width).figure.get_figwidth() == inches
    with pytest.raises(InputError, match="unknown width 'wide'; valid: column, text"):
        plots.plot_space(space, width="wide")


def test_what_is_given_is_drawn_on_and_returned(make_log):
    log = make_log()
    axes = plt.subplots(2, 1)[1]
    drawn = plots.plot_usage(log, ax=axes)
    assert list(drawn) == list(axes)
    assert plots.plot_space(log.space, ax=axes[0]) is axes[0]
    page = go.Figure()
    assert plots.plot_space(log.space, ax=page, backend="screen") is page
    with pytest.raises(InputError, match="2 panels"):
        plots.plot_usage(log, ax=axes[0])
    with pytest.raises(InputError, match="unknown backend 'tv'; valid: paper, screen"):
        plots.plot_space(log.space, backend="tv")


def test_a_users_style_is_left_alone(make_log):
    before = dict(mpl.rcParams)
    plots.plot_usage(make_log())
    assert dict(mpl.rcParams) == before


def test_files_hold_their_fonts(tmp_path, make_log):
    ax = plots.plot_space(make_log(1).space, title="дорога")
    pdf, svg, png = plots.save_figure(ax, tmp_path / "figures" / "space v1.2")
    assert [file.name for file in (pdf, svg, png)] == ["space v1.2.pdf", "space v1.2.svg", "space v1.2.png"]
    assert b"/FontFile2" in pdf.read_bytes()
    assert "<text" not in svg.read_text()
    assert png.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="unknown format 'bmp'"):
        plots.save_figure(ax, tmp_path / "space", formats=["bmp"])


def test_a_figure_is_drawn_off_the_main_thread_and_leaves_nothing_open(make_log):
    sheet = plots.plot_usage.describe(make_log())
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: plots.render_figure(sheet, formats=("svg", "png"), width="text"), range(2))
    assert one == other
    assert list(one) == ["svg", "png"]
    assert plt.get_fignums() == []
    with pytest.raises(InputError, match="unknown format 'bmp'"):
        plots.render_figure(sheet, formats="bmp")


def test_a_file_says_where_it_is_from(make_log):
    files = plots.render_figure(plots.plot_space.describe(make_log(1).space), about="log <b>$x$\n道")
    assert Image.open(io.BytesIO(files["png"])).text["Description"] == "log <b>$x$ 道"
    assert "log &lt;b&gt;$x$ 道" in files["svg"].decode()
    assert b"/Subject" in files["pdf"]


def test_a_rule_is_on_the_screen_in_every_panel_that_has_it(make_log):
    figure = plots.plot_macs(make_log(), marks={"U-Net": 2e8}, backend="screen")
    rules = [shape for shape in figure.layout.shapes if shape.type == "line"]
    assert [rule.xref for rule in rules] == ["x", "x", "x", "x2"]
    assert all(rule.opacity == 1 for rule in rules)


def test_a_page_needs_no_network(tmp_path, make_log):
    (page,) = plots.save_figure(plots.plot_space(make_log(1).space, backend="screen"), tmp_path / "space")
    assert page.name == "space.html"
    # The library inside it may name addresses; what counts is what the page itself loads.
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*", page.read_text())
    assert loaded
    assert not [tag for tag in loaded if "http" in tag]


def test_static_architectures_are_named_in_their_order():
    space = lattice_space(16, 4)
    sheet = plots.plot_architectures.describe(space, names=["unet", "fcn32s"])
    assert [panel.title for panel in sheet.panels] == [architectures(space)[key].name for key in ("unet", "fcn32s")]
    with pytest.raises(InputError, match="no architecture 'vgg'"):
        plots.plot_architectures(space, names=["vgg"])
