"""Set the table of docs/reliability.md: what a soak tried, how often, and what came of it.

    make soak
    python analysis/reliability.py .soak.jsonl docs/reliability.md

Each line of the first file is one trial as tests/faults notes it; of one that was run again the last one counts.
Everything between the page's two marks is replaced.
"""

import json
import os
import platform
import sys
from datetime import date
from pathlib import Path

import pandas as pd

import routeviz as rv

BEGIN, END = "<!-- soak: written by make soak -->\n", "<!-- end of soak -->\n"


def table(trials: pd.DataFrame) -> str:
    """The trials as Markdown, in the order of their kinds."""
    rows = ["| fault | where | what was tried | times | what came of it |", "| --- | --- | --- | ---: | --- |"]
    for row in trials.sort_values(["part", "what", "tried"]).itertuples():
        rows.append(f"| {row.part} | {row.what} | {row.tried} | {row.times:,} | {row.outcome} |")
    return "\n".join(rows) + "\n"


def main(notes: Path, page: Path) -> None:
    trials = pd.DataFrame([json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()])
    trials = trials.drop_duplicates(["part", "what", "tried"], keep="last")
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    when = (
        f"Run on {date.today():%d %B %Y} with routeviz {rv.__version__}, Python {platform.python_version()}, on "
        f"{os.cpu_count()} cores ({platform.machine()}) under {platform.system()}.\n\n"
    )
    page.write_text(f"{head}{BEGIN}{when}{table(trials)}{END}{tail}", encoding="utf-8")
    print(f"wrote {len(trials)} rows, {trials.times.sum():,} trials, into {page}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
