"""Figure 11. Mean activation by layer and share of open paths by move, at each checkpoint of a run."""

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.training import checkpoint_paths

scenes = rv.open_dataset("scenes", split="val", length=12)
paths = checkpoint_paths(bundled_data("checkpoints/scenes"))
logs = {step: rv.trace(rv.load_checkpoint(path), scenes, workers=0) for step, path in paths.items()}
rv.save_figure(rv.plot_training_activations(logs), "figures/training_activations")
