import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from routeviz.dashboard import links
from routeviz.dashboard.settings import VARIABLE, Settings
from routeviz.jobs import launch, list_jobs, stop
from routeviz.training import Budget, TrainConfig, train

from ..shelf import filled

APP = Path(__file__).parents[2] / "app.py"
SCENES = {"length": 4, "size": (64, 96)}
WORK = """
import sys, time
from routeviz.progress import Bar
if "length=13" in sys.argv:
    sys.exit("routeviz: error: no image can be read; give another folder")
with Bar(total=8, desc="tracing", unit="image", mininterval=0) as bar:
    bar.update(3)
    while True:
        time.sleep(0.05)
"""


@pytest.fixture(scope="session")
def shelf_folder(tmp_path_factory):
    """A folder with a tiny checkpoint, and its log over six scenes."""
    return filled(tmp_path_factory.mktemp("shelf")).folder


@pytest.fixture
def open_app(monkeypatch):
    """Run the app on folders, at an address; gives the AppTest."""

    def run(*folders, roots=None, **address):
        settings = Settings(folders=folders, roots=roots or {})
        monkeypatch.setenv(VARIABLE, settings.to_environment()[VARIABLE])
        app = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in address.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception[0].message
        return app

    return run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A tiny run of six steps: checkpoints at 2, 4 and 6, evaluations at 3 and 6."""
    config = TrainConfig(
        dataset="scenes",
        options=SCENES,
        crop=(64, 96),
        scale=(1, 1),
        layers=4,
        width=4,
        stem_width=4,
        batch_size=2,
        steps=6,
        checkpoint_every=2,
        eval_every=3,
        log_every=1,
        budget=Budget(0.5, 0.2),
    )
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(config, folder)
    return folder


@pytest.fixture
def open_checkpoints(monkeypatch, tmp_path, until):
    """Open Checkpoints on folders, at an address, with jobs that only seem to work; stops them at the end."""
    home = tmp_path / "jobs"
    script = tmp_path / "work.py"
    script.write_text(WORK)
    monkeypatch.setattr(launch, "PROGRAM", (sys.executable, str(script)))
    monkeypatch.setattr(launch, "GRACE_S", 1)

    def run(*folders, roots=None, **address):
        settings = Settings(folders=(*folders, home), roots=roots or {}, jobs=home)
        monkeypatch.setenv(VARIABLE, settings.to_environment()[VARIABLE])
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.switch_page(str(links.file_of("checkpoints")))
        for name, value in address.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception[0].message
        app.home = home
        return app

    yield run
    for job in list_jobs(home):
        stop(job)
    until(lambda: not any(job.running for job in list_jobs(home)))
