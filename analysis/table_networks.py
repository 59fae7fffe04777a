"""Table. Static architectures in the space of the paper: MACs and parameters here, and as published.

Images of 1024 x 2048, width 64, 19 classes, MACs in the convention released, no gates; published numbers as remembered.
"""

import pandas as pd

import routeviz as rv
from routeviz.costs import parameters
from routeviz.stats import published_figures

net = rv.RoutingNetwork(rv.NetworkConfig(layers=16, width=64, num_classes=19)).eval()
rows = {}
for key, route in rv.architectures(net.space).items():
    macs = rv.macs(net, route.activations[None], (1024, 2048), convention="released", with_gates=False)
    rows[route.name] = {"MACs, G": macs[0] / 1e9, "parameters, M": parameters(net, route) / 1e6}
    for published in published_figures(key, layers=16):
        rows[route.name] |= {"MACs published": published.macs / 1e9, "mIoU published, %": 100 * published.miou}
print(pd.DataFrame(rows).T.to_string(float_format="{:.1f}".format, na_rep=""))
