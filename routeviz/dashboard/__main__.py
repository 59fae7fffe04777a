"""``python -m routeviz.dashboard``: what ``routeviz dashboard`` turns into once it has checked its options."""

import argparse
from pathlib import Path

from routeviz.dashboard.server import serve
from routeviz.dashboard.settings import JOBS, Settings


def _named(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    return name, Path(folder)


parser = argparse.ArgumentParser(prog="python -m routeviz.dashboard")
parser.add_argument("folders", nargs="*", type=Path)
parser.add_argument("--root", dest="roots", action="append", default=[], type=_named, metavar="NAME=DIR")
parser.add_argument("--jobs", type=Path, default=Path(JOBS))
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--browser", action="store_true")
given = parser.parse_args()
chosen = Settings.starting(tuple(given.folders), dict(given.roots), given.jobs)
serve(chosen, port=given.port, browser=given.browser)
