"""Figure 14. Load of eight experts in each of three layers, which digits open them, and which are open together."""

import routeviz as rv
from routeviz.bundled import bundled_data

log = rv.load_log(bundled_data("gated/moe/log"))
rv.save_figure(rv.plot_experts(log, by="digit"), "figures/experts")
