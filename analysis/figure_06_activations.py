"""Figure 6. Distribution of activations in each layer, before a budget is switched on and under it."""

import routeviz as rv
from routeviz.bundled import bundled_data

scenes = rv.open_dataset("scenes", split="val", length=24)
folder = bundled_data("checkpoints/scenes/checkpoints")
logs = {
    "before the budget": rv.trace(rv.load_checkpoint(folder / "step-001200.safetensors"), scenes, workers=0),
    "under the budget": rv.trace(rv.load_checkpoint(folder / "step-006000.safetensors"), scenes, workers=0),
}
rv.save_figure(rv.plot_activations(logs), "figures/activations")
