"""The words on the screen, each explained once, and numbers written the same way everywhere; no streamlit."""

from __future__ import annotations

import math
import re

from routeviz import quantities
from routeviz.quantities import of_rows
from routeviz.space import OPEN_THRESHOLD, RoutingSpace, kind_of
from routeviz.space.kinds import is_lattice

WORDS = {
    "training run": "The folder that a training leaves: its settings, what was measured along it, and its checkpoints.",
    "front": (
        "mIoU and MACs of one trained network as more and more of its paths are closed: under a threshold, a path "
        "shuts for the images that open it no further; greedily, it shuts for all. No weight changes. A point is "
        "efficient where no other beats it."
    ),
    "job": (
        "Long work as a process of its own: it goes on when this page is closed and when the dashboard ends. Jobs and "
        "their results are seen by all who open this dashboard, unless something was uploaded for them: then by the "
        "browser that it came from alone."
    ),
    "only here": (
        "Pictures or weights were uploaded for this job: it and its result are seen in this browser alone. Share shows "
        "them to all who open this dashboard."
    ),
    "loss": "What the training lowers: cross-entropy, and with a budget the budget's loss.",
    "expected MACs": (
        "MACs with each gate's activation as a weight, counted as the released code does. A budget steers these; what "
        "an image really costs follows from the paths that are open."
    ),
    "budget": (
        "λ weighs it, μ is the share of the whole space's expected cost that it steers to. It acts on the expected "
        "cost, not on the real one."
    ),
    "static architecture": "A fixed route, such as U-Net's. Trained alone, it has no gates and no budget.",
    "step": "Optimizer steps taken. What is shown is the last that was measured, or saved, up to this step.",
    "route log": "Many routes, each with a row of facts, the routing space, and where all of it came from.",
    "checkpoint": "The weights of a routing network at one step of its training.",
    "route": "All activations of one image, in the order of the routing space's paths.",
    "activation": f"The gate's value for a path, from 0 to 1. A path is open above {OPEN_THRESHOLD:g}.",
    "cell": "A node of the routing space: a layer and a scale. A cell is open, closed or unreached.",
    "path": "A way from a cell to one of the next layer: up to a finer scale, keep, or down to a coarser one.",
    "closed": "All paths of the cell are shut: its operation is dropped and its input passes on at the same scale.",
    "unreached": "Nothing was sent to the cell: it computes nothing, not even its gate.",
    "image-blind": (
        "The cell's input holds nothing of the image: zeros (a starved cell) or a constant that comes from starved "
        "cells alone. It is computed all the same."
    ),
    "small gate": (
        "A gate that sees its input resized by 1/4. The weights of both kinds look alike, so a released checkpoint "
        "does not tell which it has; those trained with a budget (A, B, C) have the small gate."
    ),
    "MACs": (
        "Multiply-adds that this route needs. conv: convolutions only, as they run. fvcore: what fvcore counts. "
        "released: what the published code counts, with its quirks."
    ),
    "mIoU": "Mean, over the classes present in the label, of intersection over union between label and segmentation.",
    "pixel accuracy": "Share of the labelled pixels whose class is right.",
    "time": (
        "Each cell's operation and gate, and each path, run by themselves on random features of this image's size, on "
        "the machine of the dashboard, in rounds that run every part once; weights make no difference. MACs say only "
        "part of it: every part takes some time whatever its MACs."
    ),
    "forced": (
        "Paths and cells whose activation is set by hand, from 0 (shut) to 1. All other gates are asked again, so "
        "paths further on may change too. A cell that is shut on all its paths is closed: it passes its input on."
    ),
    "changed pixels": "Share of the image's pixels that get another class than in the original.",
    "importance": (
        "What closing a path alone, and no other, does. All other gates are asked as usual, so that those further on "
        "may answer otherwise; MACs can grow where they then open more."
    ),
    "importance job": (
        "Either way images are sent through the checkpoint, and their routes become a log. To close each path in turn "
        "takes a run for every path that an image opens; What if then shows which paths matter over all of the images."
    ),
    "distance": (
        "jaccard: 1 − sum of the smaller activations / sum of the larger ones, over all paths; 0 for equal routes. "
        "hamming: share of the paths that one side opens and the other does not."
    ),
    "threshold": "Hides paths below an activation. It only hides them: the network does not run again.",
}


_TOLD = {
    "starved": "image-blind",
    "constant": "image-blind",
    "image-blind": "image-blind",
    "closed": "closed",
    "passed on": "closed",
    "unreached": "unreached",
    "forced": "forced",
    "activation": "activation",
    "cell": "cell",
    "path": "path",
    "open in": "path",
}
"""What a word in the legend of a lattice is about, the narrower before the wider."""

_DECIDED = {
    "chain": "running a block, or leaving it out",
    "exits": "going on from a block, or leaving there",
    "experts": "an expert of a layer",
    "branches": "a branch, or an operation of a block",
    "channels": "a group of a layer's channels",
    "cellgraph": "an operation between two nodes",
}
"""What a path is in spaces of other kinds."""

UNKNOWN = "—"


def explain(term: str, space: RoutingSpace, rows: str = "images") -> str:
    """The explanation of a word on the screen, in the words of a space and of what the rows of its log are."""
    known = WORDS
    if not is_lattice(space):
        way = _DECIDED.get(space.kind, "a way from a cell to another")
        ends = "its input passes on" if space.passes.any() or space.bypass else "nothing goes on from it"
        known = WORDS | {
            "cell": f"Where the network decides: a {kind_of(space).column}. A cell is open, closed or unreached.",
            "path": f"What a gate decides over: in this space, {way}.",
            "closed": f"All paths of the cell are shut, and {ends}.",
            "MACs": "Multiply-adds that this route needs: of convolutions, matrix products and attention, as they run.",
        }
    return of_rows(known[term], rows)


def hint(text: str, space: RoutingSpace) -> str:
    """The explanation of what a legend names; empty where its words say all."""
    return next((explain(term, space) for word, term in _TOLD.items() if word in text), "")


def short(number: float) -> str:
    """A count in three digits and a unit: ``1.23 G``; a dash for what is not known."""
    if number is None or math.isnan(number):
        return UNKNOWN
    return quantities.quantity(number, "#.3g", ".3g").replace(". ", " ")


def percent(share: float) -> str:
    """A share in percent, one decimal; a dash for what is not known."""
    return quantities.percent(share, unit="%", unknown=UNKNOWN)


def plain(text: object) -> str:
    """Text from a file, escaped so that Markdown shows it as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]#|~<>:$&@^]|(?<=www)\.|^[-+]|(?<=\d)[.)](?= ))", r"\\\1", " ".join(str(text).split()))
