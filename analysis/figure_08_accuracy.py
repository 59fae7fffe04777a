"""Figure 8. Accuracy against MACs, as published; the dashed line joins what no network beats in both.

mIoU on Cityscapes val and average MACs of 1024 x 2048 images in the convention released, as in the paper's tables;
those of static and common networks as remembered.
"""

import pandas as pd

import routeviz as rv
from routeviz.stats import PUBLISHED

rows = [
    (name, figures[0].macs, figures[0].miou, name.startswith("dynamic"))
    for (name, layers), figures in PUBLISHED.items()
    if layers == 16
]
networks = pd.DataFrame(rows, columns=["name", "macs", "miou", "dynamic"])
rv.save_figure(rv.plot_accuracy(networks, convention="released"), "figures/accuracy")
