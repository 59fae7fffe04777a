"""Cut a run down to what is kept beside the code: settings, metrics, and a few checkpoints along the training.

    python analysis/bundle_run.py runs/scenes data/checkpoints/scenes --keep 5

The last checkpoint is kept as it is, so that it gives the figures of the run's last evaluation; the others are written
with their convolutions in float16, at about half the size. `--keep 0` keeps no checkpoint. What
`analysis/static_networks.py --keep` counted comes along.
"""

import argparse
import shutil
from pathlib import Path

from routeviz import load_checkpoint, save_checkpoint
from routeviz.training import checkpoint_paths


def spread(steps: list[int], keep: int) -> list[int]:
    """About evenly spread steps, the last one among them."""
    keep = min(keep, len(steps))
    return [steps[round((place + 1) * len(steps) / keep) - 1] for place in range(keep)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--keep", type=int, default=5, help="checkpoints to keep")
    options = parser.parse_args()

    paths = checkpoint_paths(options.run)
    if not paths:
        parser.error(f"{options.run} holds no checkpoints")
    (options.out / "checkpoints" if options.keep else options.out).mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "metrics.jsonl", "evaluation.npz"):
        if (options.run / name).exists():
            shutil.copyfile(options.run / name, options.out / name)
    kept = spread(list(paths), options.keep)
    for step in kept[:-1]:
        save_checkpoint(
            load_checkpoint(paths[step]), options.out / "checkpoints" / paths[step].name, step=step, half=True
        )
    for step in kept[-1:]:
        shutil.copyfile(paths[step], options.out / "checkpoints" / paths[step].name)
    size = sum(file.stat().st_size for file in options.out.rglob("*") if file.is_file())
    print(f"{options.out}: {len(kept)} checkpoints, {size / 1e6:.1f} MB")
