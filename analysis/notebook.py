"""Run the cells of a notebook and keep what they show, in the file itself.

    python analysis/notebook.py [NOTEBOOK]

Plain Python is all that these cells ask for, so neither Jupyter nor a kernel has to be installed to run them or test
them. As in Jupyter a cell shows what it prints, the value of its last line unless a semicolon ends it, and the
matplotlib figures that it draws.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

NOTEBOOK = Path(__file__).with_name("from_checkpoint_to_figure.ipynb")
DPI = 110


def execute(notebook: dict[str, Any]) -> None:
    """Run all cells in one namespace, and put what they show in the place of their outputs."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate((cell for cell in notebook["cells"] if cell["cell_type"] == "code"), start=1):
        cell["outputs"] = run_cell("".join(cell["source"]), space, number)
        cell["execution_count"] = number


def run_cell(source: str, space: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Run one cell; its outputs, as a notebook stores them."""
    tree, printed, value = ast.parse(source), io.StringIO(), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"<cell {number}>", "exec"), space)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"<cell {number}>", "eval"), space)
    outputs = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    if value is not None and not source.rstrip().endswith(";"):
        outputs.append(
            {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": shown(value)}
        )
    for figure in map(plt.figure, plt.get_fignums()):
        png = io.BytesIO()
        figure.savefig(png, dpi=DPI)
        data = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": [repr(figure)]}
        outputs.append({"output_type": "display_data", "metadata": {}, "data": data})
    plt.close("all")
    return outputs


def shown(value: Any) -> dict[str, Any]:
    """A value as a notebook shows it: as text, and as a drawing or a page where it has one."""
    data = {"text/plain": repr(value).splitlines(keepends=True)}
    for method, kind in (("_repr_svg_", "image/svg+xml"), ("_repr_html_", "text/html")):
        if (draw := getattr(value, method, None)) is not None:
            return data | {kind: draw().splitlines(keepends=True)}
    return data


def main(path: Path) -> None:
    mpl.use("Agg")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        execute(notebook)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else NOTEBOOK.absolute())
