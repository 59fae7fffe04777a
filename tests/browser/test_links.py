import shutil
from urllib.parse import parse_qs, urlsplit

import pytest

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
LATTICE = ".rv .scroll svg"


@pytest.fixture(scope="module")
def elsewhere(shelf, serving, tmp_path_factory):
    """A dashboard with one log more, which comes first."""
    folder = tmp_path_factory.mktemp("elsewhere") / shelf.folder.name
    shutil.copytree(shelf.folder, folder)
    shelf.log.select([5, 4]).save(folder / "a-log")
    with serving(folder, cwd=folder) as (url, _):
        yield url


def lattice(page):
    page.wait_for_selector(LATTICE)
    page.wait_for_selector(IDLE)
    return page.locator(LATTICE).get_attribute("aria-label")


def test_a_copied_link_shows_the_same_where_another_log_comes_first(page, elsewhere):
    page.goto(elsewhere)
    assert lattice(page) == "Route of val-00005"
    page.goto("/")
    assert lattice(page) == "Route of val-00000"
    copied = urlsplit(page.url).query
    assert set(parse_qs(copied)) == {"source", "image"}
    page.goto(f"{elsewhere}/?{copied}")
    assert lattice(page) == "Route of val-00000"
    assert parse_qs(urlsplit(page.url).query) == parse_qs(copied)
    assert page.get_by_test_id("stAlert").count() == 0


def test_a_dead_link_is_told_and_the_address_corrected(page):
    page.goto("/?source=gone&image=val-00003")
    assert lattice(page) == "Route of val-00003"
    assert "asks for the log or checkpoint gone" in page.get_by_test_id("stAlert").inner_text()
    assert parse_qs(urlsplit(page.url).query)["source"] != ["gone"]


def test_back_leads_to_what_was_on_the_screen_before(page):
    page.goto("/")
    assert lattice(page) == "Route of val-00000"
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**image=val-00001*")
    page.get_by_role("link", name="What if").click()
    page.locator(f'{LATTICE}[aria-label="Forced route of val-00001"]').wait_for()
    page.wait_for_selector(IDLE)
    page.locator('.rv [role=button][aria-label^="L0 s0 down"]').dispatch_event("click")
    page.wait_for_url("**forced=L0*")
    page.wait_for_selector(IDLE)
    page.go_back()
    page.locator(".st-key-forced input[value='']").wait_for()
    assert "forced" not in page.url
    page.go_back()
    page.locator(f'{LATTICE}[aria-label="Route of val-00001"]').wait_for()
    page.wait_for_selector(IDLE)
    assert urlsplit(page.url).path == "/"
    assert parse_qs(urlsplit(page.url).query)["image"] == ["val-00001"]
