"""The figure of importance: what closing each path alone changes, and which paths cost and do nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.plots.figure import figure
from routeviz.plots.lattices import lattice_panel, level_width, strokes
from routeviz.plots.sheet import NOTHING, Dots, Line, Mark, Sheet
from routeviz.plots.style import DIFFERENCE, FAINT, INK, RAMP, SOFT
from routeviz.quantities import of_rows, quantity
from routeviz.space import RoutingSpace
from routeviz.space.drawing import RAMP_STEPS, lattice_data, stroke

MEASURES = {
    "changed": lambda value: f"{100 * value:.3g} %",
    "kl": lambda value: f"{value:.3g} nats",
    "miou": lambda value: f"{100 * value:.3g} points of mIoU",
    "macs": lambda value: f"{quantity(value)} MACs",
}
"""What width and colour can be of, and how a value is written."""

FLAGGED = "costly, often open and useless"


@figure
def plot_importance(
    space: RoutingSpace,
    table: pd.DataFrame,
    *,
    by: str = "changed",
    convention: str = "conv",
    title: str = "",
    rows: str = "images",
    answers: str = "pixels",
) -> Sheet:
    """Draw what closing each path alone changes: the more, the wider and darker the path.

    Flagged paths, those that are costly, often open and useless, are red and dashed, with a cross each.

    Parameters
    ----------
    space : RoutingSpace
    table : DataFrame
        Of every path, as `routeviz.flag_paths` or `routeviz.close_paths` gives it; without a column ``flagged`` none is
        marked. A path of which NaN is known is drawn as one that changes nothing, and said to be not known.
    by : str
        What width and colour are of, mean over the rows: ``"changed"`` (share of the answers), ``"kl"``, or, whatever
        their sign, ``"miou"`` or ``"macs"``.
    convention : str
        Of the MACs.
    title : str
    rows, answers : str
        What the table's rows and the answers of each are called.
    """
    if by not in MEASURES:
        raise InputError(f"unknown measure {by!r}; valid: {', '.join(MEASURES)}")
    column = f"macs_{convention}" if by == "macs" else by
    if missing := [name for name in ("path", "open", column) if name not in table]:
        raise InputError(f"table of paths lacks {', '.join(missing)}; give that of flag_paths or of Importance.table")
    if table["path"].tolist() != list(space.path_names):
        raise InputError(f"this table is not of the paths of {space}, in their order")
    effect, opened = np.abs(table[column].to_numpy(float)), table["open"].to_numpy(float) > 0
    if np.isnan(effect).all():
        raise InputError(f"no change of {by} is known, as these images have no labels; choose another measure")
    known, effect = ~np.isnan(effect), np.nan_to_num(effect)
    most, write = float(effect.max()), MEASURES[by]

    def tell(value: float) -> str:
        return write(value) + f" of the {answers}" * (by == "changed")

    _, levels = stroke(effect / most if most else effect)
    flagged = table["flagged"].to_numpy(bool) if "flagged" in table else np.zeros(len(table), bool)
    told = {
        "closing it changes": [
            tell(value) if one else "not known" for value, one in zip(effect, known.tolist(), strict=True)
        ],
        "open in": [
            f"{100 * share:.1f} % of the {rows}{f'; {FLAGGED}' * one}"
            for share, one in zip(table["open"], flagged.tolist(), strict=True)
        ],
    }
    data = lattice_data(space, path_notes=told)
    nowhere = of_rows("open in no image", rows)
    marks: list[Mark] = [strokes(data, np.flatnonzero(~opened), colour=FAINT, width=1, name=nowhere)]
    for level in (0, RAMP_STEPS // 2, RAMP_STEPS - 1) if most else (0,):
        name = tell(most * level / (RAMP_STEPS - 1))
        marks.append(Line(NOTHING, NOTHING, RAMP[level], level_width(level), name=name))
    for level in np.unique(levels):
        chosen = np.flatnonzero(opened & ~flagged & (levels == level))
        marks.append(strokes(data, chosen, colour=RAMP[level], width=level_width(level)))
    chosen = np.flatnonzero(flagged)
    marks.append(strokes(data, chosen, colour=DIFFERENCE, width=3, dash="dash", name=FLAGGED))
    pins = np.array([data["paths"][path]["pin"] for path in chosen]).reshape(-1, 2)
    marks.append(Dots(*pins.T, DIFFERENCE, "cross", size=9))
    x, y = np.array([(cell["x"], cell["y"]) for cell in data["cells"]], float).T
    live = np.bincount(space.source, opened, minlength=space.n_cells) > 0
    for some, colour, name in ((live, INK, "open cell"), (~live, SOFT, f"cell {nowhere}")):
        texts = tuple(text for text, one in zip(data["cell_text"], some, strict=True) if one)
        if some.any():
            marks.append(Dots(x[some], y[some], colour, filled=bool(live[some].any()), size=11, name=name, texts=texts))
    return Sheet(((lattice_panel(data, marks, title, height=1.75),),), "text", data=table)
