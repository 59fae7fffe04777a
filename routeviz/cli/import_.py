"""``routeviz import``: from a checkpoint in the released layout to one of routeviz's own."""

import json
import shlex
from pathlib import Path
from typing import Any

import click

from routeviz.cli.options import checkpoint_argument, example, json_option


class Names(click.ParamType):
    """Class names separated by commas, as in ``sky,building,road``; gives a tuple of str."""

    name = "NAME,NAME,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in value.split(","))
        if not all(names):
            self.fail(f"{value!r} has an empty name: write names separated by commas", param, ctx)
        return names


class Scaling(click.ParamType):
    """How images are normalised, written ``ORDER:MEANS:STDS``; gives ``(mean, std, channels)``."""

    name = "ORDER:M,M,M:S,S,S"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple:
        if isinstance(value, tuple):
            return value
        try:
            order, *parts = value.split(":")
            mean, std = (tuple(float(number) for number in part.split(",")) for part in parts)
        except ValueError:
            self.fail(f"{value!r} is not ORDER:MEANS:STDS, as in BGR:103.53,116.28,123.675:1,1,1", param, ctx)
        return mean, std, order


@click.command(
    epilog=example(
        "routeviz import dynamic_c.pth --small-gate --out dynamic_c.safetensors",
        "routeviz import mine.pth --full-gate --class-names sky,building,road --out mine.safetensors",
    )
)
@checkpoint_argument
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option(
    "--small-gate/--full-gate",
    default=None,
    help="Which gate the network was trained with: weights do not tell. Not needed where gates are fixed.",
)
@click.option("--class-names", type=Names(), help="One a class, in order; by default Cityscapes' for 19 classes.")
@click.option("--normalization", type=Scaling(), help="Of pixel values 0 to 255; by default the released training's.")
@json_option
def command(
    checkpoint: Path,
    out: Path,
    small_gate: bool | None,
    class_names: tuple[str, ...] | None,
    normalization: tuple | None,
    as_json: bool,
) -> None:
    """Turn CHECKPOINT, a file in the released layout, into one of routeviz's own.

    Layers, width, number of classes and fixed gates are read off the weights. Nothing in the file is run.
    """
    from routeviz.errors import InputError
    from routeviz.network import Normalization
    from routeviz.network.checkpoints import load_checkpoint, save_checkpoint

    if out.exists() and out.samefile(checkpoint):
        raise InputError(f"--out {out} is the checkpoint itself; name another file")
    net = load_checkpoint(
        checkpoint,
        small_gate=small_gate,
        class_names=class_names,
        normalization=Normalization(*normalization) if normalization else None,
    )
    if net.provenance["format"] != "released":
        raise InputError(f"{checkpoint} is one of routeviz's own checkpoints already; use it as it is")
    save_checkpoint(net, out, step=net.provenance["step"] or 0, extra={"imported": net.provenance})

    config = net.config
    gate = "fixed" if config.fixed_gates is not None else "small" if config.small_gate else "full"
    facts = {
        "file": checkpoint.name,
        "out": str(out),
        "layers": config.layers,
        "width": config.width,
        "stem_width": config.stem_width,
        "classes": config.num_classes,
        "class_names": config.class_names,
        "gate": gate,
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "step": net.provenance["step"],
        "sha256": net.provenance["sha256"],
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    gates = {"fixed": "gates fixed", "small": "small gate", "full": "full gate"}[gate]
    click.echo(
        f"{checkpoint.name}: {config.layers} layers, width {config.width}, stem width {config.stem_width}, "
        f"{config.num_classes} classes, {gates}, {facts['parameters'] / 1e6:.3f} M parameters"
    )
    click.echo(f"sha256 {facts['sha256']}")
    click.echo(f"wrote {out}")
    click.echo(f"next: routeviz trace {shlex.quote(str(out))} --dataset folder --root IMAGES --out LOG")
