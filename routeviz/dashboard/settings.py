"""What the dashboard was started with, handed from the command to the server's process; no streamlit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from routeviz.bundled import bundled_data
from routeviz.errors import InputError

VARIABLE = "ROUTEVIZ_DASHBOARD"
JOBS = "routeviz-jobs"
HOST = "127.0.0.1"

SERVER_OPTIONS: dict[str, object] = {
    "server.address": HOST,
    "server.allowedHosts": ["localhost", HOST],
    # As Streamlit has them, but whatever a user's own settings say.
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.enableStaticServing": False,
    "server.enableAgentApi": False,
    "server.headless": True,
    "server.maxUploadSize": 400,
    "server.fileWatcherType": "none",
    "runner.magicEnabled": False,
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "viewer",
    "client.showErrorLinks": False,
}
"""Streamlit's settings, the same as in ``.streamlit/config.toml``: nothing but this machine reaches the server."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Folders that the dashboard may read, and the one that it writes in; it touches nothing outside them.

    Parameters
    ----------
    folders : tuple of Path
        Searched for route logs, checkpoints and training runs.
    roots : mapping of str to Path
        Where the pictures of a dataset lie, by the dataset's name.
    jobs : Path
        Where jobs have their folders, with what was uploaded for them and their results; made by the first job.
    """

    folders: tuple[Path, ...] = ()
    roots: Mapping[str, Path] = field(default_factory=dict)
    jobs: Path = field(default_factory=lambda: Path(JOBS).resolve())

    def to_environment(self) -> dict[str, str]:
        """The settings as the environment variable that :meth:`from_environment` reads."""
        data = {
            "folders": [str(folder.resolve()) for folder in self.folders],
            "roots": {name: str(root.resolve()) for name, root in self.roots.items()},
            "jobs": str(self.jobs.resolve()),
        }
        return {VARIABLE: json.dumps(data)}

    def may_read(self, path: Path) -> bool:
        """Whether a path lies in one of the folders, wherever symbolic links lead."""
        return any(path.resolve().is_relative_to(folder) for folder in (*self.folders, *self.roots.values()))

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings of this process; without any, the bundled logs and checkpoints are shown."""
        text = os.environ.get(VARIABLE)
        if text is None:
            return cls.starting()
        data = json.loads(text)
        return cls(
            folders=tuple(Path(folder) for folder in data["folders"]),
            roots={name: Path(root) for name, root in data["roots"].items()},
            jobs=Path(data["jobs"]),
        )

    @classmethod
    def starting(
        cls, folders: tuple[Path, ...] = (), roots: Mapping[str, Path] | None = None, jobs: Path = Path(JOBS)
    ) -> Settings:
        """Settings of a dashboard that shows these folders, or else what comes with routeviz, and its jobs' results."""
        jobs = jobs.resolve()
        return cls(folders=(*(folders or bundled_folders()), jobs), roots=roots or {}, jobs=jobs)


def bundled_folders() -> tuple[Path, ...]:
    """Folders of the logs and checkpoints that come with routeviz; empty where this installation has none."""
    try:
        return (bundled_data("logs"), bundled_data("checkpoints"))
    except InputError:
        return ()
