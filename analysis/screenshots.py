"""Take the pictures of docs/dashboard.md: every view of the dashboard on the bundled data, in a real browser.

    python analysis/screenshots.py [VIEW...]

Needs playwright (`pip install -e '.[test]'`) and a Chromium: ROUTEVIZ_CHROMIUM names it, else it is looked for.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from scipy.spatial import cKDTree
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "images"
PATIENCE_S = 180


SCENES = "source=logs%2Fscenes+(log)"
SHOTS = {
    "dashboard-light": f"/?{SCENES}&image=val-00001&selected=L9+s1+down",
    "dashboard-dark": f"/?{SCENES}&image=val-00001&selected=L9+s1+down",
    "population": f"/population?{SCENES}",
    "compare": f"/compare?{SCENES}",
    "checkpoints": f"/checkpoints?{SCENES}",
    "architectures": f"/architectures?{SCENES}",
    "what-if": f"/what-if?{SCENES}&image=val-00001&forced=L5+s1+down%3D0%3B+L9+s1%3D0",
    "figures": f"/figures?{SCENES}",
}
"""Addresses by the name of their picture."""

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
FLAT, COLOURS = 64, 256
"""Of a picture: those that fill most of it are kept as they are, the others brought to so many in all."""


def shoot(browser: Browser, base: str, address: str, theme: str, width: int) -> bytes:
    """The whole of a page once nothing on it moves any more, as PNG."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, base_url=base)
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE_S)
    page.goto(address)
    page.wait_for_selector(IDLE)
    if address.startswith("/figures"):
        page.get_by_role("button", name="Draw all").click()
    seen = still = None
    deadline = time.monotonic() + PATIENCE_S
    while still != seen or still is None:
        if time.monotonic() > deadline:
            raise click.ClickException(f"{address} does not come to rest")
        page.wait_for_timeout(4000)
        page.wait_for_selector(IDLE)
        height = page.get_by_test_id("stMain").evaluate("page => page.scrollHeight")
        page.set_viewport_size({"width": width, "height": height})
        still, seen = seen, page.screenshot()
    context.close()
    file = io.BytesIO()
    few_colours(Image.open(io.BytesIO(seen)).convert("RGB")).save(file, "PNG", optimize=True)
    return file.getvalue()


def few_colours(picture: Image.Image) -> Image.Image:
    """The picture with a palette, a third as large as a file: marks keep their colours, photographs lose some."""
    pixels = np.asarray(picture).reshape(-1, 3)
    known, where, count = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    flat = known[np.argsort(-count)[:FLAT]]
    others = picture.quantize(COLOURS - FLAT, dither=Image.Dither.NONE).getpalette()
    palette = np.concatenate([flat, np.reshape(others, (-1, 3))])[:COLOURS]
    nearest = cKDTree(palette).query(known)[1].astype(np.uint8)
    drawn = Image.fromarray(nearest[where.ravel()].reshape(picture.height, picture.width), "P")
    drawn.putpalette(palette.astype(np.uint8).tobytes())
    return drawn


def wait_for(address: str, server: subprocess.Popen) -> None:
    """Return when a server answers."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise click.ClickException(f"no dashboard at {address}")


@click.command(help=__doc__)
@click.argument("names", nargs=-1, metavar="[VIEW]...", type=click.Choice(list(SHOTS)))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=PICTURES, help="Another folder.")
@click.option("--width", default=1280, help="Of the window, in pixels.")
@click.option("--theme", type=click.Choice(("light", "dark")), help="Of all pictures.")
def main(names: tuple[str, ...], out: Path, width: int, theme: str | None) -> None:
    chromium = os.environ.get("ROUTEVIZ_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "routeviz", "dashboard", str(ROOT / "data/logs"), str(ROOT / "data/checkpoints")]
    # Jobs have their folder in the current one: in an empty one there are none, and the page does not say where it is.
    with TemporaryDirectory() as empty:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        options = ["--no-browser", f"--port={port}"]
        with subprocess.Popen([*command, *options], cwd=empty, env=environment) as server:
            try:
                wait_for(f"{base}/_stcore/health", server)
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                    for name in tqdm(names or SHOTS, unit="picture"):
                        looks = theme or ("dark" if name.endswith("dark") else "light")
                        (out / f"{name}.png").write_bytes(shoot(browser, base, SHOTS[name], looks, width))
                    browser.close()
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
