"""The route log: many routes over one space, one row of facts per image, and where they came from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from routeviz.errors import InputError, LogError
from routeviz.routelog.header import plain, read_header
from routeviz.routelog.partcosts import PartCosts
from routeviz.routelog.shards import Skipped, check_rows
from routeviz.routelog.summary import summary_html
from routeviz.routelog.tally import Beside, Tally, Work, tally
from routeviz.routelog.writer import LogWriter
from routeviz.space import CellStates, Route, RoutingSpace
from routeviz.space.states import in_blocks
from routeviz.writing import draft_folder

SIZE = "input_size"
"""Column of a recorded log whose inputs have several sizes: that of the row's own, as `PartCosts.size_text` says it."""

ROW_UNITS = ("images", "tokens", "architectures")
"""What a row of a log may stand for, as its source says it in ``rows``."""


class RouteLog:
    """Routes of many images: the one container that every analysis takes. Not to be changed in place.

    Parameters
    ----------
    gates : array-like, (image, path) float32
        Activations in [0, 1] in the space's path order; NaN where the cell was unreached.
    images : DataFrame
        Facts, one row an image: a column ``id`` of unique text, and any others not called ``gates``.
    space : RoutingSpace
    source : dict, optional
        Where the routes come from, fit for JSON; `routeviz.trace` writes checkpoint, network, dataset, settings,
        routeviz (version) and schema.
    skipped : sequence of Skipped
        Images that could not be read; with the rows they make up the whole dataset.

    Raises
    ------
    InputError
        If the parts do not fit each other.
    """

    def __init__(
        self,
        gates: np.ndarray,
        images: pd.DataFrame,
        space: RoutingSpace,
        source: dict[str, Any] | None = None,
        *,
        skipped: Sequence[Skipped] = (),
    ) -> None:
        values = np.asarray(gates, dtype=np.float32).view()
        values.setflags(write=False)
        check_rows(values, images, space)
        self.space = space
        self.gates = values
        self.source: dict[str, Any] = plain(source or {})
        self.skipped = tuple(skipped)
        if len(self._kept()) != len(values):
            raise InputError(
                f"{len(self.skipped)} skipped images beside {len(values)} rows: each has its own index in a dataset of "
                f"{len(values) + len(self.skipped)} images"
            )
        self._images = images.reset_index(drop=True)

    @property
    def images(self) -> pd.DataFrame:
        """Facts, one row an image in the order of `gates`, without the gates; changing it does not change the log."""
        return self._images.copy(deep=False)

    def facts(self, *columns: str) -> pd.DataFrame:
        """Return some columns of `images`; of a stored log only these are read from disk."""
        if missing := [name for name in columns if name not in self.columns]:
            close = get_close_matches(missing[0], self.columns, n=1, cutoff=0.5)
            others = " and others" if len(self.columns) > 8 else ""
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(self.columns[:8])}{others}"
            raise InputError(f"this log has no column {missing[0]!r}; {hint}")
        return self._facts(columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `images`."""
        return tuple(self._images.columns)

    @property
    def rows_are(self) -> str:
        """What the rows are: ``images``; ``tokens`` where they name the image that each is of; or ``architectures``."""
        said = self.source.get("rows")
        return said if said in ROW_UNITS else ("tokens" if "image" in self.columns else "images")

    @property
    def states(self) -> CellStates:
        """State and kind of input of every cell for every image, each ``(image, cell)`` uint8."""
        return self.tally.states

    @cached_property
    def tally(self) -> Tally:
        """What all routes come to, from one pass over the gates."""
        return self._tally()

    def tally_with(self, beside: Beside) -> Tally:
        """Take the `tally` anew, and call ``beside(rows, flow)`` in the same pass, as `in_blocks` calls its work.

        ``flow`` is what the routes of these rows do, as `routeviz.space.states.flow` tells it but for activations in
        unreached cells, which are 0; it is not to be kept, as it changes afterwards.
        """
        self.__dict__["tally"] = found = self._tally(beside)
        return found

    def opened(self, rows: Any) -> np.ndarray:
        """Return which paths images open, ``(row, path)`` bool; ``rows`` are positions or a mask."""
        packed = self.tally.keys[rows]
        return np.unpackbits(packed, axis=1, count=self.space.n_paths).view(bool)

    def in_blocks(self, work: Work) -> None:
        """Call ``work(rows, gates)`` for some thousand images at a time, in any order and by several threads.

        The gates ``(image, path)`` of a stored log are read for this and let go, unless `gates` has read them all.
        """
        in_blocks(self.gates, work)

    @cached_property
    def all_costs(self) -> tuple[PartCosts, ...]:
        """What the parts of a recorded network cost, for each size of input; nothing where the log does not say."""
        said = self.source.get("costs") or []
        return tuple(PartCosts.from_dict(self.space, one) for one in (said if isinstance(said, list) else [said]))

    @property
    def costs(self) -> PartCosts | None:
        """What the parts of a recorded network cost; None where the log does not say, or has several sizes of input."""
        return self.all_costs[0] if len(self.all_costs) == 1 else None

    def costs_of(self, size: str) -> PartCosts | None:
        """What the parts cost for an input of a size, as `SIZE` names it in a row; None where the log does not say."""
        if len(self.all_costs) < 2:
            return self.costs
        return next((one for one in self.all_costs if one.size_text == size), None)

    def macs_by_part(self) -> pd.DataFrame:
        """MACs of each row by part, as `PartCosts.by_part` gives them for the input of the row.

        Raises
        ------
        InputError
            If the log does not say what the parts cost.
        """
        if not self.all_costs:
            raise InputError(
                "this log does not say what the parts of its network cost: give record costs=measure_macs(...)"
            )
        if len(self.all_costs) == 1:
            return self.costs.by_part(self.gates)
        sizes = self.facts(SIZE)[SIZE].to_numpy()
        parts = [(one, np.flatnonzero(sizes == one.size_text)) for one in self.all_costs]
        if sum(len(rows) for _, rows in parts) < len(self):
            raise InputError(f"rows of this log have an {SIZE} of which it does not say the costs; record them again")
        return pd.concat([one.by_part(self.gates[rows]).set_index(rows) for one, rows in parts]).sort_index()

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest: logs with one digest are equal. (A log in memory and its copy on disk have two.)"""
        digest = hashlib.sha256(json.dumps([self.space.digest, self.source, self.columns], sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.gates))
        digest.update(pd.util.hash_pandas_object(self._images, index=False).to_numpy())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.gates)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} {self.rows_are}, {self.space!r})"

    def _repr_html_(self) -> str:
        """What the log holds and where it comes from, where a notebook shows it."""
        return summary_html(self)

    def select(self, index: Any) -> RouteLog:
        """Return a log of some images, in memory.

        Parameters
        ----------
        index : array-like of bool or int, or slice
            A mask over the images, or positions, each at most once.

        Raises
        ------
        InputError
            If the mask has another length, or a position is not in the log or occurs twice.
        """
        rows = rows_of(index, len(self))
        return RouteLog(self.gates[rows], self._images.iloc[rows], self.space, self.source)

    def route(self, position: int) -> Route:
        """Return the route of one image, named by the image's id."""
        one = self.select([position])
        return Route(self.space, one.gates[0], name=one._images["id"][0], source=self._origin())

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the log to a folder: the folder appears whole, or not at all.

        Parameters
        ----------
        folder : path
            Parquet shards in ``rows`` and ``log.json``, as `routeviz.load_log` reads them.
        overwrite : bool
            Replace a route log that is there already; anything else is never replaced.

        Raises
        ------
        LogError
            If the folder exists, or cannot be written.
        """
        folder = Path(folder).resolve()
        exists = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        if exists and not overwrite:
            raise LogError(f"{folder} exists; choose another folder, or replace a log: save(folder, overwrite=True)")
        if exists:
            read_header(folder)
        kept = self._kept()
        try:
            with draft_folder(folder) as draft:
                fresh, old = draft / "new", draft / "old"
                with LogWriter(fresh, self.space, self.source, len(self) + len(self.skipped)) as writer:
                    for number in range(writer.n_shards):
                        block = writer.block(number)
                        rows = slice(*np.searchsorted(kept, (block.start, block.stop)))
                        skipped = [image for image in self.skipped if image.index in block]
                        writer.write(number, self.gates[rows], self._images.iloc[rows], skipped)
                    writer.finish()
                if exists:
                    os.rename(folder, old)
                try:
                    os.rename(fresh, folder)
                except OSError:
                    if exists:
                        os.rename(old, folder)
                    raise
        except OSError as error:
            raise LogError(f"cannot write {folder}: {error.strerror}; choose another folder") from error

    def _tally(self, beside: Beside | None = None) -> Tally:
        return tally(self.space, len(self), self.in_blocks, beside)

    def _facts(self, columns: Sequence[str]) -> pd.DataFrame:
        return self._images[list(columns)].copy(deep=False)

    def _kept(self) -> np.ndarray:
        """Positions in the dataset of the rows, ``(image,)``."""
        n_images = len(self) + len(self.skipped)
        return np.setdiff1d(np.arange(n_images), [image.index for image in self.skipped], assume_unique=True)

    def _origin(self) -> str:
        parts = [self.source.get(key) for key in ("checkpoint", "dataset")]
        names = [str(part.get("file") or part.get("name") or "") for part in parts if isinstance(part, dict)]
        return ", ".join(name for name in names if name)


def rows_of(index: Any, n: int) -> np.ndarray:
    """Positions of selected images, ``(selected,)`` intp, among ``n``; index and errors as of `RouteLog.select`."""
    if isinstance(index, slice):
        return np.arange(*index.indices(n))
    rows = np.asarray(index)
    if rows.dtype == bool:
        if rows.shape != (n,):
            raise InputError(f"a mask of shape {rows.shape}; this log has {n} images")
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise InputError("select images by a mask, a slice or a list of positions")
    if rows.size and not (-n <= rows.min() and rows.max() < n):
        raise InputError(f"positions {rows.min()} to {rows.max()}; this log has images 0 to {n - 1}")
    rows = rows.astype(np.intp) % max(n, 1)
    if len(np.unique(rows)) < len(rows):
        raise InputError("a position occurs twice, and the ids of a log are unique; select it once")
    return rows
