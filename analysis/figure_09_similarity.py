"""Figure 9. How alike the routes of images that hold each class are."""

import routeviz as rv
from routeviz.bundled import bundled_data

log = rv.load_log(bundled_data("logs/camvid-budget-0.1"))
rv.save_figure(rv.plot_similarity(log, by="classes"), "figures/similarity")
