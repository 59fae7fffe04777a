"""Figure 13. What closing each path alone changes, mean of three scenes; a cross: costly, often open, useless."""

import routeviz as rv
from routeviz.bundled import bundled_data

net = rv.load_checkpoint(bundled_data("checkpoints/scenes/checkpoints/step-006000.safetensors"))
found = rv.importance(net, rv.open_dataset("scenes", split="val", length=3), workers=0)
rv.save_figure(rv.plot_importance(found.space, rv.flag_paths(found.table())), "figures/importance")
