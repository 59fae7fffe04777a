"""Starting the server: streamlit in this process, reachable from this machine alone."""

from __future__ import annotations

import inspect
import mimetypes
import os
import threading
import time
import urllib.request
import webbrowser
from importlib import import_module
from pathlib import Path

from streamlit.web.cli import main_run

from routeviz.dashboard.settings import HOST, SERVER_OPTIONS, Settings

ENTRY = Path(__file__).with_name("entry.py")
WAIT_S = 60


def serve(settings: Settings, *, port: int, browser: bool) -> None:
    """Run the dashboard until it is interrupted; its address is printed once it answers.

    Parameters
    ----------
    settings : Settings
    port : int
        A free port.
    browser : bool
        Whether to open the address in a browser.
    """
    os.environ.update(settings.to_environment())
    # Torch's threads wait asleep: beside a training run on the same cores, spinning ones take ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    threading.Thread(target=_announce, args=(f"http://{HOST}:{port}", browser), daemon=True).start()
    threading.Thread(target=_prepare, daemon=True).start()
    options = SERVER_OPTIONS | {
        "server.port": port,
        "browser.serverAddress": HOST,
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
    }
    flags = [
        f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, values in options.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    main_run.main([*flags, str(ENTRY)], standalone_mode=False)


def _prepare() -> None:
    """Do while the browser starts what the first page would wait for."""
    for name in ("chooser", "detail", "exports"):
        import_module(f"routeviz.dashboard.{name}")
    # Streamlit asks for both at its first element, of all that is imported by then: types of files, and who calls it.
    mimetypes.init()
    inspect.stack()


def _announce(address: str, browser: bool) -> None:
    for _ in range(10 * WAIT_S):
        if _answers(address):
            print(f"The dashboard is at {address} (Ctrl-C ends it)", flush=True)
            if browser:
                webbrowser.open(address)
            return
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False
