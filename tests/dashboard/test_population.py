import shutil

import numpy as np
import pandas as pd
import pytest

import routeviz as rv
from routeviz.dashboard import charts, state
from routeviz.dashboard.blocks import STEPS
from routeviz.dashboard.population import Population
from routeviz.plots.likeness import route_clusters
from routeviz.plots.usage import activation_shares
from routeviz.routelog import RouteLog
from routeviz.stats import path_usage

VIEW = "routeviz/dashboard/views/population.py"


@pytest.fixture(scope="module")
def log(shelf_folder):
    return rv.load_log(shelf_folder / "logs" / "scenes")


@pytest.fixture
def open_population(open_app):
    def run(*folders, **address):
        app = open_app(*folders, **address)
        app.switch_page(VIEW).run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def sent_to(app, name):
    """What the last run handed to a component, as text; None where it was not drawn."""
    found = [item for item in app.get("bidi_component") if item.proto.component_name == name]
    return str(found[0].proto) if found else None


def left(app):
    return next(item.value for item in app.markdown if " images" in item.value and item.value.startswith("**"))


def test_numbers_of_any_part_are_those_of_its_own_log(log):
    population, mask = Population(log), np.array([True, False, True, True, False, True])
    part = log.select(mask)
    usage = path_usage(part)
    found = population.part(mask)
    assert found.mean == pytest.approx(usage.activation.to_numpy(), abs=1e-6)
    assert found.share_open == pytest.approx(usage.open.to_numpy())
    assert found.layer_shares == pytest.approx(activation_shares(part), nan_ok=True)


@pytest.mark.parametrize("exact", [True, False])
def test_any_part_of_many_blocks_is_what_it_is_of_one(log, monkeypatch, exact):
    gates = np.repeat(log.gates, 30, axis=0) * np.linspace(0, 1, 180, dtype=np.float32)[:, None]
    images = pd.DataFrame({"id": [str(number) for number in range(180)]})
    many = RouteLog(gates, images, log.space)
    one, mask = Population(many), np.random.default_rng(0).random(180) < 0.6
    monkeypatch.setattr("routeviz.space.states.BLOCK", 77)
    if not exact:
        monkeypatch.setattr("routeviz.dashboard.population.MOST_EXACT", 100)
    population = Population(many)
    assert population.exact == exact
    assert len(population) == 180
    within = 1e-6 if exact else 1 / STEPS
    for some in (mask, ~mask, np.ones_like(mask), np.zeros_like(mask)):
        found, wanted = population.part(some), one.part(some)
        assert found.share_open.tolist() == wanted.share_open.tolist()
        assert found.states.tolist() == wanted.states.tolist()
        assert found.layer_shares == pytest.approx(wanted.layer_shares, nan_ok=True, abs=0)
        assert found.mean == pytest.approx(wanted.mean, abs=within)
    states = many.select(mask).states.state
    assert population.part(mask).states == pytest.approx(
        np.stack([(states == code).mean(0) for code in range(3)], axis=1)
    )
    opened = many.opened(slice(None))
    for path in (0, 3, log.space.n_paths - 1):
        assert (population.opened(path) == opened[:, path]).all()
        assert population.activation(path) == pytest.approx(one.activation(path), abs=within)
        low, high = np.quantile(one.activation(path), (0.2, 0.8))
        assert (population.between(path, low, high) >= one.between(path, low, high)).all()
    assert population.places == pytest.approx(one.places, abs=20 * within)
    assert population.density.sum() == 180
    assert population.clusters(3).typical.tolist() == one.clusters(3).typical.tolist()
    assert population.clusters(3).cluster.tolist() == one.clusters(3).cluster.tolist()


def test_a_log_of_one_path_has_a_plane_and_tenths_lie_in_one_bin():
    space = rv.chain_space(1)
    gates = np.zeros((20, space.n_paths), np.float32)
    gates[:, 0] = np.arange(20) % 11 / 10
    one = RouteLog(gates, pd.DataFrame({"id": [str(n) for n in range(20)]}), space)
    population = Population(one)
    everyone = np.ones(20, bool)
    assert population.part(everyone).layer_shares == pytest.approx(activation_shares(one), nan_ok=True)
    assert population.places.shape == route_clusters(one).places.shape == (20, 2)


def test_the_plane_and_the_clusters_are_those_of_the_figure_for_paper(log):
    population, found = Population(log), route_clusters(log, clusters=3)
    assert population.places == pytest.approx(found.places, abs=1e-4)
    assert population.explained == pytest.approx(found.explained)
    assert population.clusters(3).cluster.tolist() == found.cluster.tolist()
    assert population.clusters(3).typical.tolist() == found.typical.tolist()


