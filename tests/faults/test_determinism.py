"""The same seed, settings and machine give the same files, byte for byte, whatever process writes them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

SCENES = ("--dataset", "scenes", "--option", "size=[64,64]")
TRAIN = (
    *("train", *SCENES, "--option", "length=6", "--layers=3", "--width=2", "--stem-width=2", "--crop=32x32"),
    *("--resize=32x64", "--batch-size=2", "--steps=6", "--warmup-steps=1", "--checkpoint-every=3", "--eval-every=3"),
    *("--log-every=1", "--budget", "0.5", "0.1", "--seed=7", "--workers=0"),
)
PROGRAM = """
import sys
from routeviz.cli.main import cli
for line in open(sys.argv[1]).read().splitlines():
    cli(line.split("\\t"), standalone_mode=False)
"""


def written(folder: Path, run: Callable[[Path], None]) -> dict[str, object]:
    """Train and trace in a process of its own, and give what was written, but for a training's clock."""
    folder.mkdir()
    last = "run/checkpoints/step-000006.safetensors"
    commands = (
        (*TRAIN, "--out=run"),
        ("trace", last, *SCENES, "--option", "length=40", "--workers=0", "--out=log"),
    )
    (folder / "commands").write_text("\n".join("\t".join(command) for command in commands))
    (folder / "program.py").write_text(PROGRAM)
    run(folder)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    lines = [json.loads(line) for line in files.pop("run/metrics.jsonl").splitlines()]
    files["metrics"] = [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
    for name in ("run/state.pt", "run/state-branch.pt"):
        state, data = torch.load(io.BytesIO(files[name]), weights_only=True), io.BytesIO()
        torch.save({part: value for part, value in state.items() if part != "seconds"}, data)
        files[name] = data.getvalue()
    return files


@pytest.mark.slow
def test_trained_and_traced_again_every_byte_is_the_same(launch, tmp_path, soak, note):
    def forked(folder):
        assert launch(folder / "program.py", "commands", cwd=folder).ended() == 0

    def hashed_otherwise(folder):
        program, environment = [sys.executable, "program.py", "commands"], os.environ | {"PYTHONHASHSEED": folder.name}
        subprocess.run(program, cwd=folder, env=environment, check=True, capture_output=True)

    first = written(tmp_path / "0", forked)
    assert {"run/state.pt", "run/checkpoints/step-000003.safetensors", "log/log.json"} <= set(first)
    for number in range(1, soak.pairs + 1):
        again = written(tmp_path / str(number), hashed_otherwise)
        assert {name for name in first if first[name] != again.get(name)} == set()
        assert first.keys() == again.keys()
    note("Same seed", "train, trace", "again in another process", soak.pairs, "every byte equal, but for the clock")
