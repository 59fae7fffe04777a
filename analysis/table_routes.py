"""Table. What the bundled route logs say of their networks; `routeviz stats LOG` prints each figure's definition."""

import pandas as pd

import routeviz as rv
from routeviz.bundled import bundled_data

columns = {}
for folder in sorted(bundled_data("logs").iterdir()):
    figures = rv.stats.summary(rv.load_log(folder))
    columns[folder.name] = {f"{figure.name}, {figure.unit}": f"{figure.value:.4g}" for figure in figures}
print(pd.DataFrame(columns).to_string(na_rep=""))
