"""A dashboard's server in a process of its own, and browser tabs as it sees them: clients of its protocol."""

from __future__ import annotations

import os
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from ...shelf import filled

PATIENCE = 120
NOTHING = MappingProxyType({})


class Server:
    """A dashboard that was started on folders.

    Attributes
    ----------
    address : str
        As in ``http://127.0.0.1:8501``.
    port, pid : int
    """

    def __init__(self, address: str, pid: int) -> None:
        self.address, self.port, self.pid = address, urlsplit(address).port, pid

    def memory(self) -> int:
        """Bytes that it holds."""
        return 1024 * int(re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())[1])

    def says(self, method: str, path: str, headers: Mapping[str, str] = NOTHING, body: str = "") -> bytes:
        """The raw answer to a request whose path nothing makes tidy; of a connection that stays open the head."""
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"} | dict(headers)
        request = "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{a}: {b}" for a, b in lines.items()), "", body])
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(request.encode("latin-1"))
            answer = connection.recv(1 << 16)
            if lines["Connection"] == "close":
                answer += b"".join(iter(lambda: connection.recv(1 << 16), b""))
            return answer

    @cached_property
    def token(self) -> str:
        """The token that it gives a page of its own, and that no page of another origin can read."""
        return re.search(rb"_streamlit_xsrf=([^;\r]+)", self.says("GET", "/_stcore/health"))[1].decode()

    def tab(self, cookie: str = "") -> Tab:
        """``with server.tab() as tab``; the cookie is the browser's, as in ``"name=value"``."""
        return Tab(self, cookie)


class Tab:
    """A browser tab: a session of the dashboard.

    Attributes
    ----------
    session : str
        What the server calls it, once it has run.
    seen : list of ForwardMsg
        All that it was told in its last run.
    """

    def __init__(self, server: Server, cookie: str = "") -> None:
        self.server, self.cookie, self.session, self.seen = server, cookie, "", []
        self._kept: dict[str, ForwardMsg] = {}

    def __enter__(self) -> Tab:
        address = f"ws://127.0.0.1:{self.server.port}/_stcore/stream"
        how = {"origin": self.server.address, "subprotocols": ["streamlit"], "max_size": None}
        how["additional_headers"] = {"Cookie": self.cookie} if self.cookie else {}
        # The server asks whether it is still there; a browser does not ask the server.
        self._connection = connect(address, open_timeout=PATIENCE, ping_interval=None, **how)
        self._socket = self._connection.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self._connection.__exit__(*problem)

    def send(self, **message: object) -> None:
        self._socket.send(BackMsg(**message).SerializeToString())

    def hear(self) -> ForwardMsg:
        """The next message; one that the server has sent before comes out of what was kept."""
        message = ForwardMsg.FromString(self._socket.recv(timeout=PATIENCE))
        if message.WhichOneof("type") == "ref_hash":
            return self._kept[message.ref_hash]
        if message.metadata.cacheable:
            self._kept[message.hash] = message
        return message

    def open(self, view: str = "", widgets: Sequence[dict] = (), **parameters: object) -> list[Any]:
        """Open a view at an address; gives the elements that came, once the run has ended well."""
        query = urlencode(parameters, doseq=True)
        self.send(rerun_script={"page_name": view, "query_string": query, "widget_states": {"widgets": widgets}})
        self.seen, ended = [], "FINISHED_EARLY_FOR_RERUN"
        while ended == "FINISHED_EARLY_FOR_RERUN":
            message = self.hear()
            if message.WhichOneof("type") == "new_session":
                self.session = message.new_session.initialize.session_id or self.session
                self.seen = []
            self.seen.append(message)
            if message.WhichOneof("type") == "script_finished":
                ended = ForwardMsg.ScriptFinishedStatus.Name(message.script_finished)
        assert ended == "FINISHED_SUCCESSFULLY", ended
        return [one.delta.new_element for one in self.seen if one.WhichOneof("type") == "delta"]

    def upload(self, uploader: str, name: str, data: bytes, token: str | None = None) -> tuple[int, dict]:
        """Send a file, with another token than a page's own; gives the answer's status, and the widget's new state."""
        self.send(file_urls_request={"request_id": "r", "file_names": [name], "session_id": self.session})
        while (answer := self.hear()).WhichOneof("type") != "file_urls_response":
            pass
        urls = answer.file_urls_response.file_urls[0]
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        own = self.server.token
        headers |= {"X-Xsrftoken": own if token is None else token, "Cookie": f"_streamlit_xsrf={own}"}
        address, body = self.server.address + urls.upload_url, head + data + b"\r\n--b--\r\n"
        request = urllib.request.Request(address, data=body, method="PUT", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                status = reply.status
        except urllib.error.HTTPError as error:
            status = error.code
        file = {"file_id": urls.file_id, "name": name, "size": len(data), "file_urls": urls}
        return status, {"id": uploader, "file_uploader_state_value": {"uploaded_file_info": [file]}}


@pytest.fixture(scope="session")
def served(tmp_path_factory, serving) -> Callable:
    """Start a dashboard: ``with served(folder, ...) as server``. It must not have raised anything by its end."""

    @contextmanager
    def start(*folders: Path, **environment: str) -> Iterator[Server]:
        home = tmp_path_factory.mktemp("server")
        stderr = home / "stderr"
        with stderr.open("w") as file:
            how = {"cwd": home, "env": os.environ | environment, "stderr": file}
            with serving(*folders, **how) as (address, process):
                yield Server(address, process.pid)
                assert "Traceback" not in stderr.read_text(), stderr.read_text()

    return start


@pytest.fixture(scope="session")
def shelf(tmp_path_factory) -> SimpleNamespace:
    """A folder with a tiny checkpoint and its log over six scenes."""
    return filled(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="session")
def server(served, shelf) -> Iterator[Server]:
    """A dashboard on that folder; whoever runs it has turned off, in settings of their own, all that protects it."""
    off = {"SERVER_ENABLE_CORS": "false", "SERVER_ENABLE_XSRF_PROTECTION": "false", "SERVER_ADDRESS": "0.0.0.0"}
    off |= {"SERVER_ENABLE_STATIC_SERVING": "true", "SERVER_ENABLE_AGENT_API": "true"}
    off |= {"BROWSER_GATHER_USAGE_STATS": "true", "SERVER_MAX_UPLOAD_SIZE": "9000"}
    with served(shelf.folder, **{f"STREAMLIT_{name}": value for name, value in off.items()}) as server:
        yield server
