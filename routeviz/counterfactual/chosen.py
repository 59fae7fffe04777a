"""Some images of a dataset, as a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from routeviz.errors import place_of


class Chosen:
    """Some images of a dataset, by their ids, as a dataset; raises InputError where it has no image of an id."""

    def __init__(self, dataset: Any, ids: Sequence[str]) -> None:
        known = list(getattr(dataset, "ids", None) or ())
        self._dataset = dataset
        self._rows = [place_of(id_, known, "the dataset") for id_ in ids]
        self.ids = list(ids)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what a copy of it asks for before it has a dataset
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        return self._dataset[self._rows[index]]

    def facts(self, index: int) -> dict[str, Any]:
        """What the dataset tells of an image without decoding it."""
        return self._dataset.facts(self._rows[index]) if hasattr(self._dataset, "facts") else {}
