"""What the drawing of a space shows, as plain numbers and words: marks, legend, what hovering says; no colours yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from routeviz.errors import InputError
from routeviz.space.kinds import kind_of
from routeviz.space.layout import places
from routeviz.space.space import RoutingSpace
from routeviz.space.states import INPUTS, STATES, cell_states, open_paths, sent

LEGEND_LINE, LEGEND_COLUMN = 24, 182
SECOND = 26
"""Pixels from the first to the second of two marks in the legend."""
RAMP_STEPS = 9
THIN, THICK, PASSED = 1.5, 6.0, 1.8

SENT_WORDS = ("sends nothing", "carries zeros", "carries a constant, nothing of the image", "carries the image")
INPUT_WORDS = (
    "nothing arrives",
    "starved: only zeros arrive",
    "image-blind: only a constant arrives",
    "the image arrives",
)

_SHAPES = {
    "image": "M-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0Z",
    "zeros": "M0-9L9 0L0 9L-9 0Z",
    "constant": "M-6.5-6.5H6.5V6.5H-6.5Z",
}
# Shape says what arrives at a cell, filling says what the cell does; each mark is (outline, colour, filled).
MARKS: dict[str, tuple[str, str, bool]] = {
    "plain": ("M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z", "soft", False),
    "unreached none": ("M-3.5-3.5L3.5 3.5M-3.5 3.5L3.5-3.5", "soft", False),
    **{
        f"{state} {kind}": (outline + bar, "ink" if kind == "image" else "blind", state == "open")
        for kind, outline in _SHAPES.items()
        for state, bar in (("open", ""), ("closed", "M-13 0H13"))
    },
}


class Stroke(NamedTuple):
    """How a kind of path is drawn: dashes, round or not; a colour of the theme, or empty for the ramp of activations.

    Only paths that are ``open`` have an arrowhead, and are counted.
    """

    dash: str = ""
    round: bool = False
    colour: str = ""
    open: bool = True


STROKES = {"open": Stroke(), "blind": Stroke("7 4"), "passed": Stroke("0.1 5", True, "soft", False)}

PIN = "M0-4.5L4.5 0L0 4.5L-4.5 0Z"
"""Outline of the mark of a forced path."""

LegendEntry = tuple[str, str, str]

LEGEND: tuple[LegendEntry, ...] = (
    ("mark", "open image", "open cell"),
    ("mark", "closed image", "closed: input passes on"),
    ("mark", "unreached none", "unreached"),
    ("marks", "zeros", "starved: zeros arrive"),
    ("marks", "constant", "only a constant arrives"),
    ("ramp", "", "activation 0 to 1"),
    ("path", "blind", "open, image-blind"),
    ("path", "passed", "input passed on"),
    ("candidate", "", "candidate path"),
)
"""What it is, which one, its words; "marks" are those of a kind of input, of the open cell and of the closed one."""

FORCED: LegendEntry = ("pin", "", "forced")
UNUSED = "not used"


def lattice_data(
    space: RoutingSpace,
    activations: np.ndarray | None = None,
    *,
    forced: np.ndarray | None = None,
    static: bool = False,
    path_notes: Mapping[str, Sequence[object]] | None = None,
    cell_notes: Mapping[str, Sequence[object]] | None = None,
) -> dict[str, Any]:
    """Describe the drawing of a space, or of one route through it, in values that JSON can hold.

    Parameters
    ----------
    space : RoutingSpace
        Of any kind.
    activations : array-like, (path,), optional
        Activations in [0, 1]; NaN (the paths of unreached cells) counts as 0. Without them the bare space is drawn.
    forced : ndarray, (path,) bool, optional
        Paths that are marked as forced.
    static : bool
        Whether the network is built for this route alone: it has only the cells that an image arrives at, and all
        others are marked as unreached ones are.
    path_notes, cell_notes : mapping of str to sequence, optional
        Further lines of what is shown on hover: a label, and one value for every path or cell.

    Returns
    -------
    dict
        Geometry, the same for every route of a space: ``digest``, ``width``, ``height``, ``body`` (height without the
        legend), ``pitch`` (pixels a layer), ``font``, ``texts``, ``columns`` and ``rows`` (place and word of a tick),
        ``words`` (of the kind of space), ``stem``, ``decoder`` (what the paths that leave the space lead to), ``cells``
        (``name``, ``x``, ``y``, ...), ``paths`` (``name``, ``short``, ``move``, ``d``, ``tip``: x, y and degrees of the
        arrowhead),
        ``source``, ``target``, ``moves``, ``legend``, ``marks``, ``strokes``. Paint: ``activation``, ``path_kind`` (a
        key of ``strokes``: open, blind, passed; or empty), ``path_width`` in pixels, ``path_level`` (step of the colour
        ramp), ``path_forced``, ``cell_kind`` (a key of ``marks``), and ``path_text``, ``cell_text`` for hover.

    Raises
    ------
    InputError
        If the activations or the notes do not fit the space.
    """
    legend = (*_legend_of(space, static), *(() if forced is None else (FORCED,)))
    data = geometry(space, legend, mode="static" * static + "forced" * (forced is not None))
    forced = np.zeros(space.n_paths, bool) if forced is None else np.asarray(forced, bool)
    data["path_forced"] = forced.tolist()
    names = [path["name"] for path in data["paths"]]
    cells = cell_words(space)
    if activations is None:
        data |= {
            "activation": [0.0] * space.n_paths,
            "path_kind": [""] * space.n_paths,
            "path_width": [0.0] * space.n_paths,
            "path_level": [0] * space.n_paths,
            "cell_kind": ["plain"] * space.n_cells,
        }
        path_text, cell_text = names, cells
    else:
        gates = np.nan_to_num(np.asarray(activations, dtype=np.float32))[None]
        (state,), (kind,) = cell_states(space, gates)
        (carried,), (is_open,) = sent(space, gates), open_paths(space, gates)
        values = gates[0].astype(float)
        widths, levels = stroke(values)
        passed = (state[space.source] == STATES.index("closed")) & space.passes
        blind = is_open & (carried != INPUTS.index("image"))
        used = ~((kind != INPUTS.index("image")) & static)
        passed &= used[space.source]
        kinds = [f"{STATES[s]} {INPUTS[k]}" for s, k in zip(state, kind, strict=True)]
        data |= {
            "activation": np.round(values, 4).tolist(),
            "path_kind": np.select([blind, is_open, passed], ["blind", "open", "passed"], "").tolist(),
            "path_width": np.where(is_open, widths, PASSED).tolist(),
            "path_level": levels.tolist(),
            "cell_kind": np.where(used, kinds, "unreached none").tolist(),
        }
        verdicts = np.select(
            [~used[space.source], state[space.source] == STATES.index("unreached"), is_open, passed],
            [f"cell {UNUSED}", "cell unreached", "open", "cell closed, passes its input on"],
            "shut",
        )
        # Where nothing sends zeros, whatever is reached is given the image, or the token.
        path_text = [
            f"{name}\nactivation {value:.4g}{', forced' * here}: {verdict}{f', {SENT_WORDS[code]}' * space.zeros}"
            for name, value, here, verdict, code in zip(names, values, forced.tolist(), verdicts, carried, strict=True)
        ]
        told = [
            f"{STATES[s]}; {INPUT_WORDS[k]}" if space.zeros else STATES[s] for s, k in zip(state, kind, strict=True)
        ]
        cell_text = [
            f"{cell}\n{words if here else UNUSED}" for cell, words, here in zip(cells, told, used, strict=True)
        ]
    return data | {"path_text": annotated(path_text, path_notes), "cell_text": annotated(cell_text, cell_notes)}


def stroke(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Width in pixels and step of the colour ramp of paths, by values from 0 to 1, ``(path,)``."""
    return np.round(THIN + (THICK - THIN) * values, 2), np.rint(values * (RAMP_STEPS - 1)).astype(int)


