"""Who reaches the dashboard, and what it lets them have: whatever the settings of whoever runs it say."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

import routeviz as rv

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
MIB = 1 << 20


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def follow(server, **headers: str) -> int:
    """Status of the answer to a page that wants to follow the dashboard."""
    given = {"Host": f"127.0.0.1:{server.port}", "Origin": server.address} | UPGRADE | headers
    return status(server.says("GET", "/_stcore/stream", given))


def sockets(pid: int) -> set[str]:
    """Inodes of the sockets that a process holds."""
    names = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the server closed it since the folder was read
            names.add(link.readlink().name)
    return {name.removeprefix("socket:[").removesuffix("]") for name in names if name.startswith("socket:[")}


def test_it_listens_on_this_machine_alone(server):
    own = sockets(server.pid)
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table]
    # Addresses stand there in hexadecimal, each word backwards; 0A is to listen.
    listening = {line[1] for line in lines if line[3] == "0A" and line[9] in own}
    assert listening == {f"0100007F:{server.port:04X}"}


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1.evil.example"])
def test_a_page_of_another_origin_neither_reads_nor_follows_it(server, origin):
    for path in ("/_stcore/health", "/_stcore/host-config", "/"):
        assert b"access-control-allow-origin" not in server.says("GET", path, {"Origin": origin}).lower()
    assert follow(server) == 101
    assert follow(server, Origin=origin) == 403


def test_a_name_that_leads_here_from_elsewhere_is_refused(server):
    host = f"evil.example:{server.port}"
    assert follow(server, Host=host, Origin=f"http://{host}") == 403


def test_nothing_is_reported_elsewhere_and_no_program_drives_it(server):
    with server.tab() as tab:
        tab.open()
        config = next(one.new_session.config for one in tab.seen if one.WhichOneof("type") == "new_session")
    assert not config.gather_usage_stats
    head = {"Content-Type": "application/json", "Content-Length": "2"}
    assert 400 <= status(server.says("POST", "/_stcore/agent/interact", head, "{}")) < 500


def test_what_another_page_sends_is_refused_and_so_is_what_is_too_large(server):
    picture = io.BytesIO()
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(picture, "PNG")
    with server.tab() as tab:
        elements = tab.open("what-if")
        uploader = next(one.file_uploader for one in elements if one.WhichOneof("type") == "file_uploader")
        assert uploader.max_upload_size_mb == 400
        for token in ("", "2|0000|0000|0"):
            assert tab.upload(uploader.id, "one.png", picture.getvalue(), token)[0] == 403
        assert tab.upload(uploader.id, "one.png", picture.getvalue())[0] == 204
        own = {"X-Xsrftoken": server.token, "Cookie": f"_streamlit_xsrf={server.token}"}
        head = own | {"Content-Length": str(401 * MIB)}
        assert status(server.says("PUT", f"/_stcore/upload_file/{tab.session}/file", head)) == 413


ROUTES = (
    *("/", "/static/", "/app/static/", "/media/", "/_stcore/", "/component/", "/_stcore/bidi-components/"),
    *("/_stcore/upload_file/", "/population/", "/component/routeviz_lattice/"),
)


def test_no_path_of_the_address_leads_to_a_file(server, shelf, tmp_path):
    secret = "the secret of another folder"
    (tmp_path / "secret.txt").write_text(secret)
    (shelf.folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    target, up = f"{tmp_path}/secret.txt", "../" * 12
    back = f"{up}{target[1:]}"
    ways = [target, f"/{target}", back, f"..//{back}", f"....//{back}", f"file://{target}"]
    ways += [f"{shelf.folder}/link.txt", "link.txt", f"{up}{str(shelf.folder)[1:]}/link.txt"]
    ways += [way.replace("/", "\\") for way in ways[:4]]
    encoded = [quote(way, safe="") for way in ways]
    odd = [back.replace("../", dots) for dots in ("%2e%2e/", "..%c0%af", "..%252f", "..;/", "%u002e%u002e/")]
    for route in ROUTES:
        for way in (*ways, *encoded, *map(quote, encoded), *odd, f"{target}%00.png"):
            answer = server.says("GET", route + way)
            assert status(answer)
            assert secret.encode() not in answer, route + way


def test_no_parameter_of_the_address_leads_to_a_file(server, shelf, tmp_path):
    log = shelf.log
    images = log.images.assign(id="within" + log.images["id"])
    rv.RouteLog(log.gates, images, log.space, log.source).save(tmp_path / "a")
    ways = [f"{tmp_path}/a", "../a", f"../../..{tmp_path}/a", f"{tmp_path}/a/log.json", f"file://{tmp_path}/a"]
    ways += [quote(way, safe="") for way in ways[:2]]
    names = ("source", "image", "run", "checkpoint", "front", "dataset", "split", "left_source", "right_source")
    with server.tab() as tab:
        for view in ("", "compare", "checkpoints", "what-if"):
            for turn in (0, 1):
                asked = {name: ways[(turn + number) % len(ways)] for number, name in enumerate(names)}
                elements = tab.open(view, **asked)
                assert "exception" not in {one.WhichOneof("type") for one in elements}
                assert "within" not in str(elements), view
