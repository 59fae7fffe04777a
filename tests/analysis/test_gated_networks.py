"""The page of networks of other kinds: made by its script from the bundled logs, as it is committed."""

import re
import runpy
from pathlib import Path

from click.testing import CliRunner

from routeviz.gated import NETWORKS, SUPERNETS
from routeviz.routelog import load_log

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_page_is_what_its_script_makes(tmp_path):
    main = runpy.run_path(str(ROOT / "analysis" / "gated_networks.py"))["main"]
    result = CliRunner().invoke(main, ["--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert all(DOCS / "networks" / f"{name}.svg" in {DOCS / path for path in made} for name in [*NETWORKS, *SUPERNETS])
    # Pixels of text may differ from one version of a library to another.
    assert {path for path in made if path.suffix != ".png" and (DOCS / path).read_bytes() != made[path]} == set()
    assert all((DOCS / path).exists() for path in made)


def test_a_row_of_the_page_is_what_the_log_holds():
    text = (DOCS / "networks.md").read_text(encoding="utf-8")
    for name, network in NETWORKS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| [{network.title}]")).split(" | ")
        facts = load_log(ROOT / "data" / "gated" / name / "log").images
        assert float(row[2]) == round(
            100 * facts.drop_duplicates("image" if "image" in facts else "id").correct.mean(), 1
        )
        assert [float(re.sub(",", "", cell)) for cell in row[5:8]] == [
            round(value / 1e3, 1) for value in (facts.macs_conv.mean(), facts.macs_conv.min(), facts.macs_conv.max())
        ]
