from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ..shelf import filled

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
    return filled(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="session")
def address(shelf, serving):
    """A dashboard that serves the folder, until the tests are over."""
    with serving(shelf.folder, cwd=shelf.folder) as (url, _):
        yield url


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
