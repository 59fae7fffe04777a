"""Figure 5. Mean activation of each path, and share of images that open it, by layer, scale and move."""

import routeviz as rv
from routeviz.bundled import bundled_data

log = rv.load_log(bundled_data("logs/camvid-budget-0.1"))
rv.save_figure(rv.plot_usage(log), "figures/usage")
