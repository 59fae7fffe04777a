"""Spaces of other kinds of network: chains, exits, parallel ways and cell graphs, and what their parts are called.

What everything else knows of a space are its tables and three rules: along what a closed cell passes its input on
(``pass_move``), whether it does so beside its paths (``bypass``), and whether an open cell sends zeros along paths that
are shut (``zeros``). A path is what a gate decides; a cell is where it decides.

=============  ================================  ==================================  =============================
kind           a cell is                         a path is                           a closed cell
=============  ================================  ==================================  =============================
``chain``      a block                           running it                          is skipped: passes its input on
``exits``      a block with a classifier         going on, or leaving                ends the way
``experts``    a layer with a router             an expert                           passes its input on beside them
``branches``   a place where ways part           a branch                            ends the way
``channels``   a layer with channels in groups   a group                             ends the way
``cellgraph``  a node                            an operation to another node        ends the way
=============  ================================  ==================================  =============================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from routeviz.errors import InputError
from routeviz.space.space import CELL_COLUMNS, PATH_COLUMNS, RoutingSpace

Edge = tuple[int, int]


@dataclass(frozen=True)
class Kind:
    """What a kind of space is called and how it is laid out.

    Attributes
    ----------
    title : str
        The space in words.
    layout : str
        ``"grid"`` (layers across, scales down), ``"lanes"`` (each path in a row of its own between two cells) or
        ``"arcs"`` (nodes in a row, paths as arcs).
    column, row : str
        What stands on the axes.
    source, sink : str
        Where cells are fed from, and what the paths that leave the space lead to.
    """

    title: str
    layout: str
    column: str
    row: str
    source: str
    sink: str

    @property
    def rows(self) -> str:
        """The plural of what stands on the axis down: experts, branches, groups; empty where nothing does."""
        return self.row and f"{self.row}{'es' if self.row.endswith('ch') else 's'}"


KINDS = {
    "lattice": Kind("lattice of layers and scales", "grid", "layer", "stride", "stem", "decoder"),
    "chain": Kind("chain of blocks that can be skipped", "grid", "block", "stride", "stem", "head"),
    "exits": Kind("blocks with exits", "grid", "block", "", "stem", "exits"),
    "experts": Kind("layers of experts", "lanes", "layer", "expert", "input", "head"),
    "branches": Kind("branches", "lanes", "part", "branch", "stem", "head"),
    "channels": Kind("layers of channel groups", "lanes", "layer", "group", "stem", "head"),
    "cellgraph": Kind("graph of nodes and operations", "arcs", "node", "operation", "input", "output"),
}
"""What each kind of space is called; a kind that is not here is taken for a lattice."""


def kind_of(space: RoutingSpace) -> Kind:
    """What a space is called and how it is laid out."""
    return KINDS.get(space.kind, KINDS["lattice"])


def is_lattice(space: RoutingSpace) -> bool:
    """Whether a space is described and laid out as a lattice."""
    return kind_of(space) is KINDS["lattice"]


def extent(space: RoutingSpace) -> str:
    """How large a space is, in words."""
    what = f"layers 0 to {space.layers}" if is_lattice(space) else kind_of(space).title
    return f"{what}, {space.n_cells} cells, {space.n_paths} paths"


def chain_space(
    blocks: int, *, strides: Sequence[int] | None = None, channels: Sequence[int] | None = None
) -> RoutingSpace:
    """Build the space of a chain of blocks, each of which runs or is skipped (SkipNet, BlockDrop, ConvNet-AIG).

    A cell is a block; its one path, ``run``, is open where the block runs. A closed cell passes its input on unchanged:
    that is the shortcut of a residual block.

    Parameters
    ----------
    blocks : int
    strides : sequence of int, optional
        Input pixels per feature at each block, 1 by default; blocks of one stride are drawn in one row.
    channels : sequence of int, optional
        Of each block's output; 1 by default.

    Raises
    ------
    InputError
        If there are no blocks, or not as many strides or channels.
    """
    strides, channels = _each(blocks, strides, "strides"), _each(blocks, channels, "channels")
    rows = sorted(set(strides))
    scales = [rows.index(stride) for stride in strides]
    cells = [(at, *values) for at, values in enumerate(zip(scales, strides, channels, strict=True))]
    paths = [(at, scale, "run", at + 1, scales[min(at + 1, blocks - 1)]) for at, scale in enumerate(scales)]
    return _space("chain", cells, paths, [f"block {at}" for at in range(blocks)], pass_move="run")


def exits_space(
    blocks: int, *, strides: Sequence[int] | None = None, channels: Sequence[int] | None = None
) -> RoutingSpace:
    """Build the space of a network with early exits (BranchyNet, MSDNet): a route is where the image leaves.

    A cell is a block with its classifier; its paths are ``on``, to the next block, and ``leave``, by which the answer
    of this classifier is taken. What comes after an exit is unreached. `exit_gates` makes routes of exits.

    Parameters are those of `chain_space`.
    """
    strides, channels = _each(blocks, strides, "strides"), _each(blocks, channels, "channels")
    cells = [(at, 0, stride, width) for at, (stride, width) in enumerate(zip(strides, channels, strict=True))]
    on = [(at, 0, "on", at + 1, 0) for at in range(blocks - 1)]
    leave = [(at, 0, "leave", at, 1) for at in range(blocks)]
    paths = sorted(on + leave, key=lambda path: path[0])
    return _space("exits", cells, paths, [f"block {at}" for at in range(blocks)])


def exit_gates(space: RoutingSpace, exits: Sequence[int] | np.ndarray) -> np.ndarray:
    """Give the activations of images that leave after given blocks.

    Parameters
    ----------
    space : RoutingSpace
        Of `exits_space`.
    exits : array-like, (image,) int
        Number of the block whose classifier answers.

    Returns
    -------
    ndarray, (image, path) float32
        1 where an image goes on or leaves, 0 where it could and does not; NaN where it does not come.

    Raises
    ------
    InputError
        If an exit is not in the space.
    """
    exits = np.asarray(exits)
    if exits.ndim != 1 or (exits.size and not 0 <= exits.min() <= exits.max() < space.n_cells):
        raise InputError(f"exits {exits!r}; give one of 0 to {space.n_cells - 1} for each image")
    at = space.source
    leaves = np.array([move == "leave" for move in space.moves])
    taken = np.where(leaves, at == exits[:, None], at < exits[:, None])
    return np.where(at > exits[:, None], np.nan, taken).astype(np.float32)


def experts_space(layers: int, experts: int, *, width: int = 1, residual: bool = True) -> RoutingSpace:
    """Build the space of a mixture of experts: in each layer a router chooses some of the experts for a token.

    A cell is a layer's router; its paths are ``expert 0``, ``expert 1``, ..., all to the next layer. A route is that
    of one token (or of one image, where whole images are routed).

    Parameters
    ----------
    layers, experts : int
    width : int
        Numbers that a token is made of.
    residual : bool
        Whether a token that no expert takes (dropped, as its expert was full) goes on unchanged.

    Raises
    ------
    InputError
        If there is not at least one of each.
    """
    return _parallel("experts", ["layer"] * layers, "expert", [experts] * layers, width=width, bypass=residual)


def branches_space(branches: int | Sequence[int], *, width: int = 1) -> RoutingSpace:
    """Build the space of branches, some of which are chosen for each image (HydraNets).

    Parameters
    ----------
    branches : int, or sequence of int
        Branches at the one place where ways part, or at each of several places, one after the other.
    width : int
        Channels of what the branches are given.
    """
    counts = [branches] if isinstance(branches, int) else list(branches)
    return _parallel("branches", ["part"] * len(counts), "branch", counts, width=width)


def channels_space(groups: Sequence[int], *, strides: Sequence[int] | None = None, width: int = 1) -> RoutingSpace:
    """Build the space of channel groups that are gated layer by layer (Runtime Neural Pruning).

    Parameters
    ----------
    groups : sequence of int
        Number of groups in each layer.
    strides : sequence of int, optional
        Input pixels per feature in each layer; 1 by default.
    width : int
        Channels of a group.
    """
    return _parallel("channels", ["layer"] * len(groups), "group", list(groups), width=width, strides=strides)


def choices_space(choices: Sequence[Sequence[str]], *, strides: Sequence[int] | None = None) -> RoutingSpace:
    """Build the space of a network of choice blocks, of which one operation each is sampled (single-path one-shot).

    Parameters
    ----------
    choices : sequence of sequence of str
        For each block the names of its operations.
    strides : sequence of int, optional
        Input pixels per feature at each block; 1 by default.
    """
    names = [f"block {at}" for at in range(len(choices))]
    return _ways("branches", names, [list(block) for block in choices], width=1, strides=strides)


def cell_graph_space(
    edges: Sequence[Edge], operations: Sequence[str], *, inputs: int = 1, outputs: Sequence[int] | None = None
) -> RoutingSpace:
    """Build the space of an architecture-search cell: on each edge between nodes one of several operations (DARTS).

    Parameters
    ----------
    edges : sequence of (int, int)
        From a node to a later one.
    operations : sequence of str
        Candidates on every edge; not "none", which is to choose no operation.
    inputs : int
        The first so many nodes are fed from outside.
    outputs : sequence of int, optional
        Nodes whose sum or concatenation leaves the cell, by a path ``out`` each; by default the last node alone.

    Raises
    ------
    InputError
        If an edge leads backwards, nodes are missing, there is nothing to choose from, or an operation or output is
        given twice.
    """
    n_nodes = max((target for _, target in edges), default=0) + 1
    outputs = [n_nodes - 1] if outputs is None else list(outputs)
    if not edges or not operations or not all(0 <= a < b for a, b in edges) or len(set(edges)) < len(edges):
        raise InputError("a cell graph needs operations and different edges, each from a node to a later one")
    if not 1 <= inputs <= n_nodes or not all(0 <= node < n_nodes for node in outputs):
        raise InputError(f"{inputs} inputs and outputs {outputs} of a graph of {n_nodes} nodes")
    cells = [(node, 0, 1, 1) for node in range(n_nodes)]
    steps = [(a, operation, b) for a, b in sorted(edges) for operation in operations]
    steps += [(node, "out", n_nodes) for node in outputs]
    steps.sort(key=lambda step: step[0])
    paths = [(a, 0, operation, b, int(b == n_nodes)) for a, operation, b in steps]
    labels = [f"node {a} out" if b == n_nodes else f"node {a} to {b} {operation}" for a, operation, b in steps]
    cells = pd.DataFrame(cells, columns=CELL_COLUMNS).assign(name=[f"node {node}" for node in range(n_nodes)])
    if inputs > 1:
        cells = cells.assign(fed=[node < inputs for node in range(n_nodes)])
    paths = pd.DataFrame(paths, columns=PATH_COLUMNS).assign(name=labels)
    return RoutingSpace("cellgraph", cells, paths, "", zeros=False)


def _parallel(
    kind: str, words: Sequence[str], way: str, counts: Sequence[int], *, width: int, strides=None, bypass: bool = False
) -> RoutingSpace:
    names = [f"{word} {at}" for at, word in enumerate(words)]
    ways = [[f"{way} {number}" for number in range(count)] for count in counts]
    return _ways(kind, names, ways, width=width, strides=strides, bypass=bypass)


def _ways(
    kind: str, names: Sequence[str], ways: Sequence[Sequence[str]], *, width: int, strides=None, bypass: bool = False
) -> RoutingSpace:
    """Cells one after the other, each with several paths to the next."""
    if not names or not all(ways):
        raise InputError(f"{len(names)} cells with {[len(way) for way in ways]} ways; each needs at least one")
    strides = _each(len(names), strides, "strides")
    cells = [(at, 0, stride, width) for at, stride in enumerate(strides)]
    paths = [(at, 0, move, at + 1, 0) for at, moves in enumerate(ways) for move in moves]
    return _space(kind, cells, paths, names, bypass=bypass)


def _space(
    kind: str,
    cells: list[tuple],
    paths: list[tuple],
    names: Sequence[str],
    *,
    pass_move: str = "",
    bypass: bool = False,
) -> RoutingSpace:
    return RoutingSpace(
        kind,
        pd.DataFrame(cells, columns=CELL_COLUMNS).assign(name=list(names)),
        pd.DataFrame(paths, columns=PATH_COLUMNS),
        pass_move,
        bypass=bypass,
        zeros=False,
    )


def _each(n: int, values: Sequence[int] | None, what: str) -> list[int]:
    """One number for each of n blocks."""
    if n < 1:
        raise InputError(f"{n} blocks; give at least one")
    values = [1] * n if values is None else [int(value) for value in values]
    if len(values) != n:
        raise InputError(f"{len(values)} {what} for {n} blocks; give one for each")
    return values
