"""Figure 4. Static architectures as fixed routes of the routing space."""

import routeviz as rv

rv.save_figure(rv.plot_architectures(rv.lattice_space(layers=16, width=64)), "figures/architectures")
