"""Commands that are killed, run out of disk, may not write or are not alone: one clear line, nothing lost or halved."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from routeviz.network import NetworkConfig, RoutingNetwork, export_released, save_checkpoint
from routeviz.training import checkpoint_paths, read_metrics

SCENES = ("--dataset", "scenes", "--option", "size=[64,64]")
TRAIN = {
    "layers": 3, "width": 2, "stem-width": 2, "crop": "32x32", "resize": "32x64", "batch-size": 2, "steps": 6,
    "warmup-steps": 1, "checkpoint-every": 2, "eval-every": 3, "log-every": 1, "workers": 0,
}  # fmt: skip


def contents(path: Path) -> Any:
    """Bytes of a file, or of all files in a folder but hidden ones; None where there is none."""
    if path.is_file():
        return path.read_bytes()
    files = [file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")]
    return {str(file.relative_to(path)): file.read_bytes() for file in files} or None


def history(run: Path) -> Any:
    """Everything that a training leaves behind, but for its clock."""
    metrics = [{name: value for name, value in line.items() if name != "seconds"} for line in read_metrics(run)]
    checkpoints = {step: path.read_bytes() for step, path in checkpoint_paths(run).items()}
    state = torch.load(run / "state.pt", weights_only=True)["learner"]
    return metrics, checkpoints, [tensor.tolist() for tensor in state["network"].values()], str(state["optimizer"])


class Command(NamedTuple):
    """A command line on small data.

    Attributes
    ----------
    arguments : tuple of str
        All but where it writes.
    of : callable
        What is compared of what it wrote.
    file : bool
        Whether it writes one file, which is there whole or not at all.
    """

    arguments: tuple[str, ...]
    of: Callable[[Path], Any] = contents
    file: bool = True


@pytest.fixture(scope="session")
def commands(routeviz_once, tmp_path_factory) -> dict[str, Command]:
    """Every command that writes something that takes its time, by name."""
    folder = tmp_path_factory.mktemp("material")
    torch.manual_seed(0)
    net = RoutingNetwork(NetworkConfig(layers=3, width=2, num_classes=7, stem_width=2)).eval()
    own, released, log = folder / "net.safetensors", folder / "net.pth", folder / "log"
    save_checkpoint(net, own)
    export_released(net, released)
    trace = ("trace", str(own), *SCENES, "--option", "length=70", "--workers", "0")
    assert routeviz_once(*trace, "--out", log).exit_code == 0
    train = ("train", *SCENES, "--option", "length=4", *(f"--{name}={value}" for name, value in TRAIN.items()))
    commands = {
        "train": Command((*train, "--resume"), history, file=False),
        "trace": Command(trace, file=False),
        "importance": Command(("importance", str(own), *SCENES, "--option", "length=6", "--workers", "0"), file=False),
        "import": Command(("import", str(released), "--full-gate")),
        "export log": Command(("export", "log", str(log))),
        "export route": Command(("export", "route", str(log), "--image", "val-00003")),
        "export network": Command(("export", "network", str(own))),
        "report": Command(("report", str(log))),
        "figures": Command(("figures", str(log), "--only", "usage", "--format", "svg"), file=False),
    }
    return commands


GO_ON = ("train", "trace", "importance")
"""Those that go on with what they left in a folder, and let nobody else write there."""
NAMES = (*GO_ON, "import", "export log", "export route", "export network", "report", "figures")
LONG = "ROUTEVIZ_SOAK" in os.environ
SUFFIX = {"export network": ".safetensors", "import": ".safetensors", "report": ".html"}


def some(*names: str, few: tuple[str, ...]) -> tuple[str, ...]:
    """All of them in a soak, a few of them in an ordinary run."""
    return names if LONG else few


@pytest.fixture(scope="session")
def undisturbed(commands, start, tmp_path_factory) -> Callable[[str], tuple[Any, float]]:
    """What a command writes, and how many seconds it takes; done once."""
    done: dict[str, tuple[Any, float]] = {}

    def run(name: str) -> tuple[Any, float]:
        if name not in done:
            command, out = commands[name], tmp_path_factory.mktemp("undisturbed") / f"out{SUFFIX.get(name, '')}"
            began = time.monotonic()
            process = start(*command.arguments, "--out", out)
            assert process.ended() == 0, process.output
            done[name] = command.of(out), time.monotonic() - began
        return done[name]

    return run


@pytest.mark.parametrize("name", some(*NAMES, few=("train", "trace", "export log", "figures")))
def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(name, commands, start, undisturbed, tmp_path, soak, note):
    command, (wanted, seconds) = commands[name], undisturbed(name)
    out = tmp_path / f"out{SUFFIX.get(name, '')}"
    moments = random.Random(name)
    kills = ends = 0
    while kills < soak.kills:
        process = start(*command.arguments, "--out", out)
        time.sleep(moments.uniform(0, seconds))
        code = process.kill()
        assert code in (0, -9), process.output
        kills += code == -9
        if command.file:
            assert contents(out) in (None, wanted)
        if code == 0:
            ends += 1
            assert command.of(out) == wanted
            clear(out)
    process = start(*command.arguments, "--out", out)
    assert process.ended() == 0, process.output
    assert command.of(out) == wanted
    assert not [path for path in tmp_path.rglob(".*") if path.name != ".lock"]
    outcome = f"{ends + 1} runs to the end, all equal to an undisturbed one"
    note("Kill", name, "SIGKILL at random moments, then run again", kills, outcome)


def clear(out: Path) -> None:
    """Remove what a command wrote."""
    for path in sorted(out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    out.unlink() if out.is_file() else out.rmdir()


def refused(result: Any) -> str:
    """The one line of an error, after which nothing but progress bars stands."""
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("routeviz: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.output
    return lines[0]


@pytest.mark.parametrize(
    "name", some(*NAMES, few=("train", "trace", "import", "export log", "export route", "figures"))
)
def test_a_full_disk_is_one_line_and_what_is_there_stays(name, commands, undisturbed, small_disk, routeviz, soak, note):
    command, (wanted, _) = commands[name], undisturbed(name)
    out, other = small_disk.folder / f"out{SUFFIX.get(name, '')}", small_disk.folder / "other"
    other.write_text("mine")
    need = size(wanted)
    rooms = [0, *(random.Random(name).randrange(0, need) for _ in range(soak.disks - 1))]
    for room in rooms:
        if command.file:
            out.write_text("before")
        with small_disk.filled(room):
            result = routeviz(*command.arguments, "--out", out)
            if result.exit_code == 0:  # whole pages leave more room than was asked for
                assert command.of(out) == wanted
                continue
            line = refused(result)
            assert "No space left on device" in line, line
            assert other.read_text() == "mine"
            if command.file:
                assert out.read_text() == "before"
        assert routeviz(*command.arguments, "--out", out).exit_code == 0
        assert command.of(out) == wanted
        clear(out)
    outcome = "one line, what was there intact; with room again, equal"
    note("Full disk", name, "room for none or a part of what it writes", len(rooms), outcome)


@pytest.mark.parametrize("name", some(*NAMES, few=("train", "trace", "export network", "export route", "figures")))
def test_a_folder_that_is_read_only_is_one_line(name, commands, undisturbed, small_disk, routeviz, note):
    command, (wanted, _) = commands[name], undisturbed(name)
    out = small_disk.folder / f"out{SUFFIX.get(name, '')}"
    if command.file:
        out.write_text("before")
    with small_disk.read_only():
        assert "Read-only file system" in refused(routeviz(*command.arguments, "--out", out))
    assert contents(out) == (b"before" if command.file else None)
    assert routeviz(*command.arguments, "--out", out).exit_code == 0
    with small_disk.read_only():
        again = routeviz(*command.arguments, "--out", out)
    # What is finished already is only read.
    assert (again.exit_code == 0) == (name in ("trace", "importance"))
    assert command.of(out) == wanted
    note("Read-only folder", name, "before anything is there, and after", 2, "one line, nothing changed")


@pytest.mark.parametrize("name", some(*GO_ON, few=("train", "trace")))
def test_a_second_process_on_a_folder_is_refused(name, commands, start, undisturbed, routeviz, tmp_path, note):
    command, (wanted, _) = commands[name], undisturbed(name)
    out = tmp_path / "out"
    first = start(*command.arguments, "--out", out, stand_in=out)
    try:
        first.stands()
        line = refused(routeviz(*command.arguments, "--out", out))
        first.go_on()
        assert "another process is" in line
        assert first.ended() == 0, first.output
    finally:
        first.kill()  # one that stands still would be waited for at the end of all tests
    assert command.of(out) == wanted
    outcome = "the second refused in one line, the first ends as if alone"
    note("Two processes", name, "a second one in the folder of one that works", 1, outcome)


@pytest.mark.parametrize("name", some(*(name for name in NAMES if name not in GO_ON), few=("export log",)))
def test_two_processes_that_write_one_file_leave_it_whole(name, commands, start, undisturbed, tmp_path, soak, note):
    command, (wanted, _) = commands[name], undisturbed(name)
    out = tmp_path / f"out{SUFFIX.get(name, '')}"
    for _ in range(soak.pairs):
        both = [start(*command.arguments, "--out", out) for _ in range(2)]
        assert [process.ended() for process in both] == [0, 0], both[0].output + both[1].output
        assert command.of(out) == wanted
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
        clear(out)
    note("Two processes", name, "both write one file", soak.pairs, "both end, the file is whole")


def size(written: Any) -> int:
    """About the bytes that a command needs."""
    if isinstance(written, bytes):
        return len(written)
    if isinstance(written, dict):
        return sum(map(len, written.values()))
    return 3 * sum(map(len, written[1].values()))
