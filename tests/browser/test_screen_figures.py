"""The figures in plotly, as a browser sets them: no word covers another, none leaves its figure."""

import numpy as np
import pandas as pd
import plotly.io as pio
import pytest

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.plots import screen
from routeviz.plots.catalogue import FIGURES, Material, Pictures
from routeviz.plots.style import inches
from routeviz.training import read_metrics

WORDS = """figure => [...figure.querySelectorAll('text')].map(text => {
    const box = text.getBoundingClientRect();
    return {text: text.textContent, left: box.left, right: box.right, top: box.top, bottom: box.bottom};
}).filter(box => box.text.trim() && box.right > box.left)"""
PATIENCE_MS = 120_000


def closed(log):
    """What closing each path might change, a third of it flagged."""
    share = log.opened(slice(None)).mean(axis=0)
    table = pd.DataFrame({"path": log.space.path_names, "open": share})
    changed = np.linspace(0, 0.2, len(share)) * (share > 0)
    return table.assign(changed=changed, flagged=(np.arange(len(share)) % 3 == 0) & (share > 0))


def material(name):
    """All that figures can show, without a network."""
    log = rv.load_log(bundled_data(f"logs/{name}"))
    runs = sorted(path.parent for path in bundled_data("checkpoints").glob("*/metrics.jsonl"))
    scenes = rv.open_dataset("scenes")
    half = log.select(np.arange(len(log) // 2))
    return Material(
        log=log,
        runs={run.name: read_metrics(run) for run in runs},
        steps=lambda: {500: half, 1000: log, 12_000: half},
        importance=lambda: closed(log),
        pictures=Pictures(
            sample=lambda id_: scenes[scenes.ids.index(id_)],
            segment=lambda image: scenes[0].label,
            class_names=scenes.class_names,
            class_colors=scenes.class_colors,
        )
        if name == "scenes"
        else None,
    )


@pytest.mark.parametrize("name", ["scenes", "camvid-budget-0.1"])
def test_no_word_covers_another_or_leaves_its_figure(chromium, tmp_path, name):
    found = material(name)
    parts = []
    experts = Material(log=rv.load_log(bundled_data("gated/moe/log")))
    for number, (title, figure) in enumerate(FIGURES.items()):
        sheet = figure.describe(experts if title == "experts" else found)
        drawn = screen.draw(sheet, width=inches(sheet.width))
        parts.append(pio.to_html(drawn, include_plotlyjs=not number, include_mathjax=False, full_html=False))
    (tmp_path / "figures.html").write_text(f"<meta charset=utf-8>{''.join(parts)}", encoding="utf-8")
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto((tmp_path / "figures.html").as_uri(), timeout=PATIENCE_MS)
    figures = page.locator(".plotly-graph-div")
    assert figures.count() == len(FIGURES)
    wrong = []
    for number, title in enumerate(FIGURES):
        figure = figures.nth(number)
        figure.locator("text").first.wait_for(state="attached", timeout=PATIENCE_MS)
        edge, boxes = figure.bounding_box(), figure.evaluate(WORDS)
        assert boxes, title
        for at, box in enumerate(boxes):
            across = edge["x"] - 1 <= box["left"] and box["right"] <= edge["x"] + edge["width"] + 1
            down = edge["y"] - 1 <= box["top"] and box["bottom"] <= edge["y"] + edge["height"] + 1
            if not (across and down):
                wrong.append(f"{title}: {box['text']!r} leaves the figure")
            for other in boxes[:at]:
                across = min(box["right"], other["right"]) - max(box["left"], other["left"])
                down = min(box["bottom"], other["bottom"]) - max(box["top"], other["top"])
                # A box is as high as the font's tallest letters: lines that follow each other touch.
                if min(across, down) > 4:
                    wrong.append(f"{title}: {box['text']!r} covers {other['text']!r}")
    page.close()
    assert wrong == []
