"""Progress of long work: a bar in the terminal, or numbers in a file where another program is to read them.

Where the environment variable ``ROUTEVIZ_PROGRESS`` names a file, nothing is drawn: the file then holds a JSON list of
the open bars, the outermost first, each with ``what``, ``unit``, ``done``, ``total``, and ``rate`` (a second; null
before it is known). It is replaced whole, as often as a terminal's bar would be.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from tqdm import tqdm

from routeviz.writing import whole_file

VARIABLE = "ROUTEVIZ_PROGRESS"


class Bar(tqdm):
    """A progress bar that is drawn or written down; arguments are those of ``tqdm.tqdm``."""

    open_bars: ClassVar[dict[int, dict[str, Any]]] = {}

    def __init__(self, *args: Any, **options: Any) -> None:
        path = os.environ.get(VARIABLE)
        self.path = None if path is None else Path(path)
        # A delay spares a terminal what is soon over; a file has its first numbers at once.
        super().__init__(*args, **options | ({} if path is None else {"delay": 0, "file": _Nowhere()}))

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Show how far this bar is; tqdm calls it whenever there is something new."""
        if self.path is None:
            return super().display(msg, pos)
        facts = self.format_dict
        done, elapsed = facts["n"], facts["elapsed"]
        self.open_bars[abs(self.pos)] = {
            "what": facts["prefix"],
            "unit": facts["unit"],
            "done": done,
            "total": facts["total"],
            "rate": facts["rate"] or (done - facts["initial"]) / elapsed or None if elapsed else None,
        }
        self._write()
        return True

    def close(self) -> None:
        """Show the last numbers; in a file they stay there, but for a bar within another one."""
        if self.disable or self.path is None:
            super().close()
            return
        self.display()
        place = abs(self.pos)
        super().close()
        if place:
            self.open_bars.pop(place)
            self._write()

    def _write(self) -> None:
        with whole_file(self.path, lasting=False) as draft:
            draft.write_text(json.dumps([self.open_bars[place] for place in sorted(self.open_bars)]), encoding="utf-8")


class _Nowhere:
    """Takes what is printed, and keeps nothing."""

    def write(self, text: str) -> None:
        pass

    def flush(self) -> None:
        pass
