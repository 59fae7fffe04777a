from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

import routeviz as rv
from routeviz.dashboard.settings import VARIABLE, Settings

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture(scope="session")
def shelf_folder(tmp_path_factory):
    """A folder with a tiny checkpoint, and its log over six scenes."""
    folder = tmp_path_factory.mktemp("shelf")
    dataset = rv.open_dataset("scenes", length=6, size=(64, 96))
    torch.manual_seed(1)
    net = rv.RoutingNetwork(
        rv.NetworkConfig(
            layers=4, width=4, stem_width=4, num_classes=len(dataset.class_names), class_names=dataset.class_names
        )
    )
    for cell in net.cells:
        torch.nn.init.normal_(cell.gate.score.bias, 0.2, 0.8)
    (folder / "checkpoints").mkdir()
    path = folder / "checkpoints" / "step-000010.safetensors"
    rv.save_checkpoint(net, path, step=10)
    rv.trace(rv.load_checkpoint(path), dataset, out=folder / "logs" / "scenes", workers=0)
    return folder


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
