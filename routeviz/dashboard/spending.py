"""What the images of a log spend in each part of their network, in cells that only zeros were sent to above all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from routeviz.costs import PARTS, asked_cells, cost_table, executed_parts, macs_by_part, starved_macs
from routeviz.dashboard.running import How
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.routelog import RouteLog

MOST_COUNTED = 20_000
"""Images of a log on which costs are averaged; of more, a sample evenly spread."""

_KINDS = dict(zip(("stem", "operation", "gate", "path", "decoder", "predictor"), (*PARTS, PARTS[-1]), strict=True))


class Spending:
    """MACs of a log's images, mean over them, all counted at one size.

    Parameters
    ----------
    log : RouteLog
    settings : mapping
        Configuration of the network; weights make no difference.
    how : How
        As the images entered it: a cell that was forced on all its paths asked no gate.
    size : (height, width)
    convention : str
    """

    def __init__(
        self, log: RouteLog, settings: Mapping[str, Any], how: How, size: tuple[int, int], convention: str
    ) -> None:
        self._net = RoutingNetwork(NetworkConfig.from_dict(dict(settings))).eval()
        asked = self._net.config.fixed_gates is None
        if how.forced is not None:
            asked = asked_cells(self._net.space, np.array(how.forced, float))
        self._asked, self._size, self._convention = asked, size, convention
        rows = np.unique(np.linspace(0, len(log) - 1, min(MOST_COUNTED, len(log))).astype(int))
        self.log = log.select(rows)  # and not itself: a stored log lets go of its gates

    @cached_property
    def parts(self) -> pd.DataFrame:
        """One row a part, as `CostTable.frame` has them: ``macs``, and of it ``starved`` and ``blind``.

        Starved cells are those that only zeros were sent to; with those that only they feed they are image-blind.
        """
        frame = cost_table(self._net, self._size, self._convention).frame()
        cells = {"macs": {}, "starved": {"starved": True}, "blind": {"image_blind": True}}
        run = {
            name: executed_parts(self._net, self.log.gates, with_gates=self._asked, **some).mean(axis=0)
            for name, some in cells.items()
        }
        return frame.assign(**{name: share * frame.macs for name, share in run.items()})

    @cached_property
    def kinds(self) -> pd.DataFrame:
        """One row for each of ``PARTS``: ``macs`` as the convention counts them, ``starved`` and ``blind``."""
        how = {"convention": self._convention, "with_gates": self._asked}
        counted = macs_by_part(self._net, self.log.gates, self._size, **how).mean()
        of_cells = self.parts.groupby(self.parts["part"].map(_KINDS))[["starved", "blind"]].sum()
        return counted.rename("macs").to_frame().join(of_cells)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row a cell: ``cell``; ``images``, share of them in which it is starved; ``macs``, spent there meanwhile.

        MACs are those of its operation, its gate and its paths.
        """
        space, starved = self.log.space, self.parts["starved"].to_numpy()
        kind = self.parts["part"].to_numpy()
        of_paths = np.bincount(space.source, starved[kind == "path"], minlength=space.n_cells)
        return pd.DataFrame(
            {
                "cell": space.cell_names,
                "images": self.log.states.starved.mean(axis=0),
                "macs": starved[kind == "operation"] + starved[kind == "gate"] + of_paths,
            }
        )

    @cached_property
    def most(self) -> int:
        """Position in `log` of the image that spends most in starved cells."""
        how = {"convention": self._convention, "with_gates": self._asked}
        return int(starved_macs(self._net, self.log.gates, self._size, **how).argmax())
