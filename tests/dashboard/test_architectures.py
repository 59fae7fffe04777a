from base64 import b64decode

import pytest

import routeviz as rv
from routeviz.costs import macs, parameters
from routeviz.dashboard import drawings, filters, state
from routeviz.dashboard.links import file_of
from routeviz.dashboard.words import short
from routeviz.routelog import RouteLog
from routeviz.space import architectures
from routeviz.stats import nearest_architecture


@pytest.fixture(scope="module")
def deep_folder(tmp_path_factory):
    """A folder with a log over six scenes of a space that has room for all architectures."""
    folder = tmp_path_factory.mktemp("deep")
    net = rv.RoutingNetwork(rv.NetworkConfig(layers=12, width=4, stem_width=4, num_classes=9)).eval()
    rv.trace(net, rv.open_dataset("scenes", length=6, size=(64, 96)), out=folder / "log", workers=0)
    rv.save_checkpoint(net, folder / "step-000001.safetensors", step=1)
    return folder


@pytest.fixture
def open_view(open_app):
    def run(*folders, **address):
        app = open_app(*folders, **address)
        app.switch_page(str(file_of("architectures"))).run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def metric(app, label):
    return next(item.value for item in app.metric if item.label == label)


def sent_to(app, name):
    return str(next(item.proto for item in app.get("bidi_component") if item.proto.component_name == name))


def test_the_chosen_one_is_shown_with_its_costs_and_its_source(open_view, deep_folder):
    log = rv.load_log(deep_folder / "log")
    net = rv.RoutingNetwork(rv.NetworkConfig.from_dict(log.source["network"])).eval()
    route = architectures(log.space)["unet"]
    app = open_view(deep_folder, architecture="U-Net", macs="fvcore")
    cost = macs(net, route.activations[None], (64, 96), convention="fvcore", with_gates=False)[0]
    assert metric(app, "MACs (fvcore)") == short(float(cost))
    assert metric(app, "parameters") == short(float(parameters(net, route)))
    assert metric(app, "open paths") == f"{route.open.sum()} of {log.space.n_paths}"
    assert any("closed cells carry it" in item.value for item in app.markdown)
    assert any("Ronneberger" in item.value for item in app.caption)


def test_all_that_fit_are_offered_and_drawn(open_view, deep_folder, shelf_folder):
    app = open_view(deep_folder)
    known = architectures(rv.load_log(deep_folder / "log").space)
    assert app.selectbox(key=state.ARCHITECTURE).options == [route.name for route in known.values()]
    assert sent_to(app, "routeviz_drawings").count("data:image/svg+xml") == len(known)
    shallow = architectures(rv.load_log(shelf_folder / "logs" / "scenes").space)
    app = open_view(shelf_folder)
    assert len(app.selectbox(key=state.ARCHITECTURE).options) == len(shallow) < len(known)


@pytest.mark.parametrize(
    ("words", "metric_name"), [("weighted Jaccard, of activations", "jaccard"), ("Hamming, of open paths", "hamming")]
)
def test_images_are_counted_by_their_nearest_one(open_view, deep_folder, words, metric_name):
    log = rv.load_log(deep_folder / "log")
    table = nearest_architecture(log, metric=metric_name)
    app = open_view(deep_folder, distance=words)
    shown = app.dataframe[0].value
    assert shown["distance"].tolist() == sorted(table["distance"].round(3))
    sent = sent_to(app, "routeviz_counts")
    for name, n in table["architecture"].value_counts().items():
        assert f"nearest {name} ({metric_name})" in sent
        assert f"{n} (" in sent


def test_the_filter_holds_here_too(open_view, deep_folder):
    log = rv.load_log(deep_folder / "log")
    name = nearest_architecture(log)["architecture"][0]
    n_left = (nearest_architecture(log)["architecture"] == name).sum()
    app = open_view(deep_folder, filter=f"nearest {name} (jaccard)")
    assert any(item.value == f"**{n_left}** of 6 images" for item in app.markdown)
    assert len(app.dataframe[0].value) == n_left


def test_a_space_that_holds_none_and_a_log_without_a_network_say_so(open_view, deep_folder, tmp_path):
    log = rv.load_log(deep_folder / "log")
    RouteLog(log.gates, log.images, log.space).save(tmp_path / "bare" / "log")
    app = open_view(tmp_path / "bare", architecture="U-Net")
    assert metric(app, "MACs (conv)") == "—"
    assert any("No MACs" in item.value for item in app.caption)
    space = rv.lattice_space(6, 4, scales=2)
    RouteLog(log.gates[:, : space.n_paths], log.images, space).save(tmp_path / "narrow" / "log")
    assert "lattice of 4 scales" in open_view(tmp_path / "narrow").info[0].value


def test_a_checkpoint_has_architectures_but_no_nearest_ones(open_view, deep_folder):
    app = open_view(deep_folder / "step-000001.safetensors", dataset="scenes")
    assert metric(app, "MACs (conv)").endswith(("k", "M"))
    assert any("route log" in item.value for item in app.info)


def test_a_small_drawing_has_a_line_for_each_open_path():
    route = architectures(rv.lattice_space(16, 8))["unet"]
    svg = b64decode(drawings.small(route).partition(",")[2]).decode()
    assert svg.count('stroke-width="6"') == route.open.sum()
    assert svg.count('r="8"') == (route.cell_states["state"] == "open").sum()
    assert filters.subject("nearest unet (jaccard)") == "nearest"
