"""How quick the dashboard is, in a headless Chromium, on a log and checkpoint given or on what comes with routeviz.

    python analysis/benchmarks/dashboard.py --out dashboard.json [FOLDER] [--root NAME=DIR]

Prints one row a measure: median and worst of the repetitions, beside what is aimed for. The
server's memory is read from /proc, so this runs on Linux.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, sync_playwright
from synthetic import write_log

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
LATTICE = ".rv .scroll svg"
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
AIMS_S = {
    "server start to first lattice": 4.0,
    "next image to its lattice": 0.25,
    "click on a path to its details": 0.2,
    "click on a cell to its features": 0.2,
    "hover to its values": 0.05,
    "threshold to redrawn": 0.05,
    "click that forces a path to picture": 1.0,
    "population of many images": 3.0,
    "the same, asked for at once": 3.0,
    "filter to all its charts": 0.5,
}
SWITCHES_MB = 50
LOOKED_S = 4
"""That a user looks at a first page before another view is asked for."""
# The script below finds the lattice wherever the page keeps it, and tells when a condition first holds.
FIND = """() => { window.rv = () => [...document.querySelectorAll('*')].map(node => node.shadowRoot)
  .find(root => root?.querySelector('.rv .scroll svg')); }"""
HAS_CHANGED = "return rv().querySelector('.scroll svg').getAttribute('aria-label') !== old"


@contextmanager
def serving(folders: list[str], roots: list[str]) -> Iterator[tuple[str, subprocess.Popen, float]]:
    """Run a dashboard; gives its address, its process and when it was started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "routeviz.dashboard", f"--port={port}", *(f"--root={root}" for root in roots)]
    started = time.perf_counter()
    with subprocess.Popen([*command, "--", *folders], stdout=subprocess.DEVNULL) as server:
        try:
            yield f"http://127.0.0.1:{port}", server, started
        finally:
            server.terminate()


def wait_for(address: str) -> None:
    """Return once the server answers."""
    while True:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.02)


def title(page: Page) -> str:
    """What the lattice on the page is of."""
    return page.locator(LATTICE).get_attribute("aria-label")


def switch(page: Page) -> float:
    """Seconds from the key for the next image to its lattice."""
    before = title(page)
    started = time.perf_counter()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("old => rv().querySelector('.scroll svg').getAttribute('aria-label') !== old", arg=before)
    return time.perf_counter() - started


def select(page: Page, number: int) -> float:
    """Seconds from a click on a path to the details that bear its name."""
    hit = page.locator(".rv .hits .hit").nth(number)
    name = hit.get_attribute("aria-label").split(" →")[0]
    started = time.perf_counter()
    hit.dispatch_event("click")
    page.wait_for_function("name => document.querySelector('.st-key-selected input')?.value === name", arg=name)
    page.get_by_test_id("stMetric").filter(has_text="Activation").wait_for()
    return time.perf_counter() - started


def select_cell(page: Page, number: int) -> float:
    """Seconds from a click on an open cell to what it computes, which is drawn last of its details."""
    cells = page.locator('.rv .cells [aria-label*="open; the image"]')
    feature = page.locator(".st-key-inspect_features figure img").first
    before = feature.get_attribute("src") if feature.count() else None
    started = time.perf_counter()
    cells.nth(number % cells.count()).dispatch_event("click")
    while feature.count() == 0 or feature.get_attribute("src") == before:
        page.wait_for_timeout(2)
    return time.perf_counter() - started


def in_browser(page: Page, script: str) -> float:
    """Seconds that a script takes until what it changed is on the screen, by the browser's own clock."""
    return page.evaluate(
        f"""() => new Promise(done => {{ const start = performance.now(); {script}
        requestAnimationFrame(() => requestAnimationFrame(() => done((performance.now() - start) / 1000))); }})"""
    )


def hover(page: Page, number: int) -> float:
    """Seconds from the pointer on a path to its values."""
    return in_browser(
        page,
        f"""const node = rv().querySelectorAll('.hits .hit')[{number}];
        node.dispatchEvent(new PointerEvent('pointermove', {{bubbles: true, clientX: 400, clientY: 300}}));
        if (rv().querySelector('.tip').hidden) throw Error('no values are shown');""",
    )


def threshold(page: Page, number: int) -> float:
    """Seconds from a move of the slider to the lattice without the paths below it."""
    return in_browser(
        page,
        f"""const slider = rv().querySelector('input[type=range]'); slider.value = {number % 10 / 10};
        slider.dispatchEvent(new Event('input'));""",
    )


def force(page: Page, number: int) -> float:
    """Seconds from a click that forces a path to the segmentation, its numbers and the gates that answer otherwise."""
    hit = page.locator(".rv .hits .hit").nth(number)
    name = hit.get_attribute("aria-label").split(" →")[0]
    started = time.perf_counter()
    hit.dispatch_event("click")
    page.wait_for_function("name => document.querySelector('.st-key-forced input')?.value.includes(name)", arg=name)
    page.wait_for_selector(IDLE)
    return time.perf_counter() - started


