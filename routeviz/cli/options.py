"""Options and option types that several commands share.

Nothing heavy is imported before a command runs, so that ``--help`` and a mistyped option answer at once.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import torch

# Named here because the library's own tables cost an import; a test holds the two together.
DATASET_NAMES = "camvid, cityscapes, voc, folder, scenes, digits"
CONVENTIONS = ("conv", "fvcore", "released")
EXECUTIONS = ("folded", "sparse", "dense", "captured")
RANKINGS = ("changed", "kl", "miou", "macs")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

convention_option = click.option(
    "--convention",
    type=click.Choice(CONVENTIONS),
    default=CONVENTIONS[0],
    show_default=True,
    help="How MACs are counted.",
)


class CheckpointFile(click.Path):
    """A checkpoint's file; gives a Path. A route log in its place is named as what it is."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if (Path(value) / "log.json").exists():
            self.fail(
                f"{value} is a route log; give the checkpoint that was traced (a recorded log has none)", param, ctx
            )
        return super().convert(value, param, ctx)


checkpoint_argument = click.argument("checkpoint", type=CheckpointFile())


def example(*lines: str) -> str:
    """Lay out command lines as a command's ``epilog``, so that its help ends with an example."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


class ImageSize(click.ParamType):
    """An image size written ``HEIGHTxWIDTH``, as in ``512x1024``; gives ``(height, width)`` as int."""

    name = "HxW"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.name  # not in capitals, unlike click's own

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", value)
        if match is None:
            self.fail(f"{value!r} is not a size: write HEIGHTxWIDTH in pixels, as in 512x1024", param, ctx)
        return int(match[1]), int(match[2])


class KeyValue(click.ParamType):
    """A setting written ``key=value``; the value is read as JSON where it is JSON, and as text where it is not."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        key, sign, text = value.partition("=")
        if not sign or not key.isidentifier():
            self.fail(f"{value!r} is not a setting: write key=value, as in length=200", param, ctx)
        try:
            return key, json.loads(text)
        except json.JSONDecodeError:
            return key, text


@dataclass(frozen=True, kw_only=True)
class DatasetChoice:
    """Which dataset a command line asks for; nothing is read from disk before `open`.

    Attributes
    ----------
    name : str
        A name in `routeviz.datasets.DATASETS`.
    root : Path or None
        The dataset's folder; None for a dataset that needs none.
    split : str
    options : mapping of str
        What is passed on to the dataset as keyword arguments.
    """

    name: str
    root: Path | None
    split: str
    options: Mapping[str, Any]

    def open(self, *, split: str | None = None) -> Any:
        """Open the dataset, or another split of it; raises `DatasetError` where its folder is not as it should be."""
        from routeviz.datasets import open_dataset

        return open_dataset(self.name, self.root, split=split or self.split, **self.options)


def dataset_options(*, split: str = "val", required: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--dataset``, ``--root``, ``--split`` and ``--option``; the command gets them as ``dataset: DatasetChoice``.

    Parameters
    ----------
    split : str
        The split where the command line names none.
    required : bool
        Whether ``--dataset`` must be given; without it ``dataset`` is None.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--dataset", "dataset_name", required=required, metavar="NAME", help=f"One of {DATASET_NAMES}.")
        @click.option(
            "--root",
            "dataset_root",
            type=click.Path(path_type=Path),
            help="The dataset's folder; scenes and digits need none.",
        )
        @click.option("--split", "dataset_split", default=split, show_default=True, help="Which part of the dataset.")
        @click.option(
            "--option",
            "dataset_settings",
            type=KeyValue(),
            multiple=True,
            help="A setting of this dataset, as in length=200; may be given several times.",
        )
        @wraps(command)
        def with_dataset(
            *args: Any,
            dataset_name: str | None,
            dataset_root: Path | None,
            dataset_split: str,
            dataset_settings: tuple[tuple[str, Any], ...],
            **kwargs: Any,
        ) -> Any:
            choice = None
            if dataset_name is not None:
                choice = DatasetChoice(
                    name=dataset_name, root=dataset_root, split=dataset_split, options=dict(dataset_settings)
                )
            return command(*args, dataset=choice, **kwargs)

        return with_dataset

    return decorate


def _device(ctx: click.Context, param: click.Parameter, value: str) -> "torch.device":
    import torch

    from routeviz.network import keep_freed_memory

    if value == "auto":
        value = "cuda" if torch.cuda.is_available() else "cpu"
    if value == "cuda":  # of the processes that torchrun starts, each has its own
        value = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        device = torch.device(value)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        here = "auto, cpu or cuda" if torch.cuda.is_available() else "auto or cpu"
        raise click.BadParameter(f"no device {value!r} here: choose {here}", ctx, param) from error
    keep_freed_memory()  # who asks for a device runs a network
    return device


device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    callback=_device,
    help="Where to compute: cpu, cuda, cuda:1, ...; auto takes a GPU where there is one.",
)
