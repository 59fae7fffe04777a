"""Write a route log of any number of images: routes of the bundled scenes with noise of their own, and all their facts.

    python analysis/benchmarks/synthetic.py FOLDER [--images 1000000]

Every image is one of the 150 bundled ones. Noise is added to what its gates' tanh was taken of, so that gates near
their threshold open for some images and not for others: nearly every image takes a route that no other one takes,
which is the hard case for whatever counts routes. Unreached cells, MACs and facts follow from the route as in a traced
log, and the log is written shard by shard through the ordinary writer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.progress import Bar

SPREAD = 0.25
"""Standard deviation of the noise, beside a bias of 1.5 that a gate starts from."""

SHUT = -0.5
"""What the tanh of a shut gate is taken of; a trained one is anywhere below 0."""


def write_log(folder: Path, n_images: int, *, seed: int = 0) -> None:
    """Write the log; memory does not grow with the number of images."""
    bundled = rv.load_log(bundled_data("logs/scenes"))
    net = rv.RoutingNetwork(rv.NetworkConfig.from_dict(bundled.source["network"])).eval()
    space, facts = bundled.space, bundled.images
    scores = np.arctanh(np.clip(np.nan_to_num(bundled.gates), 0, 0.9999))
    scores[scores < np.arctanh(rv.OPEN_THRESHOLD)] = SHUT
    rng = np.random.default_rng(seed)
    source = bundled.source | {"synthetic": {"images": n_images, "seed": seed, "spread": SPREAD}}
    with rv.LogWriter(folder, space, source, n_images) as writer, Bar(total=n_images, desc="writing", delay=2) as bar:
        for shard in writer.pending:
            block = writer.block(shard)
            chosen = rng.integers(len(facts), size=len(block))
            noise = rng.standard_normal((len(block), space.n_paths), np.float32)
            gates = np.maximum(np.tanh(scores[chosen] + SPREAD * noise), 0)
            states = rv.cell_states(space, gates).state
            gates[(states == rv.STATES.index("unreached"))[:, space.source]] = np.nan
            images = facts.iloc[chosen].reset_index(drop=True)
            writer.write(shard, gates, images.assign(**_own(net, gates, images, block, rng)))
            bar.update(len(block))
        writer.finish()


def _own(
    net: rv.RoutingNetwork, gates: np.ndarray, images: pd.DataFrame, block: range, rng: np.random.Generator
) -> dict[str, object]:
    """What no two images share: names, costs and scores."""
    sizes = images[["height", "width"]].to_numpy()
    names = [f"image-{index:07}" for index in block]
    scored = [name for name in images if name == "miou" or name.startswith("iou_")]
    return {
        "id": names,
        "file": [f"{name}.png" for name in names],
        **{f"macs_{how}": rv.macs(net, gates, sizes, convention=how) for how in rv.CONVENTIONS},
        "expected_macs_released": rv.expected_macs(net, gates, sizes),
        **{name: (images[name] + rng.normal(0, 0.02, len(images))).clip(0, 1) for name in scored},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=1_000_000)
    given = parser.parse_args()
    write_log(given.folder, given.images)
