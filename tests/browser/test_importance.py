"""Importance of paths, as a user comes to it."""

import re

import routeviz as rv

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


def test_importance_is_drawn_and_ranked_by_what_is_chosen(page, shelf):
    scenes, net = rv.open_dataset("scenes", length=6, size=(64, 96)), rv.load_checkpoint(shelf.checkpoint)
    table = rv.importance(net, scenes, images=[scenes.ids[0]], workers=0).table()
    page.goto("/")  # not at its address: streamlit first looks for itself below it, in vain
    page.get_by_role("link", name="What if").click()
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
