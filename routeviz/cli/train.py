"""``routeviz train``: from a labelled dataset to a run folder with checkpoints, metrics and the state to go on."""

import json
import os
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from routeviz.cli.options import ImageSize, KeyValue, device_option, example, json_option
from routeviz.cli.tables import columns
from routeviz.quantities import quantity
from routeviz.training.config import PRECISIONS, TrainConfig

if TYPE_CHECKING:
    from routeviz.training import Evaluation

DEFAULTS = {entry.name: entry.default for entry in fields(TrainConfig) if entry.default is not MISSING}
SPLITS = {"train_split": "Part to learn from.", "eval_split": "Part to evaluate on."}
NUMBERS = {
    "layers": "L, the space's last layer.",
    "width": "C, channels at scale 0.",
    "stem_width": "Channels inside the stem.",
    "batch_size": "Images a step, over all processes together.",
    "steps": "Optimizer steps.",
    "base_rate": "Learning rate at batch 8; it is scaled with the batch.",
    "weight_decay": "Not on batch norms.",
    "clip": "Largest norm of the gradient.",
    "budget_start": "Share of the steps after which the budget is switched on.",
    "seed": "Of first weights, order and crops.",
    "checkpoint_every": "Steps between checkpoints; a killed run goes on from the last.",
    "eval_every": "Steps between evaluations.",
    "log_every": "Steps between lines of metrics.",
    "workers": "Processes that cut crops; 0: the training's own.",
}


def setting_options(command: Any) -> Any:
    """Add an option for each setting that is one number or word, with TrainConfig's default."""
    for name, text in reversed((SPLITS | NUMBERS).items()):
        flag = "--" + name.replace("_", "-")
        command = click.option(
            flag, name, type=type(DEFAULTS[name]), default=DEFAULTS[name], show_default=True, help=text
        )(command)
    return command


@click.command(
    epilog=example(
        "routeviz train --dataset camvid --root CamVid --resize 180x240 --steps 8000 --out runs/raw",
        "routeviz train --dataset camvid --root CamVid --resize 180x240 --steps 8000 \\",
        "    --budget 0.5 0.1 --branch runs/raw --out runs/b",
        "routeviz train --resume --out runs/raw",
        "torchrun --nproc-per-node=4 -m routeviz train --dataset cityscapes --root Cityscapes --out runs/city",
    )
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The run's folder.")
@click.option("--dataset", metavar="NAME", help="camvid, cityscapes, voc or scenes.")
@click.option("--root", type=click.Path(), help="The dataset's folder; scenes needs none.")
@click.option("--option", "options", type=KeyValue(), multiple=True, help="A setting of the dataset, as in length=200.")
@click.option("--resize", type=ImageSize(), help="Bring all images to this size first, as in 180x240.")
@click.option("--crop", type=ImageSize(), help="What is cut from the scaled image; the --resize size by default.")
@click.option(
    "--scale", type=(float, float), default=DEFAULTS["scale"], show_default=True, help="Range of the random scale."
)
@click.option("--flip/--no-flip", default=DEFAULTS["flip"], show_default=True, help="Mirror half of the crops.")
@click.option("--small-gate", is_flag=True, help="The cheaper gate, on its input resized by 1/4.")
@click.option("--architecture", help="Train this static architecture alone, without gates (unet, ...).")
@click.option("--init", type=click.Path(exists=True, dir_okay=False), help="Checkpoint to start from where it fits.")
@click.option("--budget", type=(float, float), metavar="λ μ", help="Budget constraint, as in 0.5 0.1; none trains raw.")
@click.option(
    "--branch",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A run with another budget: its steps before the budget starts are taken over.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=DEFAULTS["precision"],
    show_default=True,
    help="bf16 and fp16 use autocast.",
)
@click.option(
    "--compile/--no-compile",
    default=DEFAULTS["compile"],
    show_default=True,
    help="Compile the training step (slower on CPU).",
)
@click.option("--warmup-steps", type=int, help="Steps over which the rate rises.  [default: 1000, or a tenth of all]")
@setting_options
@device_option
@click.option("--resume", is_flag=True, help="Go on where the run stopped; settings are read from its folder.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, out: Path, resume: bool, branch: Path | None, device: Any, as_json: bool, **settings: Any
) -> None:
    """Train a routing network, with or without a budget.

    The budget steers the expected cost, μ times the whole space's; what images really cost follows from the paths that
    are open. Everything is written into the run's folder: config.json, metrics.jsonl, checkpoints/, and the state to go
    on from.
    """
    from routeviz.training import checkpoint_paths, read_config, train

    typed = {name for name in settings if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT}
    if resume and (out / "config.json").exists():
        stored = read_config(out).to_dict()
        config = TrainConfig.from_dict(stored | _as_settings({name: settings[name] for name in typed}))
    else:
        if resume and settings["dataset"] is None:
            raise click.UsageError(f"{out} holds no run to go on with; give --dataset and the settings of a new one")
        if settings["dataset"] is None:
            raise click.UsageError("--dataset is missing: camvid, cityscapes, voc or scenes")
        settings["crop"] = settings["crop"] or settings["resize"] or DEFAULTS["crop"]
        config = TrainConfig.from_dict(_as_settings(settings))
    evaluation = train(config, out, resume=resume, branch=branch, device=device, progress=not as_json)
    if os.environ.get("RANK", "0") != "0":
        return
    steps = checkpoint_paths(out)
    checkpoint = steps[max(steps)]
    if as_json:
        click.echo(json.dumps({"run": str(out), "checkpoint": str(checkpoint), **evaluation.to_dict()}))
    else:
        click.echo(report(evaluation))
        root = f" --root {config.root}" if config.root else ""
        size = f" --resize {config.resize[0]}x{config.resize[1]}" if config.resize else ""
        click.echo(f"\nNext: routeviz trace {checkpoint} --dataset {config.dataset}{root}{size} --out {out}/log")


def _as_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Bring options to the form that `TrainConfig.from_dict` reads."""
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    if "options" in settings:
        settings["options"] = dict(settings["options"])
    if settings.get("budget") is not None:
        settings["budget"] = dict(zip(("weight", "target"), settings["budget"], strict=True))
    return settings


def report(evaluation: "Evaluation") -> str:
    """Lay out an evaluation as two tables."""
    scores = {"mIoU": evaluation.miou, "pixel accuracy": evaluation.pixel_accuracy}
    scores |= {f"IoU {name}": iou for name, iou in evaluation.iou.items()}
    rows = [("images", str(evaluation.images))]
    rows += [(name, "not present" if score is None else f"{score:.1%}") for name, score in scores.items()]
    costs = [("MACs", "avg", "max", "min")]
    for convention, figures in evaluation.macs.items():
        costs.append((convention, *(quantity(figures[name]) for name in ("avg", "max", "min"))))
    if evaluation.expected_macs is not None:
        costs.append(("expected (what a budget steers)", quantity(evaluation.expected_macs), "", ""))
    lines = [columns(rows, "<>"), "", columns(costs, "<>>>")]
    return "\n".join(lines + [f"left out: {line}" for line in evaluation.unreadable])
