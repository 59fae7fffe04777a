import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import torch

import routeviz as rv

PATIENCE_MS = 60_000


def pytest_collection_modifyitems(items):
    """Everything in this folder is slow and drives a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1))  # once, and said so: a click can fall into a redrawing


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A folder with a tiny checkpoint and its log over six scenes."""
    folder = tmp_path_factory.mktemp("shelf")
    dataset = rv.open_dataset("scenes", length=6, size=(64, 96))
    torch.manual_seed(1)
    net = rv.RoutingNetwork(
        rv.NetworkConfig(
            layers=4, width=4, stem_width=4, num_classes=len(dataset.class_names), class_names=dataset.class_names
        )
    )
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.bias, 0.2, 0.8)
    (folder / "checkpoints").mkdir()
    path = folder / "checkpoints" / "step-000010.safetensors"
    rv.save_checkpoint(net, path, step=10)
    log = rv.trace(rv.load_checkpoint(path), dataset, out=folder / "logs" / "scenes", workers=0)
    return SimpleNamespace(folder=folder, log=log, checkpoint=path)


@pytest.fixture(scope="session")
def address(shelf):
    """A dashboard that serves the folder, until the tests are over."""
    with serving(shelf.folder) as url:
        yield url


@contextmanager
def serving(folder):
    """Run a dashboard that serves a folder; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "routeviz.dashboard", f"--port={port}", "--", str(folder)]
    with subprocess.Popen(command, cwd=folder) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/_stcore/health", server)
            yield url
        finally:
            server.terminate()


def wait_for(url, server):
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"no dashboard at {url}; its exit code is {server.poll()}")


@pytest.fixture
def page(chromium, address):
    """A page that at its end has shown no error and asked no other host for anything."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, base_url=address)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors, hosts = [], set()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    yield page
    assert page.locator("[data-testid=stException]").count() == 0
    context.close()
    assert errors == []
    assert hosts - {None} == {"127.0.0.1"}  # None: data and blob addresses, which ask nobody
