import re

import pytest

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
LATTICE = ".rv .scroll svg"


def visit(page, **query):
    page.goto("/" + "?" * bool(query) + "&".join(f"{name}={value}" for name, value in query.items()))
    page.wait_for_selector(LATTICE)
    page.wait_for_selector(IDLE)


def title(page):
    return page.locator(LATTICE).get_attribute("aria-label")


def wait_for_title(page, text):
    page.locator(f'{LATTICE}[aria-label="{text}"]').wait_for()
    page.wait_for_selector(IDLE)


def hit(page, name):
    """The part of the lattice that a short name belongs to."""
    return page.locator(f'.rv [role=button][aria-label^="{name}"]').first


def shown_paths(page):
    return page.locator('.rv .flow > g[visibility="visible"]').count()


def test_the_first_image_appears_with_its_pictures(page, shelf):
    visit(page)
    assert title(page) == "Route of val-00000"
    assert page.locator("figure img:visible").count() == 3
    assert page.locator(".classes i").count() == len(shelf.log.source["dataset"]["class_names"])


def test_every_open_path_is_drawn_and_counted(page, shelf):
    visit(page)
    n_open = int(shelf.log.route(0).open.sum())
    assert page.locator(".rv .count").inner_text() == f"{n_open} of {n_open} open paths shown"


def test_next_and_previous_by_button_and_by_key(page):
    visit(page)
    page.keyboard.press("ArrowRight")
    wait_for_title(page, "Route of val-00001")
    page.locator(".st-key-step_Next button").first.click()
    wait_for_title(page, "Route of val-00002")
    page.keyboard.press("ArrowLeft")
    wait_for_title(page, "Route of val-00001")


def test_cells_stay_where_they_are_when_the_image_changes(page):
    visit(page)
    places = "nodes => nodes.map(node => node.getAttribute('transform'))"
    before = page.locator(".rv .cell").evaluate_all(places)
    page.keyboard.press("ArrowRight")
    wait_for_title(page, "Route of val-00001")
    assert page.locator(".rv .cell").evaluate_all(places) == before


def test_hover_shows_the_logged_activation(page, shelf):
    visit(page)
    path = int(shelf.log.route(0).open.argmax())
    hit(page, shelf.log.space.path_names[path]).hover(force=True)
    assert f"activation {shelf.log.route(0).activations[path]:.4g}: open" in page.locator(".rv .tip").inner_text()


def test_a_click_on_a_path_shows_its_details_and_the_link_brings_them_back(page, shelf, chromium, address):
    visit(page)
    path = int(shelf.log.route(0).open.argmax())
    name = shelf.log.space.path_names[path]
    hit(page, name).click(force=True)
    page.get_by_test_id("stMetric").filter(has_text="Activation").wait_for()
    page.wait_for_url(re.compile("selected="))
    other = chromium.new_page(base_url=address)
    other.goto(page.url)
    metric = other.get_by_test_id("stMetric").filter(has_text="Activation")
    metric.wait_for(timeout=60_000)
    assert f"{shelf.log.route(0).activations[path]:.4f}" in metric.inner_text()
    assert other.locator(".rv path.halo").get_attribute("visibility") == "visible"
    other.close()


def test_the_threshold_hides_paths_in_the_browser_alone(page, shelf):
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    visit(page)
    before = len(sent)
    page.get_by_label("hide paths with an activation below").fill("0.5")
    activations = shelf.log.route(0).activations[shelf.log.route(0).open]
    n_left = int((activations >= 0.5).sum())
    assert page.locator(".rv .count").inner_text().startswith(f"{n_left} of {len(activations)} open paths shown")
    page.keyboard.press("ArrowRight")  # belongs to the slider, not to the page
    page.wait_for_timeout(300)
    assert title(page) == "Route of val-00000"
    assert len(sent) == before > 0
    page.get_by_label("show up").uncheck()
    page.wait_for_url("**#below=0.51&without=up")
    page.locator(".st-key-step_Next button").first.click()
    wait_for_title(page, "Route of val-00001")
    copied = page.url
    assert copied.endswith("#below=0.51&without=up")
    counted = page.locator(".rv .count").inner_text()
    page.goto("/?image=val-00003")
    wait_for_title(page, "Route of val-00003")
    assert "hidden" not in page.locator(".rv .count").inner_text()
    page.goto(copied)
    wait_for_title(page, "Route of val-00001")
    assert page.locator(".rv .count").inner_text() == counted


def test_moves_can_be_hidden(page, shelf):
    visit(page)
    route = shelf.log.route(0)
    before = shown_paths(page)
    page.get_by_label("show down").uncheck()
    closed = route.cell_states["state"].to_numpy()[shelf.log.space.source] == "closed"
    drawn = route.open | (closed & shelf.log.space.passes)
    downs = [move == "down" for move in shelf.log.space.moves]
    assert before == drawn.sum()
    assert shown_paths(page) == (drawn & ~(drawn & downs)).sum()


def test_the_lattice_is_walked_and_chosen_from_with_keys(page):
    visit(page)
    page.locator('.rv [tabindex="0"]').focus()
    for key in ("ArrowRight", "ArrowDown", "p"):
        page.keyboard.press(key)
    focused = page.locator(".rv [role=button]:focus")
    assert focused.get_attribute("aria-label").startswith("L1 s1 up")
    page.keyboard.press("ArrowDown")
    assert focused.get_attribute("aria-label").startswith("L1 s1 keep")
    page.keyboard.press("ArrowRight")
    assert focused.get_attribute("aria-label").startswith("L2 s1")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("selected=L2.s1"))
    assert title(page) == "Route of val-00000"


def test_the_gallery_leads_to_an_image(page):
    visit(page, gallery="true")
    cards = page.locator(".gallery button")
    assert cards.count() == 6
    cards.nth(4).click()
    wait_for_title(page, "Route of val-00004")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_have_their_own_colours(chromium, address, scheme):
    context = chromium.new_context(color_scheme=scheme, base_url=address)
    page = context.new_page()
    page.set_default_timeout(60_000)
    visit(page)
    assert page.locator(".rv").get_attribute("data-theme") == scheme
    context.close()


def test_nothing_is_cut_off_at_the_usual_widths(page):
    visit(page, selected="L0%20s0")
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function(FITS)
        box = page.locator(".rv").bounding_box()
        assert box["x"] + box["width"] <= width