def population(browser: Browser, n_images: int, repeats: int) -> dict[str, list[float]]:
    """Seconds until the population of a log not read yet stands, from its address, and from a filter to all charts."""
    at_once, first, change = [], [], []
    with TemporaryDirectory() as folder:
        write_log(Path(folder) / "few", 100)
        write_log(Path(folder) / "many", n_images)
        for looked_s, seconds in ((0, at_once), (LOOKED_S, first)):
            with serving([folder], []) as (address, *_):
                wait_for(address)
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.set_default_timeout(120_000)
                page.goto(address)
                page.wait_for_selector(LATTICE)
                settle(page)
                page.wait_for_timeout(1000 * looked_s)
                started = time.perf_counter()
                page.goto(f"{address}/population?source={Path(folder).name}/many (log)")
                page.wait_for_selector(".places canvas")
                page.wait_for_selector(IDLE)
                seconds.append(time.perf_counter() - started)
                settle(page)
                change += brush(page, repeats) if looked_s else []
                page.close()
    return {
        "population of many images": first,
        "the same, asked for at once": at_once,
        "filter to all its charts": change,
    }


def brush(page: Page, repeats: int) -> list[float]:
    """Seconds from a range of MACs that is brushed to all charts."""
    seconds = []
    bars = page.locator(".st-key-population_macs svg")
    bars.scroll_into_view_if_needed()
    box = bars.bounding_box()
    for number in range(repeats):
        before = title(page)
        page.mouse.move(box["x"] + box["width"] * (0.2 + 0.02 * (number % 10)), box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60)
        started = time.perf_counter()
        page.mouse.up()
        page.wait_for_function(f"old => {{ ({FIND})(); {HAS_CHANGED} }}", arg=before)
        page.wait_for_selector(IDLE)
        seconds.append(time.perf_counter() - started)
        settle(page)
    return seconds


def memory_mb(process: subprocess.Popen) -> float:
    """Memory of a process that is resident, in MB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the server has ended")


def settle(page: Page) -> None:
    """Wait until the server has nothing left to do for the page."""
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(200)


def measure(folders: list[str], roots: list[str], repeats: int, switches: int, images: int) -> dict[str, list[float]]:
    """All measures, in seconds; memory in MB."""
    results: dict[str, list[float]] = {name: [] for name in AIMS_S}
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for _ in range(3):
            with serving(folders, roots) as (address, _, started):
                wait_for(address)
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(address)
                page.wait_for_selector(LATTICE, timeout=120_000)
                results["server start to first lattice"].append(time.perf_counter() - started)
                page.close()
        with serving(folders, roots) as (address, server, _):
            wait_for(address)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(120_000)
            page.goto(address)
            page.wait_for_selector(LATTICE)
            page.evaluate(FIND)
            settle(page)
            select(page, 0)  # brings torch and the cost table in, once
            settle(page)
            select_cell(page, 0)  # brings the checkpoint in, once
            settle(page)
            quick: tuple[tuple[str, Callable[[int], float]], ...] = (
                ("hover to its values", lambda number: hover(page, number)),
                ("threshold to redrawn", lambda number: threshold(page, number + 1)),
                ("click on a path to its details", lambda number: select(page, number + 1)),
                ("click on a cell to its features", lambda number: select_cell(page, number)),
                ("next image to its lattice", lambda number: switch(page)),
            )
            for name, once in quick:
                for number in range(repeats):
                    results[name].append(once(number))
                    settle(page)
            memory = []
            for number in range(switches):
                switch(page)
                if number % 50 == 49:
                    settle(page)
                    memory.append(memory_mb(server))
            results["memory in MB, every 50 switches"] = memory
            page.goto(f"{address}/what-if")
            page.wait_for_selector(LATTICE)
            settle(page)
            force(page, 0)  # counts the costs, once
            for number in range(repeats):
                settle(page)
                # Seven paths on, so that early and late layers have their turn.
                results["click that forces a path to picture"].append(force(page, 7 * (number + 1) % 149))
        results |= population(browser, images, repeats)
        browser.close()
    return results


def report(results: dict[str, list[float]]) -> None:
    """Print the table."""
    print(f"{'measure':<34}{'median':>9}{'worst':>9}{'aim':>9}")
    for name, aim in AIMS_S.items():
        values = results[name]
        print(f"{name:<34}{statistics.median(values):>8.3f}s{max(values):>8.3f}s{aim:>8.2f}s")
    memory = results["memory in MB, every 50 switches"]
    if len(memory) > 1:
        half = len(memory) // 2
        growth = statistics.mean(memory[half:]) - statistics.mean(memory[:half])
        print(f"memory every 50 switches, MB: {', '.join(f'{value:.0f}' for value in memory)}")
        print(f"second half over first: {growth:+.0f} MB (aim: under {SWITCHES_MB})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--root", dest="roots", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--switches", type=int, default=500)
    parser.add_argument("--images", type=int, default=100_000, help="Of the population.")
    parser.add_argument("--out", type=Path, help="Write all measures here, as JSON.")
    given = parser.parse_args()
    results = measure(given.folders, given.roots, given.repeats, given.switches, given.images)
    report(results)
    if given.out:
        given.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
