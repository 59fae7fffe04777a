"""Make the gallery, docs/gallery.md and its pictures: every figure and table, with the script that made it.

python analysis/gallery.py [OUT]
"""

import contextlib
import io
import os
import runpy
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from PIL import Image

HERE = Path(__file__).parent
DPI = 150
INTRODUCTION = """# Gallery

Every figure and table of a paper, with the script that makes it: each runs as it stands, on what is bundled with
routeviz, and writes the figure as PDF, SVG and PNG. Made by `python analysis/gallery.py`.

The same figures of a log of your own: `routeviz figures LOG --out DIR`, or the page Figures of the dashboard. Every
`plot_*` draws on axes that are given (`ax=`), at the widths of a paper (`width="column"`, `"text"`, or inches), and in
plotly with `backend="screen"`."""


def run(script: Path) -> str:
    """Run a script in the current folder; what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(script))
    plt.close("all")
    return printed.getvalue()


def parts(script: Path) -> tuple[str, str]:
    """What a script says of itself, and its code."""
    words, _, code = script.read_text(encoding="utf-8").removeprefix('"""').partition('"""')
    return words.strip(), code.strip()


def section(script: Path, pictures: Path) -> str:
    """One figure or table of the page; a figure's picture goes into a folder."""
    words, code = parts(script)
    printed = run(script)
    found = sorted(Path("figures").glob("*.png"))
    for file in found:
        picture = Image.open(file).convert("RGB")
        size = [round(side * DPI / 300) for side in picture.size]
        picture.resize(size, Image.Resampling.LANCZOS).save(pictures / file.name, optimize=True)
        file.unlink()
    kind, _, rest = words.partition(". ")
    shown = [f"![{kind}](gallery/{file.name})" for file in found] or [f"```text\n{printed.rstrip()}\n```"]
    code = f"```python\n{code}\n```\n\n[{script.name}](../analysis/{script.name})"
    return "\n\n".join(
        [f"## {kind if kind != 'Table' else script.stem.capitalize().replace('_', ': ')}", rest, *shown, code]
    )


def main(out: Path) -> None:
    mpl.use("Agg")
    (out / "gallery").mkdir(parents=True, exist_ok=True)
    page, home = [INTRODUCTION], Path.cwd()
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        try:
            for script in sorted([*HERE.glob("figure_*.py"), *HERE.glob("table_*.py")]):
                page.append(section(script, out / "gallery"))
                print(script.name)
        finally:
            os.chdir(home)
    (out / "gallery.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "docs").resolve())
