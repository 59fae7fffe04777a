"""Table. MACs of the whole space by part, G: 1024 x 2048, width 64, 19 classes, every path open, in each convention."""

import pandas as pd

import routeviz as rv

net = rv.RoutingNetwork(rv.NetworkConfig(layers=16, width=64, num_classes=19)).eval()
columns = {}
for convention in rv.CONVENTIONS:
    parts = rv.cost_table(net, (1024, 2048), convention).frame().groupby("part", sort=False).macs.sum()
    columns[convention] = parts / 1e9
table = pd.DataFrame(columns)
table.loc["total"] = table.sum()
print(table.to_string(float_format="{:.3f}".format))
