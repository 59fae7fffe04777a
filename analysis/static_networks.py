"""Trained networks side by side: mIoU with bootstrap intervals over images, MACs, parameters, hours, seed.

    python analysis/static_networks.py runs/camvid-* --root CamVid --reference camvid-raw

Evaluates the last checkpoint of every run on the images that it was evaluated on in training, one image at a time, and
prints a Markdown table. With `--keep`, every run's folder also keeps what was counted on each image (evaluation.npz);
from that the table can be printed again where checkpoints or images are not at hand:

    python analysis/static_networks.py data/checkpoints/camvid-*

mIoU is that of the whole dataset. Its interval draws the images again 9,999 times; that of the
difference to the reference draws the same images for both networks (paired). Neither draws the training again: of two
runs with different seeds each has a row. Nor do they know that the frames of a film, as CamVid's are, are
alike: intervals over independent images would be wider. MACs are of what executes, over images, on average, at
most and at least. "hours" is the time of training on the machine of the run, as the run wrote it down.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from tqdm import tqdm

import routeviz as rv
from routeviz.metrics import confusion, mean_iou
from routeviz.stats import Interval, miou_difference, miou_interval
from routeviz.training import TrainConfig, checkpoint_paths, read_config, read_metrics
from routeviz.training.batches import resized

KEPT = "evaluation.npz"


@dataclass(frozen=True)
class Result:
    """One run, evaluated: matrices (image, label, prediction) int64 and MACs (image,) int64."""

    name: str
    config: TrainConfig
    step: int
    seconds: float
    parameters: int
    confusions: np.ndarray
    macs: np.ndarray

    @property
    def dynamic(self) -> bool:
        return self.config.architecture is None


def result_of(run: Path, root: str | None, convention: str, *, keep: bool) -> Result:
    """A run's last checkpoint, evaluated; without one, what an earlier evaluation kept."""
    config, paths, metrics = read_config(run), checkpoint_paths(run), read_metrics(run)
    file = run / KEPT
    if not paths and not file.exists():
        raise rv.InputError(f"{run} holds neither a checkpoint nor {KEPT}; wait for its first checkpoint")
    if paths and (root or Path(config.root or ".").exists() or not file.exists()):
        counted = evaluated(run, config, paths, root)
        if keep:
            np.savez_compressed(file, **counted)
    else:
        with np.load(file) as kept:
            counted = dict(kept)
    step = int(counted["step"])
    confusions = counted["confusions"].astype(np.int64)
    logged = [line["miou"] for line in metrics if line["kind"] == "evaluation" and line["step"] == step]
    found = mean_iou(confusions.sum(axis=0))
    if logged and abs(found - logged[-1]) > 1e-3:
        click.echo(f"{run.name}: mIoU {found:.4f} here, {logged[-1]:.4f} at the end of its training", err=True)
    seconds = max((line["seconds"] for line in metrics if line["step"] <= step), default=float("nan"))
    size = int(counted["parameters"])
    return Result(run.name, config, step, seconds, size, confusions, counted[f"macs_{convention}"])


@torch.no_grad()
def evaluated(run: Path, config: TrainConfig, paths: dict[int, Path], root: str | None) -> dict[str, np.ndarray]:
    """Evaluate a run's last checkpoint image by image; counts fit to be kept in a file."""
    step = max(paths)
    net = rv.load_checkpoint(paths[step])
    dataset = rv.open_dataset(config.dataset, root or config.root, split=config.eval_split, **config.options)
    confusions, costs = [], {convention: [] for convention in rv.CONVENTIONS}
    for index in tqdm(range(len(dataset)), desc=run.name, unit="image", leave=False):
        sample = dataset[index]
        image, label = resized(sample.image, sample.label, config.resize)
        output = net(net.preprocess(image)[None])
        prediction = output.logits[0].argmax(0).numpy()
        confusions.append(confusion(label, prediction, net.config.num_classes, dataset.ignore_index))
        for convention, macs in costs.items():
            macs.append(rv.macs(net, output.gates.numpy(), image.shape[:2], convention=convention)[0])
    counted = {f"macs_{convention}": np.array(macs) for convention, macs in costs.items()}
    facts = {"step": np.int64(step), "parameters": np.int64(rv.parameters(net))}
    return {"confusions": np.array(confusions, dtype=np.int32), **counted, **facts}


def row(result: Result, reference: Result, unit: float) -> list[str]:
    """One run's cells of the table."""
    same = result is reference
    apart = None if same else miou_difference(result.confusions, reference.confusions)
    macs = result.macs.mean(), result.macs.max(), result.macs.min()
    return [
        result.name,
        "yes" if result.dynamic else "no",
        percent(miou_interval(result.confusions)),
        "reference" if apart is None else percent(apart, sign="+"),
        " / ".join(f"{value / unit:.1f}" for value in macs),
        f"{result.parameters / 1e6:.3f}",
        f"{result.step}",
        f"{result.seconds / 3600:.2f}",
        f"{result.config.seed}",
    ]


def images(result: Result) -> str:
    """What a run was evaluated on, in words."""
    config = result.config
    size = f", resized to {config.resize[0]}x{config.resize[1]}" if config.resize else ""
    return f"{len(result.macs)} images of {config.dataset} ({config.eval_split}){size}"


def percent(figure: Interval, *, sign: str = "") -> str:
    """A share and its interval in %."""
    value, low, high = (f"{100 * share:{sign}.1f}".replace("-", "−") for share in figure[:3])
    return f"{value} [{low}, {high}]"


@click.command(help=__doc__)
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--root", help="Folder of the dataset; by default that of the runs.")
@click.option("--reference", help="Name of the run to compare with; by default the first.")
@click.option("--keep", is_flag=True, help=f"Write {KEPT} into each run's folder.")
@click.option("--convention", type=click.Choice(rv.CONVENTIONS), default="conv", show_default=True)
def main(runs: tuple[Path, ...], root: str | None, reference: str | None, keep: bool, convention: str) -> None:
    names = [run.name for run in runs]
    if (reference or names[0]) not in names:
        raise click.UsageError(f"no run {reference!r}; there are {', '.join(names)}")
    results = [result_of(run, root, convention, keep=keep) for run in runs]
    chosen = results[names.index(reference or names[0])]
    unit, letter = (1e9, "G") if max(result.macs.max() for result in results) >= 1e9 else (1e6, "M")
    header = ["network", "dynamic", "mIoU % [95 %]", f"difference to {chosen.name} [95 %, paired]"]
    header += [f"MACs avg / max / min, {letter} ({convention})", "parameters, M", "steps", "hours", "seed"]
    rows = [header, [":--", ":--", *["--:"] * (len(header) - 2)], *(row(one, chosen, unit) for one in results)]
    click.echo("\n".join(f"| {' | '.join(cells)} |" for cells in rows))
    click.echo(f"\nEvaluated on {'; '.join(sorted({images(one) for one in results}))}.")


if __name__ == "__main__":
    main()
