"""The processes of one trace: one, or those that torchrun started."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from torch import distributed

from routeviz.errors import RoutevizError

# Ranks meet only at the start and at the end, and the last one may take long; torchrun ends them all when one dies.
_PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class Ranks:
    """This process's place among all."""

    rank: int
    size: int
    group: Any = None

    @property
    def first(self) -> bool:
        """Whether this process leads."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            distributed.barrier(self.group)

    def in_turn(self, work: Callable[[], Any]) -> Any:
        """Do work on the first process, then on the others; a `RoutevizError` of the first is raised on all."""
        result, failure = None, [None]
        if self.first:
            try:
                result = work()
            except RoutevizError as error:
                failure = [error]
        if self.size > 1:
            distributed.broadcast_object_list(failure, src=0, group=self.group)
        if failure[0] is not None:
            raise failure[0]
        if not self.first:
            result = work()
        self.wait()
        return result


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the processes that torchrun started, or be the only one; gloo, as only a few numbers are passed around."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks(0, 1)
        return
    if not distributed.is_initialized():
        # Kept until the process ends: joining again after leaving meets what is left of the first time, and can hang.
        distributed.init_process_group("gloo", timeout=_PATIENCE)
        atexit.register(_leave)
    group = distributed.new_group(backend="gloo", timeout=_PATIENCE)
    yield Ranks(distributed.get_rank(), distributed.get_world_size(), group)


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()
