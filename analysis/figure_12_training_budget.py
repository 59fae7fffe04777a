"""Figure 12. Expected MACs, which a budget steers, and real MACs, which an image costs, along training."""

import routeviz as rv
from routeviz.bundled import bundled_data
from routeviz.training import read_metrics

runs = {
    name: read_metrics(bundled_data(f"checkpoints/{folder}"))
    for name, folder in {"raw": "camvid-raw", "μ = 0.2": "camvid-budget-0.2", "μ = 0.1": "camvid-budget-0.1"}.items()
}
rv.save_figure(rv.plot_training_budget(runs), "figures/training_budget")
