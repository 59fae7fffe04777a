import io
import json
import shutil
import zipfile

import pytest

import routeviz as rv
from routeviz.dashboard import exports, state
from routeviz.plots.catalogue import FIGURES


@pytest.fixture(scope="module")
def log(shelf_folder):
    return rv.load_log(shelf_folder / "logs" / "scenes")


@pytest.fixture
def figures(open_app, shelf_folder, monkeypatch):
    """The page, with pictures drawn as one pixel: what they look like is tested where they are drawn."""

    def run(folder=shelf_folder, **address):
        monkeypatch.setattr("routeviz.dashboard.caches.render_figure", lambda sheet, **options: {"png": PIXEL})
        app = open_app(folder, **address)
        app.switch_page("routeviz/dashboard/views/figures.py").run()
        assert not app.exception, app.exception[0].message
        return app

    return run


PIXEL = exports.file_of(rv.plot_space.describe(rv.lattice_space(2, 4, scales=2)), "png", 1.0)


def collect(app, *names, drawn=False):
    for name in names:
        if not drawn:
            app.button(key=f"figures_draw_{name}").click().run()
        app.button(key=f"export_figures_{name}_add").click().run()
        assert not app.exception, app.exception[0].message
    return app.session_state[state.FIGURES]


def test_nothing_collected_says_how_to_collect(figures):
    app = figures()
    assert app.subheader[0].value == "Collected (0)"
    assert "Add to figures" in app.info[0].value
    assert not app.session_state[state.FIGURES]


def test_all_figures_are_offered_and_drawn_when_asked_for(figures):
    app = figures()
    assert [button.key for button in app.button if button.key.startswith("figures_draw_")] == [
        "figures_draw_all",
        *(f"figures_draw_{name}" for name in FIGURES),
    ]
    app.button(key="figures_draw_all").click().run()
    assert not app.exception
    left_out = [caption.value for caption in app.caption if caption.value.startswith(":material/block:")]
    # The shelf holds no training run, and its log no importance and no experts.
    assert len(left_out) == 5
    assert sum("run" in text for text in left_out) == 4
    assert "chooses among paths side by side" in left_out[-1]


def test_a_collected_figure_is_renamed_moved_and_removed(figures, log):
    app = figures()
    first, second = collect(app, "usage", "macs")
    assert [first.name, second.name] == ["Use of paths", "MACs of images"]
    assert first.made_by == "rv.plot_usage(log)"
    assert log.digest in first.origin
    assert app.subheader[0].value == "Collected (2)"
    app.text_input(key=f"figures_name_{first.key}").set_value("Use <b>$x$</b>").run()
    app.text_area(key=f"figures_caption_{first.key}").set_value("Paths of дорога").run()
    app.button(key=f"figures_arrow_downward_{first.key}").click().run()
    assert [figure.name for figure in app.session_state[state.FIGURES]] == ["MACs of images", "Use <b>$x$</b>"]
    assert app.session_state[state.FIGURES][1].caption == "Paths of дорога"
    app.button(key=f"figures_delete_{second.key}").click().run()
    assert [figure.key for figure in app.session_state[state.FIGURES]] == [first.key]
    app.button(key="figures_clear").click().run()
    assert app.session_state[state.FIGURES] == []
    assert not app.exception


def test_all_go_out_in_one_file_that_says_what_they_are(log):
    figure = exports.Kept(
        name="../Use & <b>",
        sheet=rv.plot_usage.describe(log),
        caption="Of\nall",
        origin="log",
        made_by="rv.plot_usage(log)",
    )
    data = exports.pack([figure, figure], ("pdf", "csv"), "text")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["01-Use-b.pdf", "01-Use-b.csv", "02-Use-b.pdf", "02-Use-b.csv", "README.txt"]
        assert archive.read("01-Use-b.pdf").startswith(b"%PDF-")
        words = archive.read("README.txt").decode()
    for line in ("1. ../Use & <b>", "caption: Of all", "routes from: log", "made by: rv.plot_usage(log)"):
        assert line in words


def test_a_checkpoint_alone_says_that_a_log_is_needed(figures, shelf_folder):
    name = f"{shelf_folder.name}/checkpoints/step-000010.safetensors (checkpoint)"
    app = figures(source=name, dataset="scenes")
    assert "a checkpoint is chosen" in app.info[1].value


def test_a_log_whose_pictures_are_not_at_hand_gives_what_it_can(figures, shelf_folder, tmp_path):
    shutil.copytree(shelf_folder / "logs", tmp_path / "logs")
    app = figures(tmp_path)
    app.button(key="figures_draw_route").click().run()
    assert not app.exception
    assert app.button(key="export_figures_route_add")


def test_an_empty_folder_still_has_the_page(figures, tmp_path):
    app = figures(tmp_path)
    assert "Nothing to look at yet" in app.header[0].value


def test_a_run_on_the_shelf_gives_the_figures_of_its_training(figures, shelf_folder, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(shelf_folder / "logs", tmp_path / "logs")
    shutil.copytree(shelf_folder / "checkpoints", run / "checkpoints")
    macs = {"conv": {"avg": 3e6}, "released": {"avg": 4e6}}
    line = {"kind": "evaluation", "step": 10, "miou": 0.5, "macs": macs, "expected_macs": 1e6}
    (run / "config.json").write_text(json.dumps({"training": {"dataset": "scenes"}}))
    (run / "metrics.jsonl").write_text(json.dumps(line) + "\n" + '{"kind": "evaluation", "ste')
    app = figures(tmp_path)
    app.button(key="figures_draw_all").click().run()
    assert not app.exception, app.exception[0].message
    left_out = [caption.value for caption in app.caption if caption.value.startswith(":material/block:")]
    assert [text.split()[1] for text in left_out] == ["This", "No"]  # importance, and experts
    (collected,) = collect(app, "accuracy", drawn=True)
    assert collected.sheet.table().name.tolist() == ["run"]
