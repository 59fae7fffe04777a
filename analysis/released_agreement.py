"""How closely routeviz follows the released implementation, on cases that it computed on CPU.

    python analysis/released_agreement.py REFERENCE

REFERENCE holds, for each case, NAME.pth (a checkpoint in the released layout), NAME.json (its configuration) and
NAME.npz (images, gates, reached cells, logits, real and expected MACs in the released convention, in millions). Each
image is run alone and all in one batch; the larger difference is printed.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

import routeviz as rv

MOVES = ("up", "keep", "down")


def differences(case: Path) -> dict[str, float | bool]:
    """Largest differences of one case: gates absolute, the others relative."""
    config, expected = json.loads(case.with_suffix(".json").read_text()), np.load(case)
    net = rv.load_checkpoint(case.with_suffix(".pth"), small_gate=config["small_gate"])
    cells = dict(zip(map(tuple, expected["node_layer_scale"].tolist()), range(net.space.n_cells), strict=True))
    places = zip(net.space.paths.layer, net.space.paths.scale, net.space.moves, strict=True)
    gates = np.stack(
        [expected["gates_up_keep_down"][:, cells[layer, scale], MOVES.index(move)] for layer, scale, move in places], 1
    )
    images = torch.from_numpy(expected["images"])
    with torch.inference_mode():
        runs = [net(images), [net(images[i : i + 1]) for i in range(len(images))]]
    runs[1] = rv.NetworkOutput(*(torch.cat(parts) for parts in zip(*runs[1], strict=True)))
    size = images.shape[-2:]
    real = rv.macs(net, gates, size, convention="released") / 1e6
    return {
        "gates": max(np.nanmax(np.abs(run.gates.numpy() - gates)) for run in runs),
        "logits / largest": max(
            np.abs(run.logits.numpy() - expected["logits"]).max() / np.abs(expected["logits"]).max() for run in runs
        ),
        "reached cells": all((np.isnan(run.gates.numpy()) == np.isnan(gates)).all() for run in runs),
        "real MACs": np.abs(real / expected["real_mflops"] - 1).max(),
        "expected MACs": np.abs(rv.expected_macs(net, gates, size) / 1e6 / expected["expected_mflops"] - 1).max(),
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python analysis/released_agreement.py REFERENCE")
    for case in sorted(Path(sys.argv[1]).glob("*.npz")):
        print(case.stem)
        for name, value in differences(case).items():
            print(f"  {name:18}{('equal' if value else 'DIFFERENT') if isinstance(value, bool) else f'{value:.1e}'}")
