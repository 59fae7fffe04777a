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
from typing import NamedTuple

import click
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "images"
PATIENCE_S = 180


class Shot(NamedTuple):
    """An address, and how much of the page under it is shown."""

    address: str
    height: int
    theme: str = "light"


SCENES = "source=logs%2Fscenes+(log)"
SHOTS = {
    "dashboard-light": Shot(f"/?{SCENES}&image=val-00001&selected=L9+s1+down", 1250),
    "dashboard-dark": Shot(f"/?{SCENES}&image=val-00001&selected=L9+s1+down", 1250, "dark"),
    "population": Shot(f"/population?{SCENES}", 1500),
    "compare": Shot(f"/compare?{SCENES}", 1500),
    "checkpoints": Shot(f"/checkpoints?{SCENES}", 1500),
    "architectures": Shot(f"/architectures?{SCENES}", 1300),
    "what-if": Shot(f"/what-if?{SCENES}&image=val-00001&forced=L5+s1+down%3D0%3B+L9+s1%3D0", 1300),
    "figures": Shot(f"/figures?{SCENES}", 1300),
}


def shoot(browser: Browser, base: str, shot: Shot) -> bytes:
    """A page once nothing on it moves any more, as PNG."""
    context = browser.new_context(
        viewport={"width": 1280, "height": shot.height}, color_scheme=shot.theme, base_url=base
    )
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE_S)
    page.goto(shot.address)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    seen = still = None
    deadline = time.monotonic() + PATIENCE_S
    while still != seen or still is None:
        if time.monotonic() > deadline:
            raise click.ClickException(f"{shot.address} does not come to rest")
        page.wait_for_timeout(4000)
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        still, seen = seen, page.screenshot()
    context.close()
    file = io.BytesIO()
    Image.open(io.BytesIO(seen)).convert("RGB").save(file, "PNG", optimize=True)
    return file.getvalue()


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
def main(names: tuple[str, ...]) -> None:
    chromium = os.environ.get("ROUTEVIZ_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as jobs:
        command = [sys.executable, "-m", "routeviz", "dashboard", "data/logs", "data/checkpoints"]
        with subprocess.Popen([*command, "--no-browser", f"--port={port}", f"--jobs={jobs}"], cwd=ROOT) as server:
            try:
                wait_for(f"{base}/_stcore/health", server)
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                    for name in tqdm(names or SHOTS, unit="picture"):
                        (PICTURES / f"{name}.png").write_bytes(shoot(browser, base, SHOTS[name]))
                    browser.close()
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
