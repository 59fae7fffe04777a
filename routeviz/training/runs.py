"""The run folder: what a training run leaves behind, and what it needs to go on after it was killed.

    RUN/config.json                          settings of the training and of the network
    RUN/metrics.jsonl                        one JSON object a line, "kind" step or evaluation
    RUN/checkpoints/step-000500.safetensors  networks along the training
    RUN/state.pt                             all that the next step depends on, at the last checkpoint
    RUN/state-branch.pt                      the same at the step where a budget would be switched on

Files appear whole or not at all; metrics alone are appended to, so their last line may be torn.
"""

import fcntl
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from routeviz.errors import InputError, RoutevizError, WriteError
from routeviz.network import NetworkConfig
from routeviz.training.config import FREE_ON_BRANCH, FREE_ON_RESUME, TrainConfig
from routeviz.writing import remove_drafts, whole_file

SCHEMA = 1


def read_metrics(folder: str | Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics; a last line that was torn by a kill is left out.

    Parameters
    ----------
    folder : str or Path
        The run's folder, also of a run that is under way.

    Returns
    -------
    list of dict
        Each with kind, step and seconds (of training, over all restarts). Of kind "step": loss, cross_entropy,
        budget_loss, expected_share (of the whole space's cost; None without gates), rate. Of kind "evaluation": the
        figures of `Evaluation`.
    """
    path = Path(folder) / "metrics.jsonl"
    if not path.exists():
        return []
    try:
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as the metrics of a run: {error}") from None


def checkpoint_paths(folder: str | Path) -> dict[int, Path]:
    """Return a run's checkpoints by step, in order."""
    paths = (Path(folder) / "checkpoints").glob("step-*.safetensors")
    return {int(path.stem.removeprefix("step-")): path for path in sorted(paths)}


def read_config(folder: str | Path) -> TrainConfig:
    """Return the settings of a run; a folder that is not one raises InputError."""
    path = Path(folder) / "config.json"
    try:
        return TrainConfig.from_dict(json.loads(path.read_text(encoding="utf-8"))["training"])
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no training run (there is no config.json): give the folder of a run"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read as the settings of a run: {error}") from None


def read_network(folder: str | Path) -> NetworkConfig:
    """Return the configuration of a run's network, which is known before its first checkpoint; else InputError."""
    read_config(folder)  # says what is wrong with a folder that is none of a run
    path = Path(folder) / "config.json"
    try:
        return NetworkConfig.from_dict(json.loads(path.read_text(encoding="utf-8"))["network"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} does not say which network the run trains: {error}") from None


class RunFolder:
    """The folder of one run, as the process that writes it sees it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from writing here, until this one ends, however it ends."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the run folder {self.path}: {error.strerror}") from None
        with open(self.path / ".lock", "w") as file:
            try:
                # Not flock: the processes that cut crops would inherit it and outlive a killed training by seconds.
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RoutevizError(
                    f"another process is training in {self.path}: wait for it or choose another folder"
                ) from None
            yield

    def prepare(self, config: TrainConfig, network: dict[str, Any], *, resume: bool, branch: str | Path | None) -> None:
        """Bring the folder to where the run can start or go on; refuse one that holds something else.

        Parameters
        ----------
        config : TrainConfig
        network : dict
            Settings of the network, noted in config.json.
        resume : bool
            Whether a run with these settings may already have begun here.
        branch : str or Path, optional
            A run that shares all steps before the budget starts; they are taken from there if there are none here yet.
        """
        begun = self.state_path is not None or bool(read_metrics(self.path))
        if begun and not resume:
            raise InputError(f"{self.path} already holds a run: continue it with --resume or choose another folder")
        if begun:
            self._agree(config, self.path, FREE_ON_RESUME, "--resume continues a run with its own settings")
        elif not (self.path / "config.json").exists() and any(
            not entry.name.startswith(".") for entry in self.path.iterdir()
        ):
            raise InputError(f"{self.path} is not empty and holds no run: choose an empty or a new folder")
        for folder in (self.path, self.path / "checkpoints"):
            remove_drafts(folder)
        settings = {"schema": SCHEMA, "training": config.to_dict(), "network": network}
        text = json.dumps(settings, indent=1) + "\n"
        self._write("config.json", lambda path: path.write_text(text, encoding="utf-8"))
        (self.path / "checkpoints").mkdir(exist_ok=True)
        if branch is not None and self.state_path is None:
            self._take_over(Path(branch), config)
        state = self.load_state()
        step = 0 if state is None else state["step"]
        self._write_metrics([line for line in read_metrics(self.path) if line["step"] <= step])

    def _agree(self, config: TrainConfig, other: Path, free: frozenset[str], rule: str) -> None:
        if differences := config.differences(read_config(other), free=free):
            raise InputError(f"settings differ from those of {other}: {'; '.join(differences)}; {rule}")

    def _take_over(self, parent: Path, config: TrainConfig) -> None:
        self._agree(config, parent, FREE_ON_BRANCH, "a branch shares all settings but the budget")
        state = parent / "state-branch.pt"
        if not state.exists():
            raise InputError(
                f"{parent} has no state at step {config.branch_step}, where the budget starts: branch later"
            )
        for step, path in checkpoint_paths(parent).items():
            if step <= config.branch_step and step % config.checkpoint_every == 0:
                self._write(f"checkpoints/{path.name}", lambda copy, path=path: shutil.copyfile(path, copy))
        self._write_metrics([line for line in read_metrics(parent) if line["step"] <= config.branch_step])
        # Last, as it is what a resumed run goes on from.
        self._write("state-branch.pt", lambda copy: shutil.copyfile(state, copy))

    @property
    def state_path(self) -> Path | None:
        """The state to go on from; None at the beginning."""
        paths = (self.path / name for name in ("state.pt", "state-branch.pt"))
        return next((path for path in paths if path.exists()), None)

    def load_state(self) -> dict[str, Any] | None:
        """Return the state to go on from, on the CPU; None at the beginning."""
        path = self.state_path
        if path is None:
            return None
        try:
            with zipfile.ZipFile(path) as archive:
                if damaged := archive.testzip():  # torch itself does not look at the checksums
                    raise ValueError(f"the checksum of {damaged!a} is wrong")
            return torch.load(path, map_location="cpu", weights_only=True)
        # A damaged file makes torch raise RuntimeError, UnpicklingError, EOFError, KeyError, OSError and more.
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{path} is damaged: {reason}; remove it, and --resume begins anew") from error

    def save_state(self, state: dict[str, Any], *, name: str = "state.pt") -> None:
        """Write a state whole or not at all; what metrics were written before are on the disk before it is."""
        metrics = self.path / "metrics.jsonl"
        if metrics.exists():
            with open(metrics, "rb") as file:
                os.fsync(file.fileno())
        # Through memory: on a full disk torch raises what is no OSError.
        data = io.BytesIO()
        torch.save(state, data)
        self._write(name, lambda path: path.write_bytes(data.getbuffer()))

    def checkpoint(self, step: int) -> Path:
        """Return where the checkpoint of a step lies."""
        return self.path / "checkpoints" / f"step-{step:06d}.safetensors"

    def append(self, kind: str, line: dict[str, Any]) -> None:
        """Append one line of metrics."""
        path = self.path / "metrics.jsonl"
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **line}) + "\n")
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error.strerror}; make room, then go on with --resume") from error

    def _write_metrics(self, lines: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self._write("metrics.jsonl", lambda path: path.write_text(text, encoding="utf-8"))

    def _write(self, name: str, save: Callable[[Path], object]) -> None:
        with whole_file(self.path / name) as draft:
            save(draft)
