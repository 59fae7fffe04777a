"""``routeviz dashboard``: look at route logs in the browser."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import click

from routeviz.cli.options import example
from routeviz.errors import InputError

HOST = "127.0.0.1"
FIRST_PORT = 8501
PORTS_TRIED = 50


class NamedFolder(click.ParamType):
    """A dataset's folder, written ``NAME=DIR``; gives ``(name, Path)``."""

    name = "NAME=DIR"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, sign, folder = str(value).partition("=")
        if not name or not sign or not Path(folder).is_dir():
            self.fail(f"{value!r}: write the dataset's name and an existing folder, as in camvid=CamVid", param, ctx)
        return name, Path(folder)


@click.command(
    epilog=example(
        "routeviz dashboard logs --root camvid=CamVid",
        "ssh -L 8501:127.0.0.1:8501 cluster   # on your machine, for a dashboard on a cluster",
    )
)
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--root", "roots", type=NamedFolder(), multiple=True, help="Where a dataset's pictures lie, as in camvid=CamVid."
)
@click.option(
    "--jobs",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where jobs started in the browser keep uploads and results.  [default: routeviz-jobs]",
)
@click.option("--port", type=click.IntRange(1, 65535), help="The first free one from 8501 on, if none is given.")
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the address in a browser.")
def command(
    folders: tuple[Path, ...], roots: tuple[tuple[str, Path], ...], jobs: Path | None, port: int | None, browser: bool
) -> None:
    """Look at route logs, checkpoints and training runs in the browser, until Ctrl-C.

    Every FOLDER is searched; without one, what comes with routeviz is shown. The dashboard reads nothing outside the
    folders given, writes in that of its jobs alone, and answers on 127.0.0.1 only. Jobs go on when it ends.
    """
    serve(folders, dict(roots), jobs=jobs, port=port, browser=browser)


def serve(
    folders: tuple[Path, ...] = (),
    roots: dict[str, Path] | None = None,
    *,
    jobs: Path | None = None,
    port: int | None = None,
    browser: bool = True,
) -> None:
    """Turn this process into the dashboard's server, until it is interrupted.

    Parameters
    ----------
    folders : tuple of Path
        Searched for logs, checkpoints and runs; empty for those that come with routeviz.
    roots : dict of str to Path, optional
        Folder of each dataset whose pictures are to be shown.
    jobs : Path, optional
        Where jobs that are started in the browser have their folders; by default ``routeviz-jobs`` in the current one.
    port : int, optional
        By default the first free one from 8501 on.
    browser : bool
        Whether to open the address once the server answers.

    Raises
    ------
    InputError
        If the port is in use.
    """
    named = [f"--root={name}={folder}" for name, folder in (roots or {}).items()]
    home = [] if jobs is None else [f"--jobs={jobs}"]
    options = [f"--port={_free_port(port)}", *named, *home, *(["--browser"] if browser else [])]
    sys.stdout.flush()
    program = [sys.executable, "-m", "routeviz.dashboard", *options, "--", *map(str, folders)]
    # The command line and the dashboard are on one floor and do not import each other: one process becomes the other.
    os.execv(sys.executable, program)


def _free_port(port: int | None) -> int:
    for candidate in [port] if port else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return candidate
    taken = f"port {port} is" if port else f"ports {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} are"
    raise InputError(f"{taken} in use; choose another with --port")
