"""Names with HTML and script in them: pictures, classes, checkpoints, logs and runs show them as text, everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import routeviz as rv
from routeviz.dashboard import app
from routeviz.plots import screen
from routeviz.training import TrainConfig, train

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
MARK = "<img src=x data-evil onerror=ran=1><b data-evil>[k](javascript:ran=1)$x$:red[c]"
CLASS = f"</script></title></text></style>{MARK}<script data-evil>ran=1</script>\"'`"
SAID = """() => [document.body.innerText, ...[...document.querySelectorAll('input')].map(field => field.value)]
    .some(text => text.includes('onerror=ran=1'))"""
EVIL = "[data-evil], a[href^=javascript], img[src$='/x'], .katex"
# Every part of the page once, and a drawing, whose boxes depend on where in it one is, every 110 by 90 pixels.
PLACES = """() => {
    const deepest = (root, x, y) => {
        const part = root.elementFromPoint(x, y), inner = part?.shadowRoot && deepest(part.shadowRoot, x, y);
        return inner && inner !== part ? inner : part;
    };
    const seen = new Set(), places = [];
    for (let y = 120; y < innerHeight; y += 90) for (let x = 20; x < innerWidth; x += 110) {
        const part = deepest(document, x, y);
        if (seen.has(part) && !part.closest("svg, canvas")) continue;
        seen.add(part);
        places.push([x, y]);
    }
    return places;
}"""


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """A folder in which everything that has a name is called so: pictures, checkpoint, classes, log and run."""
    top = tmp_path_factory.mktemp("evil")
    root = top / f"data {MARK}"
    for folder in ("val", "valannot"):
        (root / folder).mkdir(parents=True)
    for number in range(4):
        name = f"{number} {MARK}.png"
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (64, 96, 3), np.uint8)).save(root / "val" / name)
        Image.fromarray(np.resize(np.arange(11, dtype=np.uint8), (64, 96))).save(root / "valannot" / name)
    torch.manual_seed(1)
    classes = tuple(f"{number}{CLASS}" for number in range(11))
    net = rv.RoutingNetwork(rv.NetworkConfig(layers=3, width=2, stem_width=2, num_classes=11, class_names=classes))
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.bias, 0.2, 0.8)
    rv.save_checkpoint(net, top / f"net {MARK}.safetensors")
    dataset = rv.open_dataset("camvid", root)
    dataset.class_names = classes
    loaded = rv.load_checkpoint(top / f"net {MARK}.safetensors")
    rv.trace(loaded, dataset, out=top / f"log {MARK}", workers=0)
    small = {"crop": (64, 96), "scale": (1, 1), "layers": 3, "width": 2, "stem_width": 2, "batch_size": 2}
    often = {"steps": 2, "checkpoint_every": 2, "eval_every": 2, "log_every": 1}
    train(TrainConfig(dataset="scenes", options={"length": 2, "size": (64, 96)}, **small, **often), top / f"run {MARK}")
    return top


@pytest.fixture
def page(chromium):
    """A page in which no name ever became more than text."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1200})
    context.add_init_script("window.ran = 0")
    page, asked = context.new_page(), []
    page.set_default_timeout(120_000)
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    yield page
    assert "x" not in asked
    context.close()


def wander(page) -> None:
    """Go with the pointer over a page, so that boxes open below it; nothing may be there but text, nor have run."""
    for x, y in page.evaluate(PLACES):
        page.mouse.move(x, y)
        assert page.locator(EVIL).count() == 0
    assert page.evaluate("window.ran") == 0


@pytest.mark.slow
def test_names_show_as_text_in_all_views(served, evil, page):
    with served(evil) as server:
        page.goto(server.address)
        for view, title, _ in app.PAGES:
            page.get_by_role("link", name=title, exact=True).click()
            if view != app.PAGES[0][0]:
                page.wait_for_url(f"**/{view}*")
            page.wait_for_selector(IDLE)
            if view not in ("architectures", "figures"):
                page.wait_for_function(SAID)
            wander(page)
            assert page.locator("[data-testid=stException]").count() == 0, title


@pytest.mark.slow
def test_names_show_as_text_in_the_report_and_in_figures(evil, page, tmp_path):
    log = rv.load_log(evil / f"log {MARK}")
    rv.write_report(log, tmp_path / "report.html", title=CLASS)
    screen.save(rv.plot_embedding(log, backend="screen"), tmp_path / "figure")
    for name in ("figure.html", "report.html"):
        page.goto((tmp_path / name).as_uri())
        wander(page)
    page.wait_for_function(SAID)
