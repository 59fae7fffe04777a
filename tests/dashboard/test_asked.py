import shutil

import pytest

from routeviz.dashboard import links, state

LOGS = ("a/scenes (log)", "b/scenes (log)")


@pytest.fixture
def two_logs(shelf_folder, tmp_path):
    """A folder with two logs, of which the first one is shown without an address."""
    for name in "ab":
        shutil.copytree(shelf_folder / "logs", tmp_path / name)
    return tmp_path


def address(app, key):
    """Values that the address has of a widget."""
    given = app.query_params.get(key, [])
    return [given] if isinstance(given, str) else list(given)


def warnings(app):
    return [item.value for item in app.warning]


def test_the_address_names_the_log_and_the_image_also_where_they_are_the_first(open_app, two_logs):
    app = open_app(two_logs)
    assert address(app, state.SOURCE) == [f"{two_logs.name}/{LOGS[0]}"]
    assert address(app, state.IMAGE) == ["val-00000"]
    assert warnings(app) == []
    app.selectbox(key=state.IMAGE).set_value("val-00002").run()
    app.selectbox(key=state.IMAGE).set_value("val-00000").run()
    assert app.selectbox(key=state.IMAGE).value == "val-00000"


def test_a_link_shows_the_log_that_it_names(open_app, two_logs):
    name = f"{two_logs.name}/{LOGS[1]}"
    app = open_app(two_logs, source=name, image="val-00003")
    assert app.selectbox(key=state.SOURCE).value == name
    assert app.selectbox(key=state.IMAGE).value == "val-00003"
    assert address(app, state.SOURCE) == [name]
    assert warnings(app) == []


def test_a_dead_link_is_told_with_what_is_shown_instead_until_something_is_chosen(open_app, two_logs):
    first, second = (f"{two_logs.name}/{name}" for name in LOGS)
    app = open_app(two_logs, source="gone (log)", image="val-00099", selected="L99 s9")
    assert app.selectbox(key=state.SOURCE).value == first
    assert address(app, state.SOURCE) == [first]
    assert address(app, state.IMAGE) == ["val-00000"]
    assert address(app, state.SELECTED) == []
    for words in (
        "log or checkpoint gone (log), which is not in the list here; shown is",
        "image val-00099, which is not in the list here; shown is val-00000",
        "cell or path L99 s9, which is not in the list here; it is left out",
    ):
        assert sum(words in text for text in warnings(app)) == 1
    app.selectbox(key=state.SELECTED).set_value("L0 s0").run()
    app.selectbox(key=state.SOURCE).set_value(second).run()
    (left,) = warnings(app)
    assert "image val-00099" in left


def test_an_image_that_the_filter_hides_is_replaced_without_a_word_when_the_filter_changes(open_app, two_logs):
    app = open_app(two_logs, image="val-00003")
    app.text_input(key=state.SEARCH).set_value("00002").run()
    assert app.selectbox(key=state.IMAGE).value == "val-00002"
    assert warnings(app) == []


def test_both_images_of_a_comparison_are_named_and_a_dead_one_is_told(open_app, two_logs):
    app = open_app(two_logs)
    app.switch_page(str(links.file_of("compare")))
    app.query_params["left_image"] = "val-00077"
    app.run()
    right = app.selectbox(key="right_image").value
    assert address(app, "left_image") == ["val-00000"]
    assert address(app, "right_image") == [right]
    assert [text for text in warnings(app) if "image val-00077" in text]


def test_what_a_view_offers_with_a_default_is_told_too_where_a_link_asks_for_something_else(open_app, two_logs):
    app = open_app(two_logs, macs="flops", sort="beauty")
    assert app.selectbox(key=state.CONVENTION).value == "conv"
    assert sum("the convention for MACs flops, which is not" in text for text in warnings(app)) == 1
    assert sum("the order beauty, which is not" in text for text in warnings(app)) == 1
    app.run()
    assert len(warnings(app)) == 2
    app.selectbox(key=state.CONVENTION).set_value("released").run()
    assert [text for text in warnings(app) if "flops" in text] == []
    app.switch_page(str(links.file_of("checkpoints")))
    app.query_params[state.PART] = "Fronts"
    app.run()
    assert [text for text in warnings(app) if "the part Fronts, which is not" in text]
