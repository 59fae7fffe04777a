"""Make the gallery, docs/gallery.md and its pictures: every figure, with the call that drew it.

    python analysis/gallery.py

Images are procedural scenes. The network is the bundled run on them; where none is bundled, an untrained stand-in whose
gates are drawn at random, and the page says so.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace

import click
import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt

import routeviz as rv
from routeviz import plots
from routeviz.bundled import bundled_data
from routeviz.training import checkpoint_paths, read_metrics

IMAGES, SIZE = 36, (64, 128)

# mIoU and average MACs as published: Learning Dynamic Routing for Semantic Segmentation, CVPR 2020, Cityscapes val.
PUBLISHED = pd.DataFrame(
    [
        ("Dynamic-A", 44.9e9, 0.728, True),
        ("Dynamic-B", 58.7e9, 0.738, True),
        ("Dynamic-C", 66.6e9, 0.746, True),
        ("Dynamic-Raw", 119.5e9, 0.761, True),
        ("FCN-32s", 35.1e9, 0.669, False),
        ("DeepLabV3", 42.5e9, 0.670, False),
        ("U-Net", 53.9e9, 0.716, False),
        ("HRNetV2", 62.5e9, 0.725, False),
        ("Auto-DeepLab", 33.1e9, 0.672, False),
    ],
    columns=["name", "macs", "miou", "dynamic"],
)


def routing_space(d):
    """The routing space: up, keep and down differ by dash."""
    return plots.plot_space(d.log.space, width="text")


def route(d):
    """One image's route, with the image, its labels and its segmentation."""
    return plots.plot_route(
        d.log.route(0),
        image=d.sample.image,
        label=d.sample.label,
        prediction=d.prediction,
        class_names=d.scenes.class_names,
        class_colors=d.scenes.class_colors,
    )


def route_differences(d):
    """Routes of images with small, large and both sizes of objects; what they do not share is red."""
    return plots.plot_route_differences(d.log, by="scale_class")


def architectures(d):
    """Static architectures as fixed routes of the space."""
    return plots.plot_architectures(d.log.space)


def usage(d):
    """Mean activation and share of images in which a path is open, by layer, scale and move."""
    return plots.plot_usage(d.log)


def activations(d):
    """Distribution of activations in each layer; one panel a log, such as one a budget."""
    return plots.plot_activations({f"step {step}": d.logs[step] for step in (min(d.logs), max(d.logs))})


def macs(d):
    """Histogram of MACs with average, maximum and minimum, and the static architectures."""
    static = {
        one.name: int(rv.macs(d.net, one.activations[None], d.scenes[0].image.shape[:2], with_gates=False)[0])
        for one in rv.architectures(d.log.space).values()
    }
    return plots.plot_macs(d.log, marks=static)


def accuracy(d):
    """Accuracy against MACs, here of the published figures; the line joins what no network beats in both."""
    return plots.plot_accuracy(PUBLISHED, convention="released")


def similarity(d):
    """How alike the routes of groups of images are."""
    return plots.plot_similarity(d.log, by="scale_class")


def embedding(d):
    """Routes in two dimensions (principal components of activations), and each cluster's most typical image."""
    images = dict(zip(d.log.images["id"], range(len(d.log)), strict=True))
    return plots.plot_embedding(d.log, by="scale_class", pictures=lambda name: d.scenes[images[name]].image)


def training_activations(d):
    """Activations along training, by checkpoint."""
    return plots.plot_training_activations(d.logs)


def training_budget(d):
    """Expected MACs, which the budget constrains, against real ones along training."""
    return plots.plot_training_budget(d.metrics)


FIGURES = (
    *(routing_space, route, route_differences, architectures, usage, activations),
    *(macs, accuracy, similarity, embedding, training_activations, training_budget),
)


def bundled_run() -> SimpleNamespace:
    """Trace every checkpoint of the bundled run on scenes."""
    folder = bundled_data("checkpoints/scenes")
    nets = {step: rv.load_checkpoint(path) for step, path in checkpoint_paths(folder).items()}
    return _traced(nets, rv.open_dataset("scenes", length=IMAGES), read_metrics(folder), "the bundled run on scenes")


def stand_in() -> SimpleNamespace:
    """Trace an untrained network whose gates listen to the image at random, more and more along its "training"."""
    scenes = rv.open_dataset("scenes", length=IMAGES, size=SIZE)
    config = {"num_classes": len(scenes.class_names), "class_names": tuple(scenes.class_names), "stem_width": 8}
    nets = {
        step: _random_gates(rv.RoutingNetwork(rv.NetworkConfig(width=4, **config)), step / 500)
        for step in (0, 250, 500)
    }
    drawn = _traced(nets, scenes, [], "an untrained stand-in with random gates: its numbers mean nothing")
    for step, log in drawn.logs.items():
        costs = log.images[["macs_released", "expected_macs_released"]].mean()
        line = {"kind": "evaluation", "step": step, "macs": {"released": {"avg": costs.iloc[0]}}}
        drawn.metrics.append(line | {"expected_macs": costs.iloc[1]})
    return drawn


def _random_gates(net: rv.RoutingNetwork, amount: float) -> rv.RoutingNetwork:
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for cell in net.cells:
            score = cell.gate.score
            score.weight.copy_(amount * 2.5 * torch.randn(score.weight.shape, generator=draw))
            score.bias.copy_(1.5 - amount * (1.2 - torch.randn(score.bias.shape, generator=draw)))
    return net.eval()


def _traced(nets: dict, scenes, metrics: list, what: str) -> SimpleNamespace:
    logs = {step: rv.trace(net, scenes, workers=0) for step, net in nets.items()}
    last, sample = max(nets), scenes[0]
    with torch.no_grad():
        logits = nets[last](nets[last].preprocess(sample.image)[None]).logits
    prediction = np.asarray(logits.argmax(1)[0])
    return SimpleNamespace(
        net=nets[last], logs=logs, log=logs[last], scenes=scenes, sample=sample, prediction=prediction,
        metrics=metrics, what=what,
    )  # fmt: skip


def call(function) -> str:
    """The body of a figure's function, as the page shows it."""
    lines = inspect.getsource(function).splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().endswith('"""')) + 1
    return re.sub(r"\bd\.|return ", "", textwrap.dedent("\n".join(lines[start:])))


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).parents[1] / "docs", show_default=True)
def main(out: Path) -> None:
    mpl.use("Agg")
    try:
        data = bundled_run()
    except rv.InputError:
        data = stand_in()
    page = [
        "# Gallery",
        "",
        'Every figure in matplotlib; `backend="screen"` draws the same one in plotly, and',
        "`plots.save_figure(ax, path)` writes PDF, SVG and PNG. Made by `python analysis/gallery.py` from scenes and",
        f"{data.what}. Here `log` is a route log and `logs` are those of a run's checkpoints, by step.",
    ]
    for function in FIGURES:
        axes = function(data)
        plots.save_figure(axes, out / "gallery" / function.__name__, formats=["png"], dpi=150)
        plt.close(np.ravel(axes)[0].figure)
        title = function.__name__.replace("_", " ").capitalize()
        page += ["", f"## {title}", "", inspect.getdoc(function), "", "```python", call(function), "```", ""]
        page.append(f"![{title}](gallery/{function.__name__}.png)")
        click.echo(f"{function.__name__}.png")
    (out / "gallery.md").write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
