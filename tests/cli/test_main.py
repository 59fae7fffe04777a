import io
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from routeviz import __version__, costs, counterfactual, datasets, network
from routeviz.cli import options
from routeviz.cli.main import COMMANDS, cli
from routeviz.cli.options import (
    ImageSize,
    checkpoint_argument,
    dataset_options,
    device_option,
    example,
    json_option,
)
from routeviz.dashboard import chooser
from routeviz.errors import DatasetError, LogError


def test_version(routeviz):
    assert routeviz("--version").output.split() == ["routeviz,", "version", __version__]


def test_the_commands_of_the_public_interface():
    first = ["demo", "train", "trace", "stats", "costs", "import", "export", "dashboard"]
    assert [name for name in COMMANDS if name in first] == first
    assert "figures" in COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_of_the_command(routeviz, name):
    result = routeviz(name, "--help")
    assert result.exit_code == 0
    _, _, examples = result.stdout.partition("Example")
    assert f"routeviz {name}" in examples


def test_help_lists_every_command_and_imports_none():
    program = (
        "import sys\n"
        "from routeviz.cli.main import cli\n"
        "try:\n"
        "    cli(['--help'])\n"
        "except SystemExit as exit:\n"
        "    assert exit.code == 0\n"
        "heavy = {'numpy', 'pandas', 'torch', 'matplotlib', 'plotly', 'streamlit', 'networkx'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    listed = result.stdout[result.stdout.index("Commands:") :]
    assert re.findall(r"^  (\w+)", listed, flags=re.MULTILINE) == list(COMMANDS)
    assert "loaded: []" in result.stdout


def test_help_of_no_command_waits_for_torch():
    program = (
        "import sys\n"
        "from routeviz.cli.main import COMMANDS, cli\n"
        "for name in COMMANDS:\n"
        "    try:\n"
        "        cli([name, '--help'])\n"
        "    except SystemExit:\n"
        "        loaded = sorted({'torch', 'matplotlib', 'plotly', 'streamlit'} & set(sys.modules))\n"
        "        print('loaded by', name, loaded)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    said = re.findall(r"^loaded by .*", result.stdout, flags=re.MULTILINE)
    assert said == [f"loaded by {name} []" for name in COMMANDS]


@pytest.fixture
def failing(monkeypatch):
    """Let ``routeviz stats`` raise what is given."""

    def invoke(error):
        @click.command()
        def command():
            raise error

        monkeypatch.setattr("routeviz.cli.main.import_module", lambda name: type("module", (), {"command": command}))
        return CliRunner().invoke(cli, ["stats"], catch_exceptions=False)

    return invoke


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LogError("no log in 'x':\n  make one"), "routeviz: error: no log in 'x': make one"),
        (PermissionError(13, "Permission denied", "out"), "routeviz: error: Permission denied: out"),
        (OSError(28, "No space left on device"), "routeviz: error: No space left on device"),
        (OSError("cannot identify image file"), "routeviz: error: cannot identify image file"),
        (
            click.BadParameter("too large", param_hint="--resize"),
            "routeviz: error: Invalid value for --resize: too large",
        ),
        (click.FileError("x.json", "is a folder"), "routeviz: error: Could not open file 'x.json': is a folder"),
    ],
)
def test_bad_input_ends_in_one_line_and_code_2(failing, error, line):
    result = failing(error)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1


def test_an_interrupt_ends_in_one_line_and_code_130(failing):
    result = failing(KeyboardInterrupt())
    assert (result.exit_code, result.stderr.strip()) == (130, "routeviz: interrupted")


