"""What all tests share: one thread a process, no display, Hypothesis without a clock, and the folders of real data."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

from routeviz.cli.main import cli

from .processes import Started, launcher

# Set before torch and matplotlib are imported: the test processes share the cores, and no figure opens a window.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# Memory as the C library manages it by itself, which commands leave alone where anything is said of it.
os.environ.setdefault("GLIBC_TUNABLES", "")

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


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """Wait until a condition gives something: ``until(job.progress)``."""

    def wait(condition: Callable[[], Any], seconds: float = 30) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s")

    return wait


@pytest.fixture(scope="session")
def serving(until) -> Callable[..., Any]:
    """Run a dashboard on folders: ``with serving(folder, cwd=folder) as (address, process)``."""

    def answers(address: str) -> bool:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return True
        except OSError:
            return False

    @contextmanager
    def run(*folders: Path, **how: Any) -> Iterator[tuple[str, subprocess.Popen]]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "routeviz.dashboard", f"--port={port}", "--", *map(str, folders)]
        with subprocess.Popen(command, **how) as server:
            try:
                until(lambda: server.poll() is not None or answers(address), 120)
                assert server.poll() is None
                yield address, server
            finally:
                server.terminate()

    return run


@pytest.fixture(scope="session")
def launch(tmp_path_factory) -> Callable[..., Started]:
    """Start a script in a process of its own, which has imported all that commands need."""
    return launcher(tmp_path_factory.mktemp("launched"))


@pytest.fixture
def routeviz() -> Callable[..., Result]:
    """Run the command line in this process: ``routeviz("stats", log, "--json")``; each argument is made a string."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)

    return run
