"""What training runs came to: one Markdown row a run, from what the runs themselves wrote.

    python analysis/runs_table.py runs/*

Without arguments the runs are those that come with routeviz.

Columns: the budget (λ, μ) or static architecture, optimizer steps, hours of training, mIoU of the last evaluation over
the whole dataset, expected cost as a share of the whole space's (what μ steers), and MACs an image (convention conv:
multiply-adds of convolutions that are executed) on average, at most and at least.
"""

import sys
from pathlib import Path

import pandas as pd

from routeviz.bundled import bundled_data
from routeviz.training import read_config, read_metrics


def row(folder: Path) -> dict[str, str]:
    """One run's row of the table."""
    config, metrics = read_config(folder), read_metrics(folder)
    last = [line for line in metrics if line["kind"] == "evaluation"][-1]
    share = [line["expected_share"] for line in metrics if line["kind"] == "step"][-20:]
    budget = f"{config.budget.weight:g}, {config.budget.target:g}" if config.budget else "none (raw)"
    macs = last["macs"]["conv"]
    return {
        "run": folder.name,
        "λ, μ": f"static ({config.architecture})" if config.architecture else budget,
        "steps": f"{last['step']}",
        "hours": f"{last['seconds'] / 3600:.2f}",
        "images": f"{last['images']}",
        "mIoU %": f"{100 * last['miou']:.1f}",
        "expected share": "·" if config.architecture else f"{sum(share) / len(share):.3f}",
        "MACs avg / max / min, M (conv)": " / ".join(f"{macs[key] / 1e6:.1f}" for key in ("avg", "max", "min")),
    }


def class_rows(folders: list[Path]) -> pd.DataFrame:
    """IoU in % of every class (rows) in every run (columns)."""
    columns = {}
    for folder in folders:
        last = [line for line in read_metrics(folder) if line["kind"] == "evaluation"][-1]
        columns[folder.name] = {name: f"{100 * value:.1f}" for name, value in last["iou"].items() if value is not None}
    return pd.DataFrame(columns)


def markdown(table: pd.DataFrame) -> str:
    """A table with its index as Markdown."""
    rows = [["", *table.columns], ["---"] * (len(table.columns) + 1)]
    rows += [[str(name), *map(str, values)] for name, values in zip(table.index, table.to_numpy(), strict=True)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


if __name__ == "__main__":
    bundled = sorted(path.parent for path in bundled_data("checkpoints").glob("*/config.json"))
    runs = [Path(name) for name in sys.argv[1:]] or bundled
    print(markdown(pd.DataFrame([row(run) for run in runs]).set_index("run")))
    for dataset in sorted({read_config(run).dataset for run in runs}):
        print(f"\nIoU % of each class of {dataset}:\n")
        print(markdown(class_rows([run for run in runs if read_config(run).dataset == dataset])))
