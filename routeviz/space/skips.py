"""Skips: where a feature leaves an open cell, and where closed cells bring it unchanged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from routeviz.space.route import Route
from routeviz.space.states import CLOSED, IMAGE, OPEN, sent

COLUMNS = ("from_layer", "from_scale", "to_layer", "to_scale", "cells", "carried_by")


def skips(route: Route) -> pd.DataFrame:
    """List the skips of a route: features of the image that closed cells carry on unchanged.

    Parameters
    ----------
    route : Route

    Returns
    -------
    DataFrame
        One row a skip, by where it leaves: ``from_layer``, ``from_scale``, the open cell it leaves; ``to_layer``,
        ``to_scale``, the cell it arrives at, or the decoder, which is a layer after the last; ``cells``, the number of
        cells that carry it; ``carried_by``, their state, ``"closed"``: no other cell lets a feature pass as it is.
    """
    space = route.space
    (state,), (kind,) = route.states
    (carried,) = sent(space, route.activations[None])
    passing = (state == CLOSED) & (kind == IMAGE)
    onward = {space.source[path]: path for path in np.flatnonzero(space.passes)}
    layer, scale = space.cells.layer.to_numpy(), space.cells.scale.to_numpy()
    rows = []
    into = (carried == IMAGE) & (state[space.source] == OPEN) & ~space.exits
    for path in np.flatnonzero(into & passing[space.target]):
        source, cell, length = space.source[path], space.target[path], 1
        # The pass path leads to the next cell of the skip, to the open cell where it ends, or out of the space.
        while passing[following := space.target[onward[cell]]] and following >= 0:
            cell, length = following, length + 1
        end = space.paths.iloc[onward[cell]]
        rows.append((layer[source], scale[source], end.target_layer, end.target_scale, length, "closed"))
    return pd.DataFrame(rows, columns=list(COLUMNS))
