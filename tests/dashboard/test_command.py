import os
import signal
import socket
import subprocess
import sys

import pytest

PROGRAM = [sys.executable, "-m", "routeviz", "dashboard"]


@pytest.fixture
def refused(routeviz, monkeypatch):
    """What is said instead of turning this process into a server."""
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it starts"))

    def run(*arguments):
        result = routeviz("dashboard", *arguments)
        assert result.exit_code == 2
        return result.stderr

    return run


def handshake(port, host):
    """Status of the answer to a browser that wants to follow the dashboard under a host's name."""
    lines = (
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        f"Origin: http://{host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_help_shows_an_example(routeviz):
    result = routeviz("dashboard", "--help")
    assert result.exit_code == 0
    assert "routeviz dashboard logs --root camvid=CamVid" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere"),
        (["--root", "camvid"], "camvid=CamVid"),
        (["--root", "camvid=nowhere"], "camvid=CamVid"),
        (["--port", "0"], "0"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(refused, arguments, words):
    said = refused(*arguments)
    assert words in said
    assert len(said.strip().splitlines()) == 1


def test_a_port_in_use_is_named(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refused("--port", taken.getsockname()[1], "--no-browser")
    assert "is in use; choose another with --port" in said


@pytest.mark.slow
def test_the_server_prints_its_address_answers_this_machine_only_and_ends_when_interrupted(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*PROGRAM, str(tmp_path), "--no-browser", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            lines = iter(server.stdout.readline, "")
            assert any(f"http://127.0.0.1:{port}" in line for line in lines)
            assert handshake(port, f"127.0.0.1:{port}") == 101
            assert handshake(port, "evil.example") == 403
            os.kill(server.pid, signal.SIGINT)
            assert server.wait(timeout=60) in (0, 130)
        finally:
            server.kill()


def test_the_first_page_waits_for_neither_torch_nor_sklearn():
    program = "import sys, routeviz.dashboard.chooser; print(sorted({'torch', 'sklearn', 'scipy'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