def test_a_programming_error_keeps_its_traceback(failing):
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--no-such"], r"No such option:? '?--no-such'? \(try 'routeviz --help'\)"),  # as click's version has it
        (["tracce"], "No such command 'tracce'"),
        (["costs", "no-such.pth"], r"'no-such\.pth' does not exist"),
    ],
)
def test_wrong_usage_ends_in_one_line_and_code_2(routeviz, arguments, expected):
    result = routeviz(*arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert re.search(expected, result.stderr)


def test_without_a_command_it_shows_the_help(routeviz):
    result = routeviz()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Commands:" in result.stderr


def run(command, *arguments):
    return CliRunner().invoke(command, list(arguments), standalone_mode=False)


def test_image_size_is_height_by_width():
    @click.command()
    @click.option("--resize", type=ImageSize())
    def command(resize):
        return resize

    assert run(command, "--resize", "512x1024").return_value == (512, 1024)
    assert run(command).return_value is None
    assert "--resize HxW" in CliRunner().invoke(command, ["--help"]).output
    for bad in ("512", "512x", "0x4", "-3x4", "512 x 1024", "1e3x4"):
        assert "HEIGHTxWIDTH" in str(run(command, "--resize", bad).exception)


def test_dataset_options_read_nothing_before_they_open(tmp_path):
    @click.command()
    @dataset_options(split="test")
    @json_option
    def command(dataset, as_json):
        return dataset, as_json

    line = ["--dataset", "camvid", "--root", str(tmp_path / "none"), "--option", "length=3", "--option", "tag=a=b"]
    choice, as_json = run(command, *line, "--json").return_value
    assert as_json
    assert (choice.name, choice.root, choice.split) == ("camvid", tmp_path / "none", "test")
    assert choice.options == {"length": 3, "tag": "a=b"}
    without_options = run(command, *line[:4]).return_value[0]
    with pytest.raises(DatasetError, match="none"):
        without_options.open()
    assert "key=value" in str(run(command, *line[:4], "--option", "length").exception)


def test_the_help_names_exactly_what_there_is():
    assert set(re.findall(r"\w+", options.DATASET_NAMES)) == set(datasets.DATASETS)
    assert options.CONVENTIONS == chooser.CONVENTIONS == costs.CONVENTIONS
    assert options.EXECUTIONS == network.EXECUTIONS
    assert list(options.RANKINGS) == list(counterfactual.RANKINGS)


def test_checkpoint_is_a_file_that_exists(tmp_path):
    @click.command()
    @checkpoint_argument
    def command(checkpoint):
        return checkpoint

    file = tmp_path / "a.pth"
    file.touch()
    assert run(command, str(file)).return_value == file
    assert "does not exist" in str(run(command, str(tmp_path / "b.pth")).exception)
    assert "is a directory" in str(run(command, str(tmp_path)).exception)


def test_device_is_one_that_is_here():
    @click.command()
    @device_option
    def command(device):
        return device

    assert run(command, "--device", "cpu").return_value.type == "cpu"
    assert run(command).return_value.type in ("cpu", "cuda")
    for bad in ("tpu9", "cuda:999"):
        assert "choose auto" in str(run(command, "--device", bad).exception)


@pytest.mark.parametrize("given", ["auto", "cuda"])
def test_each_process_of_torchrun_has_a_gpu_of_its_own(monkeypatch, given):
    @click.command()
    @device_option
    def command(device):
        return str(device)

    asked = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.empty", lambda _, device: asked.append(str(device)))
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert run(command, "--device", given).return_value == "cuda:3"
    assert run(command, "--device", "cuda:1").return_value == "cuda:1"
    monkeypatch.delenv("LOCAL_RANK")
    assert run(command, "--device", given).return_value == "cuda:0"
    assert asked == ["cuda:3", "cuda:1", "cuda:0"]


def test_example_keeps_its_lines():
    @click.command(epilog=example("routeviz stats log", "routeviz stats log --json | jq .images"))
    def command():
        pass

    help_text = CliRunner().invoke(command, ["--help"]).output
    assert "Example:\n    routeviz stats log\n    routeviz stats log --json | jq .images\n" in help_text


def test_a_terminal_that_lacks_a_sign_gets_it_spelled_out(monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii", "strict", write_through=True))
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    print("×\udcff")
    assert out.getvalue().endswith(b"\\xd7\\udcff\n")


def test_commands_that_run_a_network_keep_freed_memory(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(network, "keep_freed_memory", lambda: asked.append(True))
    assert CliRunner().invoke(cli, ["stats", str(tmp_path / "log")]).exit_code == 2
    assert not asked
    empty = tmp_path / "net.safetensors"
    empty.touch()
    assert CliRunner().invoke(cli, ["trace", str(empty), "--dataset", "scenes", "--out", "log"]).exit_code == 2
    assert CliRunner().invoke(cli, ["costs", str(empty), "--image-size", "32x32", "--measure"]).exit_code == 2
    assert asked == [True, True]
