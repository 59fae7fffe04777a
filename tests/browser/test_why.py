"""Importance of paths, and the budget front, as a user comes to them."""

import re
import time

import pytest

import routeviz as rv
from routeviz.dashboard.caches import FRESH_S

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


def visit(page, name):
    """Open a view as a user does: streamlit asks in vain for files below the address of a page opened directly."""
    page.goto("/")
    page.wait_for_selector(".rv .scroll svg")
    page.get_by_role("link", name=name).click()
    page.wait_for_selector(IDLE)


def test_importance_is_drawn_and_ranked_by_what_is_chosen(page, shelf):
    scenes, net = rv.open_dataset("scenes", length=6, size=(64, 96)), rv.load_checkpoint(shelf.checkpoint)
    table = rv.importance(net, scenes, images=[scenes.ids[0]], workers=0).table()
    visit(page, "What if")
    page.get_by_text("Importance of paths", exact=True).click()
    lattice = page.locator(".st-key-importance_lattice .rv")
    lattice.locator('svg[aria-label="Importance of paths"]').wait_for()
    best = table.loc[table["changed"].idxmax()]
    tip = lattice.get_by_role("button", name=re.compile(rf"^{best.path}\b")).first
    tip.hover(force=True)
    said = lattice.locator(".tip").inner_text()
    assert f"closed, changes: {100 * best.changed:.1f}% of the pixels" in said
    page.get_by_text("KL", exact=True).click()
    page.get_by_text(
        f"KL, how much changes when a path alone is closed; at most {table['kl'].max():.3g} nats"
    ).wait_for()


@pytest.fixture(scope="module")
def front(shelf):
    """A front of the shelf's checkpoint: as trained, a threshold, a greedy round."""
    scenes = rv.open_dataset("scenes", length=2, size=(64, 64))
    settings = {"rounds": 1, "share": 0.1, "rank_images": 1, "workers": 0}
    net = rv.load_checkpoint(shelf.checkpoint)
    found = rv.budget_front(net, scenes, out=shelf.folder / "fronts" / "tiny", thresholds=(0.6,), **settings)
    time.sleep(FRESH_S)  # an earlier look at the shelf, which has no such front, is used that long
    return found


def test_a_point_of_the_front_that_is_clicked_gives_the_command_that_writes_it(page, front):
    visit(page, "Checkpoints")
    page.get_by_text("Budget front", exact=True).click()
    chart = page.locator(".st-key-front_chart .js-plotly-plot")
    chart.wait_for()
    page.wait_for_selector(IDLE)
    greedy = chart.locator(".scatterlayer .trace").filter(has=page.locator("path.point")).last
    greedy.locator("path.point").first.click(force=True)
    page.wait_for_url(re.compile("point=greedy-01"))
    page.get_by_text("--write greedy-01 --to greedy-01.safetensors").wait_for()
    miou = front.points.set_index("name").miou["greedy-01"]
    assert f"{100 * miou:.1f}%" in page.get_by_test_id("stMetric").filter(has_text="mIoU of all images").inner_text()
