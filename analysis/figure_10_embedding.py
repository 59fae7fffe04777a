"""Figure 10. Routes in two dimensions (principal components of activations), and each cluster's most typical image."""

import routeviz as rv
from routeviz.bundled import bundled_data

log = rv.load_log(bundled_data("logs/scenes"))
scenes = rv.open_dataset("scenes", split="val")
axes = rv.plot_embedding(log, by="scale_class", pictures=lambda id_: scenes[scenes.ids.index(id_)].image)
rv.save_figure(axes, "figures/embedding")
