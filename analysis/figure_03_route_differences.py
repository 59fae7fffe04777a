"""Figure 3. Routes of images with small, large and both sizes of objects; what they do not share is red."""

import routeviz as rv
from routeviz.bundled import bundled_data

log = rv.load_log(bundled_data("logs/scenes"))
rv.save_figure(rv.plot_route_differences(log, by=rv.scale_groups(log)), "figures/route_differences")
