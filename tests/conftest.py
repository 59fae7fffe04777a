"""What all tests share: one thread a process, no display, Hypothesis without a clock, and the folders of real data."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

from routeviz.cli.main import cli

# Set before torch and matplotlib are imported: the test processes share the cores, and no figure opens a window.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

settings.register_profile("routeviz", deadline=None, derandomize=True)
settings.load_profile("routeviz")


def _folder(variable: str, what: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"set {variable} to the folder of {what}")
    return Path(folder)


@pytest.fixture(scope="session")
def camvid_root() -> Path:
    """The real CamVid, in the SegNet layout."""
    return _folder("ROUTEVIZ_CAMVID", "CamVid")


@pytest.fixture(scope="session")
def reference_root() -> Path:
    """Checkpoints in the released layout, with the gates, logits and FLOPs that the released code computes for them."""
    return _folder("ROUTEVIZ_REFERENCE", "the released reference")


@pytest.fixture
def routeviz() -> Callable[..., Result]:
    """Run the command line in this process: ``routeviz("stats", log, "--json")``; each argument is made a string."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)

    return run