def cell_words(space: RoutingSpace) -> list[str]:
    """Name and stride of every cell."""
    told = kind_of(space).row == "stride"
    return [
        f"{name}, stride {stride}" if told else name
        for name, stride in zip(space.cell_names, space.cells.stride, strict=True)
    ]


def annotated(texts: list[str], notes: Mapping[str, Sequence[object]] | None) -> list[str]:
    """Add a line to each text for each note; raises InputError where a note has too few or too many values."""
    texts = list(texts)
    for label, values in (notes or {}).items():
        if len(values) != len(texts):
            raise InputError(f"note {label!r} has {len(values)} values; the space needs {len(texts)}")
        texts = [f"{text}\n{label}: {value}" for text, value in zip(texts, values, strict=True)]
    return texts


def geometry(
    space: RoutingSpace,
    legend: Sequence[LegendEntry] = LEGEND,
    *,
    mode: str = "",
    strokes: Mapping[str, Stroke] | None = None,
    marks: Mapping[str, tuple[str, str, bool]] | None = None,
) -> dict[str, Any]:
    """All of a drawing but its paint, for one kind (``mode``) of drawing: see `lattice_data`."""
    data = places(space)
    items, lines = _legend(data["width"], legend)
    top = data["body"] + 12
    return data | {
        "digest": f"{space.digest}{mode}",
        "legend": [{**item, "y": item["line"] * LEGEND_LINE + top} for item in items],
        "height": data["body"] + lines * LEGEND_LINE + 4,
        "strokes": {kind: stroke._asdict() for kind, stroke in (strokes or STROKES).items()},
        "marks": {
            kind: {"d": d, "colour": colour, "filled": filled} for kind, (d, colour, filled) in (marks or MARKS).items()
        },
        "pin": PIN,
        "second": SECOND,
        "steps": RAMP_STEPS,
        "widths": [THIN, THICK],
        "path_forced": [False] * space.n_paths,
    }


def _legend_of(space: RoutingSpace, static: bool) -> tuple[LegendEntry, ...]:
    """The legend without what cannot occur in a space: inputs that are no image, paths along which input passes on."""
    never = set() if space.zeros and not static else {"zeros", "constant", "blind"}
    never |= set() if space.passes.any() else {"passed"}
    stops = not (space.passes.any() or space.bypass)
    other = {"closed image": "closed: nothing goes on"} if stops else {}
    other |= {"unreached none": UNUSED} if static else {}
    return tuple((sort, kind, other.get(kind, text)) for sort, kind, text in LEGEND if kind not in never)


def _legend(width: int, entries: Sequence[LegendEntry]) -> tuple[list[dict[str, Any]], int]:
    # Columns of one width hold whatever font the viewer has.
    columns = max(1, min(len(entries), (width - 12) // LEGEND_COLUMN))
    items = []
    for index, (sort, kind, text) in enumerate(entries):
        line, column = divmod(index, columns)
        x = 20 + column * ((width - 12) // columns)
        room = {"mark": 18, "marks": 18 + SECOND, "pin": 18, "path": 34, "candidate": 34, "ramp": 76}[sort]
        items.append({"sort": sort, "kind": kind, "text": text, "x": x, "line": line, "text_x": x + room})
    return items, line + 1