def test_images_beside_the_sample_join_the_nearest_cluster(log, monkeypatch):
    gates = np.repeat(log.gates, 5, axis=0)
    images = log.images.iloc[np.repeat(np.arange(6), 5)].assign(id=[f"{i}" for i in range(30)])
    monkeypatch.setattr("routeviz.dashboard.population.MOST_CLUSTERED", 25)
    cluster = Population(RouteLog(gates, images, log.space)).clusters(3).cluster
    assert (cluster.reshape(6, 5) == cluster.reshape(6, 5)[:, :1]).all()


def test_all_charts_are_drawn_over_all_images(open_population, shelf_folder, log):
    app = open_population(shelf_folder)
    assert left(app) == "**6** of 6 images"
    for name in ("usage", "grid", "bars", "places", "gallery"):
        assert sent_to(app, f"routeviz_{name}") is not None
    assert any(item.value == "**Mean activation, 6 images**" for item in app.markdown)


def test_the_filter_of_a_link_holds_for_all_charts_and_for_inspect(open_population, shelf_folder, log):
    id_ = log.images["id"][3]
    app = open_population(shelf_folder, filter=f"id has {id_}", shows="share open")
    assert left(app) == "**1** of 6 images"
    assert any(item.value == "**Share of images that open a path, 1 image**" for item in app.markdown)
    app.switch_page("routeviz/dashboard/views/inspect.py").run()
    assert app.selectbox(key=state.IMAGE).options == [id_]


def test_a_condition_can_be_removed_and_all_of_them_cleared(open_population, shelf_folder):
    app = open_population(shelf_folder, filter="id has 0000")
    app.multiselect(key=state.FILTER).set_value(["id has 00003"]).run()
    assert left(app) == "**1** of 6 images"
    next(button for button in app.button if button.label == "Clear").click().run()
    assert left(app) == "**6** of 6 images"
    assert app.multiselect(key=state.FILTER).value == []


def test_what_leaves_nothing_or_says_nothing_is_told(open_population, shelf_folder):
    app = open_population(shelf_folder, filter="id has nowhere")
    assert "No image passes the filter" in app.info[0].value
    app = open_population(shelf_folder, filter="<b>bold</b>")
    assert any("Says nothing about these images" in item.value for item in app.caption)
    assert left(app) == "**6** of 6 images"


def test_one_path_can_be_looked_at(open_population, shelf_folder):
    app = open_population(shelf_folder, gates="L0 s0 down")
    assert app.selectbox(key=state.GATES_OF).value == "L0 s0 down"
    assert sent_to(app, "routeviz_bars").count("L0 s0 down") > 0


def test_every_colour_can_be_chosen(open_population, shelf_folder):
    app = open_population(shelf_folder)
    offered = app.selectbox(key=state.COLOUR).options
    assert any("scale class" in name for name in offered)
    for name in offered:
        app.selectbox(key=state.COLOUR).select(name).run()
        assert not app.exception, name


def test_a_log_without_labels_and_a_log_of_one_image_are_shown(open_population, log, tmp_path):
    bare = log.images[["id", "file", "height", "width", "macs_conv"]]
    RouteLog(log.gates, bare, log.space, log.source).save(tmp_path / "logs" / "bare")
    RouteLog(log.gates[:1], bare[:1], log.space, log.source).save(tmp_path / "logs" / "one")
    app = open_population(tmp_path / "logs", source="logs/bare (log)")
    assert left(app) == "**6** of 6 images"
    app = open_population(tmp_path / "logs", source="logs/one (log)")
    assert left(app) == "**1** of 1 images"
    app = open_population(tmp_path / "logs", source="logs/bare (log)", macs="fvcore")
    assert any("does not hold MACs" in item.value for item in app.caption)


def test_an_empty_log_and_a_checkpoint_say_what_to_do(open_population, shelf_folder, log, tmp_path):
    RouteLog(log.gates[:0], log.images[:0], log.space, log.source).save(tmp_path / "empty")
    assert "holds no images" in open_population(tmp_path / "empty").info[0].value
    shutil.copytree(shelf_folder / "checkpoints", tmp_path / "weights")
    app = open_population(tmp_path / "weights")
    assert "route log" in app.header[0].value
    assert "routeviz trace" in app.code[0].value


def test_a_path_that_is_rarely_open_is_not_shaded_as_one_that_never_is(monkeypatch):
    seen = {}
    monkeypatch.setattr(charts, "_grid", lambda *, data, **_: seen.update(data))
    words = np.full((1, 3), "")
    charts.grid(
        np.array([[0, 2e-5, np.nan]]),
        rows=[("", "")],
        columns=["0", "1", "2"],
        texts=words,
        names=words,
        label="",
        title="",
        key="",
        on_choose=print,
    )
    assert seen["values"] == [[0, 2e-5, None]]
