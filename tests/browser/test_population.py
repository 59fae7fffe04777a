import re

import numpy as np
import pytest

from routeviz.dashboard.population import Population

expect = pytest.importorskip("playwright.sync_api").expect

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
LATTICE = ".rv .scroll svg"
CHIPS = ".st-key-filter [data-tag-index], .st-key-filter [data-baseweb=tag]"


@pytest.fixture(scope="module")
def population(shelf):
    return Population(shelf.log)


def settle(page):
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(250)
    page.wait_for_selector(IDLE)


def visit(page):
    """Open the view as a user does: streamlit asks in vain for files below the address of a page opened directly."""
    page.goto("/")
    page.wait_for_selector(LATTICE)
    page.get_by_role("link", name="Population").click()
    page.wait_for_selector(".places canvas")
    settle(page)


def said_left(page):
    return page.locator("p", has_text="of 6 images").first


def left(page):
    """How many images pass the filter, as the screen says it."""
    return int(re.search(r"(\d+) of 6 images", said_left(page).inner_text())[1])


def wait_until_left(page, n):
    page.locator("p", has_text=f"{n} of 6 images").first.wait_for()
    settle(page)


def drag(page, where, start, end):
    """Drag across a chart, from one share of its box to another, until that has left some images out."""
    before = said_left(page).inner_text()
    target = page.locator(where)
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move((points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2)
    page.mouse.move(*points[1])
    page.mouse.up()
    expect(said_left(page)).not_to_have_text(before)
    settle(page)


def test_all_charts_are_drawn(page, shelf):
    visit(page)
    assert left(page) == 6
    assert page.locator(LATTICE).get_attribute("aria-label") == "Mean activation, 6 images"
    assert page.locator(".st-key-population_heat .cell").count() == shelf.log.space.n_paths
    assert page.locator(".st-key-population_macs .some").count() == 40
    assert page.locator(".places .ring").count() > 1


def test_a_drag_across_the_histogram_filters_all_charts_and_the_list_of_inspect(page, shelf):
    macs = shelf.log.images["macs_conv"].to_numpy()
    visit(page)
    drag(page, ".st-key-population_macs svg", (0.02, 0.4), (0.5, 0.4))
    n_left = left(page)
    assert 0 < n_left < 6
    assert n_left == pytest.approx((macs <= (macs.min() + macs.max()) / 2).sum(), abs=1)
    assert page.locator(LATTICE).get_attribute("aria-label").startswith(f"Mean activation, {n_left} image")
    assert "filter=MACs" in page.url
    page.get_by_role("link", name="Inspect").click()
    page.get_by_text(f"({n_left} of 6 listed)").wait_for()
    assert page.get_by_text(f"{n_left} of 6 images").is_visible()


def test_a_box_in_the_plane_filters_and_clear_takes_it_back(page, population):
    visit(page)
    drag(page, ".places .stage svg", (0.0, 0.0), (0.5, 0.99))
    n_left = left(page)
    assert n_left == (population.places[:, 0] < population.places[:, 0].mean()).sum() or 0 < n_left < 6
    assert page.locator(".places polygon.span").count() == 1
    page.get_by_role("button", name="Clear", exact=False).first.click()
    wait_until_left(page, 6)
    assert page.locator(".places polygon.span").count() == 0


def test_clicks_on_a_path_ask_for_open_then_shut_then_any(page, shelf, population):
    share = population.part(np.ones(6, bool)).share_open
    decided = np.flatnonzero((share > 0) & (share < 1))
    name = shelf.log.space.path_names[decided[0]]
    n_open = round(6 * float(share[decided[0]]))
    visit(page)
    starts = re.compile(rf"^{name}\b")
    cell = page.locator(".st-key-population_heat").get_by_role("button", name=starts)
    for expected in (n_open, 6 - n_open, 6):
        cell.click()
        wait_until_left(page, expected)
    page.locator(".rv").get_by_role("button", name=starts).dispatch_event("click")  # paths cross: a pointer could miss
    wait_until_left(page, n_open)


def test_a_click_on_a_point_opens_its_image_in_inspect(page, shelf, population):
    visit(page)
    stage = page.locator(".places .stage svg")
    stage.scroll_into_view_if_needed()
    box, ring = stage.bounding_box(), page.locator(".places .ring").first
    typical = shelf.log.images["id"][int(population.clusters(4).typical[0])]
    page.mouse.click(box["x"] + float(ring.get_attribute("cx")), box["y"] + float(ring.get_attribute("cy")))
    page.locator(f'{LATTICE}[aria-label="Route of {typical}"]').wait_for()
    page.wait_for_url(re.compile("source=.*image="))


def test_a_link_shows_the_same_part_of_the_population(page, shelf, chromium, address):
    visit(page)
    drag(page, ".st-key-population_macs svg", (0.02, 0.4), (0.5, 0.4))
    page.get_by_text("share open", exact=True).click()
    page.wait_for_url(re.compile("shows="))
    settle(page)
    n_left = left(page)
    assert 0 < n_left < 6
    other = chromium.new_page(base_url=address)
    other.goto(page.url)
    other.wait_for_selector(".places canvas", timeout=60_000)
    settle(other)
    assert left(other) == n_left
    assert other.locator(LATTICE).get_attribute("aria-label").startswith("Share of images that open a path")
    assert other.locator(".bars .span").count() == 1
    other.close()
