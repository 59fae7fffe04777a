"""Figure 1. The routing space: candidate paths up, keep and down, told apart by dash."""

import routeviz as rv
from routeviz.bundled import bundled_data

log = rv.load_log(bundled_data("logs/scenes"))
rv.save_figure(rv.plot_space(log.space, width="text"), "figures/routing_space")
