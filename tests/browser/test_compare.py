import re
from urllib.parse import quote

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
LATTICE = ".rv .scroll svg"
TITLES = {"Compare": "Difference of", "What if": "Forced route of"}


def open_view(page, name, **query):
    """Open a view as a user does: streamlit asks in vain for files below the address of a page opened directly."""
    page.goto("/" + "?" * bool(query) + "&".join(f"{key}={quote(value)}" for key, value in query.items()))
    page.wait_for_selector(LATTICE)
    page.wait_for_selector(IDLE)
    page.get_by_test_id("stTopNavLink").filter(has_text=name).click()
    page.wait_for_url(re.compile(name.lower().replace(" ", "-")))
    # The address changes before the page does: until then a click reaches the lattice of the view that is left.
    page.wait_for_selector(f'{LATTICE}[aria-label^="{TITLES[name]}"]')
    page.wait_for_selector(IDLE)


def lattice(page, title):
    """The lattice of a title."""
    return page.locator(".rv").filter(has=page.locator(f'svg[aria-label^="{title}"]'))


def metric(page, label):
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def hit(place, name):
    return place.locator(f'[role=button][aria-label^="{name}"]').first


def choose(page, label, option):
    """Choose from a list."""
    page.get_by_test_id("stSelectbox").filter(has_text=re.compile(f"^{label}")).locator("input").click()
    page.get_by_role("option", name=option, exact=True).click()
    page.wait_for_selector(IDLE)


def test_two_images_are_compared_left_right_and_by_their_difference(page, shelf):
    open_view(page, "Compare")
    macs = shelf.log.images["macs_conv"]
    right = int((macs - macs[0]).abs().idxmax())
    one, other = shelf.log.route(0).open, shelf.log.route(right).open
    drawn = lattice(page, f"Difference of val-00000 and val-0000{right}")
    drawn.wait_for()
    for kind, dash, wanted in (("left", "9 4", one & ~other), ("right", "0.1 7", other & ~one)):
        lines = drawn.locator(f'.flow > g[visibility="visible"] path[stroke-dasharray="{dash}"]')
        assert lines.count() == wanted.sum(), kind
    assert lattice(page, "left: val-00000").locator('.flow > g[visibility="visible"]').count() >= one.sum()
    counts = f"{(one & ~other).sum()} · {(other & ~one).sum()} · {(one & other).sum()}"
    assert metric(page, "paths: left only").inner_text() == counts


def test_a_comparison_is_kept_in_the_address(page, shelf, chromium, address):
    open_view(page, "Compare")
    choose(page, "Right side", "an architecture")
    # The end of a run that still draws would put the value before into the address.
    lattice(page, "Difference of val-00000 and FCN-32s").wait_for()
    page.wait_for_selector(IDLE)
    choose(page, "Architecture", "all_open")
    lattice(page, "Difference of val-00000 and All open").wait_for()
    page.get_by_text("path: only All open", exact=True).wait_for()
    page.wait_for_url(re.compile("right_architecture=all_open"))
    other = chromium.new_page(base_url=address)
    other.goto(page.url)
    other.wait_for_selector(LATTICE, timeout=60_000)
    other.wait_for_selector(IDLE)
    assert other.get_by_test_id("stException").count() == 0
    assert other.locator(f"{LATTICE}[aria-label^=right]").get_attribute("aria-label") == page.locator(
        f"{LATTICE}[aria-label^=right]"
    ).get_attribute("aria-label")
    other.close()


def test_a_click_in_one_lattice_marks_the_path_in_all(page, shelf):
    open_view(page, "Compare")
    name = shelf.log.space.path_names[int(shelf.log.route(0).open.argmax())]
    hit(lattice(page, "left"), name).click(force=True)
    page.wait_for_url(re.compile("selected="))
    page.wait_for_selector(IDLE)
    for place in (lattice(page, title) for title in ("left", "right", "Difference")):
        place.locator("path.halo[visibility=visible]").wait_for(state="attached")  # a flat one has no height


def test_a_click_forces_a_path_and_undo_takes_it_back(page, shelf):
    open_view(page, "What if")
    path = int(shelf.log.route(0).open.argmax())
    name = shelf.log.space.path_names[path]
    before = metric(page, "open paths").inner_text()
    hit(page, name).click(force=True)
    page.wait_for_url(re.compile("forced="))
    page.wait_for_selector(IDLE)
    pins = page.locator('.rv .pins path[visibility="visible"]')
    expect(page.get_by_label("Forced", exact=True)).to_have_value(f"{name}=0")
    expect(pins).to_have_count(1)
    expect(hit(page, name)).to_have_attribute("aria-label", re.compile(f"{name} → .*activation 0, forced", re.DOTALL))
    expect(metric(page, "open paths")).not_to_have_text(before)
    page.get_by_test_id("stButton").filter(has_text="undo").locator("button").first.click()
    expect(pins).to_have_count(0)
    expect(page.get_by_label("Forced", exact=True)).to_have_value("")
    expect(metric(page, "open paths")).to_have_text(before)
    expect(metric(page, "changed pixels")).to_have_text("0.0%")


def test_a_second_click_on_the_same_path_opens_it_again(page, shelf):
    open_view(page, "What if")
    name = shelf.log.space.path_names[int(shelf.log.route(0).open.argmax())]
    for value in ("0", "1", "0"):
        hit(page, name).click(force=True)
        page.wait_for_url(re.compile(rf"forced=[^&]*%3D{value}"))
        expect(hit(page, name)).to_have_attribute("aria-label", re.compile(f"activation {value}, forced"))
        page.wait_for_selector(IDLE)
        page.wait_for_timeout(500)  # a page can seem idle before the run that a click asked for begins
        page.wait_for_selector(IDLE)


def test_a_link_forces_what_it_names(page, shelf, chromium, address):
    open_view(page, "What if")
    hit(page, "L1 s0,").click(force=True)
    page.wait_for_url(re.compile("forced="))
    page.wait_for_selector(IDLE)
    expect(metric(page, "changed pixels")).not_to_have_text("0.0%")
    wanted = metric(page, "changed pixels").inner_text()
    other = chromium.new_page(base_url=address)
    other.goto(page.url)
    other.wait_for_selector(".rv .pins path[visibility=visible]", timeout=60_000)
    other.wait_for_selector(IDLE)
    expect(metric(other, "changed pixels")).to_have_text(wanted)
    expect(other.get_by_label("Forced", exact=True)).to_have_value(re.compile("^L1 s0="))
    other.close()


@pytest.mark.parametrize("view", ["Compare", "What if"])
def test_nothing_is_cut_off_at_the_usual_widths(page, view):
    open_view(page, view)
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function(FITS)
        for place in page.locator(".rv").all():
            box = place.bounding_box()
            assert box["x"] + box["width"] <= width
