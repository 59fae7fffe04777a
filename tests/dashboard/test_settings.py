import tomllib
from pathlib import Path

from routeviz.dashboard.settings import SERVER_OPTIONS, Settings

ROOT = Path(__file__).parents[2]


def test_settings_survive_the_way_to_the_server(tmp_path, monkeypatch):
    settings = Settings(folders=(tmp_path,), roots={"camvid": tmp_path}, jobs=tmp_path / "jobs")
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment() == settings


def test_the_command_and_the_file_beside_app_py_start_the_same_server():
    table = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert {f"{part}.{name}": value for part, names in table.items() for name, value in names.items()} == SERVER_OPTIONS


def test_only_this_machine_reaches_the_server_and_nothing_is_reported_elsewhere():
    assert SERVER_OPTIONS["server.address"] == "127.0.0.1"
    assert set(SERVER_OPTIONS["server.allowedHosts"]) == {"127.0.0.1", "localhost"}
    assert SERVER_OPTIONS["browser.gatherUsageStats"] is False
    assert SERVER_OPTIONS["server.enableCORS"] is True
    assert SERVER_OPTIONS["server.enableXsrfProtection"] is True
    assert SERVER_OPTIONS["server.enableStaticServing"] is False
    assert SERVER_OPTIONS["server.enableAgentApi"] is False


def test_what_is_shown_is_what_was_given_or_else_what_comes_along_and_always_the_results_of_jobs(tmp_path):
    chosen = Settings.starting((tmp_path / "logs",), {}, tmp_path / "jobs")
    assert chosen.folders == (tmp_path / "logs", tmp_path / "jobs")
    assert chosen.jobs == tmp_path / "jobs"
    bundled = Settings.starting()
    assert [folder.name for folder in bundled.folders] == ["logs", "checkpoints", "routeviz-jobs"]
