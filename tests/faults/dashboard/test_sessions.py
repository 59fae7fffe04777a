"""Many sessions of one dashboard: none sees what another brought, none falls because another does, all are served."""

from __future__ import annotations

import io
import itertools
import random
import shutil
import threading
import time

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from routeviz.dashboard import app, caches, links, uploads
from routeviz.dashboard.owner import COOKIE
from routeviz.dashboard.settings import VARIABLE, Settings

MIB = 1 << 20
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
VIEWS = [name for name, _, _ in app.PAGES]
ROOM = 400 * MIB
"""What the server may hold at the end beside what it held at a third of the time, when all has been shown once."""


def png(shade: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((64, 96, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


def kinds(elements) -> set[str]:
    return {one.WhichOneof("type") for one in elements}


def uploader(elements):
    return next(one.file_uploader for one in elements if one.WhichOneof("type") == "file_uploader").id


def test_what_one_session_uploads_no_other_sees(server):
    with server.tab() as mine, server.tab() as other:
        other.open()
        status, widget = mine.upload(uploader(mine.open("what-if")), "mine alone.png", png())
        assert status == 204
        assert "mine alone" in str(mine.open("what-if", [widget]))
        # Even one who knows what the server calls it.
        assert "mine alone" not in str(other.open("what-if", [widget]))
        urls = widget["file_uploader_state_value"]["uploaded_file_info"][0]["file_urls"]
        assert b"PNG" not in server.says("GET", urls.upload_url)
        assert b" 403 " in server.says("DELETE", urls.delete_url)
        assert "mine alone" in str(mine.open("what-if", [widget]))


def test_what_one_browser_uploaded_for_a_job_no_other_sees(served, shelf, tmp_path):
    word = "a-word-that-nobody-guesses"
    job = tmp_path / "20260101-000000-trace"
    shutil.copytree(shelf.folder / "logs" / "scenes", job / "log")
    uploads.claim(job, word)
    name = f"{tmp_path.name}/{job.name}/log (log)"
    with served(tmp_path) as server:
        for cookie, sees in ((f"{COOKIE}={word}", True), ("", False), (f"{COOKIE}={word[:-1]}x", False)):
            with server.tab(cookie) as tab:
                for view in VIEWS:
                    said = str(tab.open("" if view == VIEWS[0] else view))
                    assert (f'"{name}"' in said) == (sees and view != "checkpoints"), view
                assert (f'"{name}"' in str(tab.open("population", source=name))) == sees
            # Nor by the words of what it is kept as.
            with server.tab(f"{COOKIE}={uploads.owner_of_word(word)}") as tab:
                assert name not in str(tab.open())
        uploads.share(job)
        time.sleep(caches.FRESH_S)
        with server.tab() as tab:
            assert f'"{name}"' in str(tab.open())


def test_an_error_in_one_view_leaves_the_others_working(shelf, monkeypatch):
    def code_of(view):
        return compile("raise RuntimeError('a fault of ours')", view, "exec") if view == "population" else whole(view)

    whole = app.code_of
    monkeypatch.setattr(app, "code_of", code_of)
    monkeypatch.setenv(VARIABLE, Settings(folders=(shelf.folder,)).to_environment()[VARIABLE])
    page = AppTest.from_file(str(links.VIEWS.parents[2] / "app.py"), default_timeout=60).run()
    assert not page.exception
    page.switch_page(str(links.file_of("population"))).run()
    assert [error.message for error in page.exception] == ["a fault of ours"]
    for view in VIEWS:
        if view != "population":
            page.switch_page(str(links.file_of(view))).run()
            assert not page.exception, view


def follow(server, ids, seed: int, end: float, done: list[int], wrong: list[str]) -> None:
    """Go from view to view until the time is over, in one tab after another."""
    chance, runs = random.Random(seed), 0
    try:
        while not runs or time.monotonic() < end:
            with server.tab() as tab:
                for _ in range(12):
                    view, widgets = chance.choice(VIEWS), []
                    elements = tab.open("" if view == VIEWS[0] else view, image=chance.choice(ids))
                    if view == "what-if":
                        status, widget = tab.upload(uploader(elements), "one.png", png(chance.randrange(256)))
                        assert status == 204
                        widgets = [widget]
                        elements = tab.open(view, widgets)
                        runs += 1
                    assert "exception" not in kinds(elements), elements
                    runs += 1
                    if time.monotonic() >= end:
                        break
    except Exception as error:  # a thread's own is seen by nobody
        wrong.append(f"{type(error).__name__}: {error}")
    done.append(runs)


@pytest.mark.slow
def test_sessions_at_once_are_all_served_and_memory_is_bounded(served, shelf, chromium, soak, note):
    sessions, seconds = (20, 300) if soak.long else (3, 3)
    ids, done, wrong, held = list(shelf.log.images["id"]), [], [], []
    with served(shelf.folder) as server:
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, base_url=server.address)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto("/")
        end = time.monotonic() + seconds
        clients = [
            threading.Thread(target=follow, args=(server, ids, seed, end, done, wrong)) for seed in range(sessions - 1)
        ]
        for client in clients:
            client.start()
        for view, title, _ in itertools.cycle(app.PAGES):
            page.get_by_role("link", name=title, exact=True).click()
            if view != VIEWS[0]:
                page.wait_for_url(f"**/{view}*")
            page.wait_for_selector(IDLE)
            assert page.locator("[data-testid=stException]").count() == 0, title
            held.append((time.monotonic() - end + seconds, server.memory()))
            if time.monotonic() > end or wrong:
                break
        for client in clients:
            client.join()
        context.close()
        last = server.memory()
    assert wrong == []
    assert len(done) == sessions - 1
    assert min(done) > 0
    before = max(memory for at, memory in held if at <= max(seconds / 3, held[0][0]))
    if soak.long:
        assert last - before < ROOM, held
    outcome = f"no error; {len(held)} views in the browser, the server holds {last / MIB:.0f} MiB in the end"
    note("Sessions", "dashboard", f"{sessions} at once for {seconds // 60} minutes, one a browser", sum(done), outcome)
