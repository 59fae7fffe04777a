import io

import pandas as pd
import pytest
from PIL import Image

import routeviz as rv
from routeviz.dashboard import exports, state


@pytest.fixture(scope="module")
def log(shelf_folder):
    return rv.load_log(shelf_folder / "logs" / "scenes")


def collected(app):
    return app.session_state[state.FIGURES] if state.FIGURES in app.session_state else []  # noqa: SIM401


def test_every_kind_of_file_is_what_it_says(log):
    sheet = rv.plot_usage.describe(log)
    assert exports.file_of(sheet, "pdf").startswith(b"%PDF-")
    assert b"<svg" in exports.file_of(sheet, "svg")
    assert Image.open(io.BytesIO(exports.file_of(sheet, "png", 5.0))).width == 5 * 300
    table = pd.read_csv(io.BytesIO(exports.file_of(sheet, "csv")))
    assert len(table) == log.space.n_paths


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Route of val-00001", "Route-of-val-00001"),
        ("../../etc/passwd", "etc-passwd"),
        ("дорога <b>$x$</b>\n", "дорога-b-x-b"),
        ("...", "figure"),
        ("x" * 500, "x" * 80),
    ],
)
def test_a_file_name_is_safe_everywhere(name, file):
    assert exports.file_name(name) == file


def test_a_picture_is_collected_with_its_origin_and_its_link(open_app, shelf_folder, log):
    app = open_app(shelf_folder, image="val-00002")
    assert collected(app) == []
    app.button(key="export_inspect_add").click().run()
    (one,) = collected(app)
    assert one.name == "Route of val-00002"
    assert log.digest in one.origin
    assert log.source["checkpoint"]["sha256"] in one.origin
    assert one.made_by.startswith("dashboard, /?")
    assert "image=val-00002" in one.made_by
    assert "macs=conv" in one.made_by
    assert [panel.title for panel in one.sheet.panels] == ["image", "labels", "segmentation", "val-00002"]
    app.button(key="export_inspect_add").click().run()
    assert [figure.name for figure in collected(app)] == ["Route of val-00002", "Route of val-00002 (2)"]


def test_collecting_ends_where_the_list_is_full(open_app, shelf_folder, monkeypatch):
    monkeypatch.setattr(exports, "MOST", 1)
    app = open_app(shelf_folder)
    for _ in range(2):
        app.button(key="export_inspect_add").click().run()
    assert len(collected(app)) == 1
    assert "collected already" in app.toast[0].value
