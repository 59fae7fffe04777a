"""What all tests share: one thread a process, no display, Hypothesis without a clock, and the folders of real data."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

from routeviz.cli.main import cli

# Set before torch and matplotlib are imported: the test processes share the cores, and no figure opens a window.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

CHROMIUM = os.environ.get("ROUTEVIZ_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

settings.register_profile("routeviz", deadline=None, derandomize=True)
settings.load_profile("routeviz")


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Take back what a page's test left as ``__main__``: every process that is started later would run the page."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


def _folder(variable: str, what: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"set {variable} to the folder of {what}")
    return Path(folder)


@pytest.fixture(scope="session")
def camvid_root() -> Path:
    """The real CamVid, in the SegNet layout."""
    return _folder("ROUTEVIZ_CAMVID", "CamVid")


@pytest.fixture(scope="session")
def reference_root() -> Path:
    """Checkpoints in the released layout, with the gates, logits and FLOPs that the released code computes for them."""
    return _folder("ROUTEVIZ_REFERENCE", "the released reference")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; without one what asks for it is skipped, saying what to install."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright, without a browser")
    if not CHROMIUM:
        pytest.skip("no chromium: install it (Debian: apt-get install chromium) or set ROUTEVIZ_CHROMIUM")
    api.expect.set_options(timeout=60_000)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def routeviz() -> Callable[..., Result]:
    """Run the command line in this process: ``routeviz("stats", log, "--json")``; each argument is made a string."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)

    return run
