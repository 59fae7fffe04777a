"""Figure 9. How alike the routes of images with small, large and both sizes of objects are."""

import routeviz as rv
from routeviz.bundled import bundled_data

log = rv.load_log(bundled_data("logs/scenes"))
rv.save_figure(rv.plot_similarity(log, by="scale_class"), "figures/similarity")
