"""Figure 7. MACs of the images' routes, above those of the static architectures in the same network without gates."""

import routeviz as rv
from routeviz.bundled import bundled_data

log = rv.load_log(bundled_data("logs/scenes"))
rv.save_figure(rv.plot_macs(log, marks=rv.static_macs(log)), "figures/macs")
