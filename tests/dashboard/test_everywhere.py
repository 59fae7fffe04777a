"""Every command and every view with a log of every kind of network: it works, or says in one line why it does not."""

import json
import re

import pytest

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.dashboard import links, state

FOLDER = bundled_data("gated")
KINDS = {
    (log.space.kind, log.rows_are): name for name, log in ((p.name, rv.load_log(p / "log")) for p in FOLDER.iterdir())
}
"""A log of each kind of space and rows."""

WORKS, REFUSES = 0, 2
COMMANDS = {
    "stats LOG": WORKS,
    "costs LOG --table": WORKS,
    "costs LOG --measure": REFUSES,
    "compare LOG": WORKS,
    "compare LOG --architecture unet": REFUSES,
    "nearest LOG": REFUSES,
    "common LOG": WORKS,
    "common LOG --sweep": WORKS,
    "common LOG --checkpoint WEIGHTS --out OUT.safetensors": REFUSES,
    "scale log LOG": REFUSES,
    "figures LOG --out OUT --format csv": WORKS,
    "figures LOG --out OUT --only architectures": REFUSES,
    "figures LOG --out OUT --checkpoint WEIGHTS": REFUSES,
    "export log LOG --out OUT": WORKS,
    "export route LOG --image ROW --out OUT": WORKS,
    "export route LOG --out OUT": REFUSES,
    "drift LOG --dataset scenes --out OUT": REFUSES,
    "importance WEIGHTS --dataset scenes --out OUT": REFUSES,
    "front WEIGHTS --dataset scenes --out OUT": REFUSES,
    "trace WEIGHTS --dataset scenes --out OUT": REFUSES,
    "costs WEIGHTS --image-size 8x8": REFUSES,
    "compare WEIGHTS": REFUSES,
    "force WEIGHTS L0=closed --dataset scenes": REFUSES,
    "import WEIGHTS --out OUT.safetensors": REFUSES,
    "export network WEIGHTS --out OUT.safetensors": REFUSES,
    "scale image WEIGHTS --dataset scenes --image val-00000": REFUSES,
}
"""With a recorded log, and with the weights of a recorded network."""

VIEWS = {
    "inspect": "cells open, closed, unreached",
    "population": "of each",
    "compare": "that differ most",
    "architectures": "compare its routes with each other",
    "what-if": "only its own program runs",
    "figures": "Figures of this log",
}
"""What each view says of such a log. (Checkpoints asks for none.)"""


def wrong_words(text, rows):
    """Where a text speaks of images that are none, or of scales where there are none."""
    # The word of an input, options and keys, a lattice that is said not to be there, and images that tokens are of.
    text = re.sub(r"image-blind|--image\b|images_\w+|_of_images|lattice of 4 scales|Of each image's tokens.*", "", text)
    found = re.findall(r".{0,40}\bscales?\b.{0,40}", text)
    return found + (re.findall(r".{0,40}\b[Ii]mages?\b.{0,40}", text) if rows != "images" else [])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KINDS.values()))
def test_every_command_and_every_view_works_or_says_in_one_line_why_not(open_app, routeviz, tmp_path, name):
    log = rv.load_log(FOLDER / name / "log")
    given = {"LOG": FOLDER / name / "log", "WEIGHTS": FOLDER / name / "weights.safetensors", "ROW": log.images["id"][1]}
    for at, (line, code) in enumerate(COMMANDS.items()):
        result = routeviz(
            *(str(given.get(word, word)).replace("OUT", str(tmp_path / f"{at}")) for word in line.split())
        )
        assert result.exit_code == code, (line, result.output)
        assert code == WORKS or len(result.stderr.strip().splitlines()) == 1, line
        # Commands that never come to see a log speak of scenes and of scale in their own words.
        assert "LOG" not in line or "scale" in line or wrong_words(result.output, log.rows_are) == [], line
    app = open_app(FOLDER, **{state.SOURCE: f"gated/{name}/log (log)"})
    for view, said in VIEWS.items():
        app.switch_page(str(links.file_of(view))).run()
        assert not app.exception, (view, app.exception[0].message)
        texts = shown(app)
        assert any(said in text for text in texts), view
        assert [wrong for text in texts if (wrong := wrong_words(text, log.rows_are))] == [], view


def shown(app):
    """All texts on a page: those of its elements, and what its components were handed."""
    kinds = ["markdown", "caption", "info", "warning", "error", "subheader", "metric"]
    kinds += ["selectbox", "multiselect", "button", "toggle"]
    texts = [
        str(text)
        for kind in kinds
        for item in app.get(kind)
        for text in (getattr(item, "label", ""), getattr(item, "value", ""), getattr(item.proto, "help", ""))
    ]
    for item in app.get("bidi_component"):
        if item.proto.component_name != "routeviz_figures":  # the picture of an image is one, whatever the rows are
            texts += strings(json.loads(item.proto.json or "null"))
    return texts


def strings(data):
    """The words in what a component was handed: not the names of marks, of which one is that of an input."""
    if isinstance(data, dict):
        return [
            text for key, value in data.items() if key not in ("kind", "cell_kind", "marks") for text in strings(value)
        ]
    if isinstance(data, list):
        return [text for value in data for text in strings(value)]
    return [data] if isinstance(data, str) and not data.startswith("data:") else []
