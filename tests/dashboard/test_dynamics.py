"""How dynamic is it?, in Population."""

import numpy as np
import pytest

import routeviz as rv
from routeviz.dashboard import links, state
from routeviz.dashboard.dynamics import verdict
from routeviz.routelog import RouteLog
from routeviz.stats import summary

QUESTION = "How dynamic is it?"


@pytest.fixture(scope="module")
def log(shelf_folder):
    return rv.load_log(shelf_folder / "logs" / "scenes")


@pytest.fixture
def open_question(open_app):
    def run(*folders, **address):
        app = open_app(*folders, **{state.QUESTION: QUESTION, **address})
        app.switch_page(str(links.file_of("population"))).run()
        assert not app.exception, app.exception[0].message
        return app

    return run


def rows(app):
    return {row.figure: row for table in app.table for row in table.value.itertuples()}


def test_every_figure_stands_beside_its_definition(open_question, shelf_folder, log):
    shown = rows(open_question(shelf_folder, macs="fvcore"))
    figures = [figure for figure in summary(log) if figure.convention in ("", "fvcore")]
    assert len(shown) == len({figure.name for figure in figures})
    for figure in figures:
        assert shown[figure.name].value == figure.text
        assert shown[figure.name].definition.replace("\\", "") == figure.definition
    assert shown["MACs that vary"].unit == "fvcore"


def test_the_figures_are_those_of_the_images_that_pass(open_question, shelf_folder, log):
    id_ = log.images["id"][3]
    app = open_question(shelf_folder, filter=f"id has {id_}")
    assert rows(app)["images"].value == "1"
    assert any("One image alone" in item.value for item in app.markdown)


def test_a_static_network_is_called_static(log):
    same = RouteLog(np.repeat(log.gates[:1], 6, axis=0), log.images, log.space, log.source)
    assert verdict(summary(same), "conv").startswith("The network is static on these 6 images")


def test_the_sentence_tells_what_the_table_does(log):
    figures = summary(log)
    value = {figure.key: figure.text for figure in figures}
    said = verdict(figures, "conv")
    assert f"take {value['distinct_routes']} distinct routes" in said
    assert f"{value['decided_paths']} paths are decided by the image" in said
    assert f"{value['macs_conv_varying']} of the MACs (conv) vary" in said
    assert "MACs" not in verdict(figures, "another")
