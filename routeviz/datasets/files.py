"""The base of every dataset that lies in a folder."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from routeviz.datasets.images import IMAGE_SUFFIXES, read_image, read_label
from routeviz.datasets.sample import Sample
from routeviz.errors import DatasetError


class FileDataset:
    """Images, and labels where there are, found in a folder; nothing is decoded before it is asked for.

    Parameters
    ----------
    root : str, Path or None
        The dataset's folder.
    split : str
    images : sequence of str
        Image files, relative to `root`, with forward slashes.
    labels : sequence of str, or None
        Label file of each image; None where the dataset has no labels.
    ids : sequence of str
        A unique name of each image.

    Attributes
    ----------
    name : str
        The dataset's name in ``DATASETS``.
    layout : str
        What its folder must hold, for messages.
    class_names, class_colors : tuple
        Name and RGB colour (0 to 255) of each class, in the order of the class indices.
    ignore_index : int
        What unlabelled pixels hold.
    label_ids : dict of int to int
        Every id that a label file may hold, and the class index (or `ignore_index`) that it stands for.
    ids : list of str
        A unique name of each image.
    root, split, options
        What the dataset was opened with.

    Raises
    ------
    DatasetError
        There is no image, or a folder or file is missing; the message names it.
    """

    name: ClassVar[str]
    layout: ClassVar[str]
    class_names: ClassVar[tuple[str, ...]] = ()
    class_colors: ClassVar[tuple[tuple[int, int, int], ...]] = ()
    ignore_index: ClassVar[int] = 255
    label_ids: ClassVar[dict[int, int]] = {}

    def __init__(
        self,
        root: str | Path | None,
        split: str,
        images: Sequence[str],
        labels: Sequence[str] | None,
        ids: Sequence[str],
    ) -> None:
        self.root, self.split, self.options = str(root), split, {}
        self.ids, self._images, self._labels = ids, images, labels
        if not images:
            raise self._error(root, f"there is no image of the split {split!r}")
        if len(set(ids)) < len(ids):
            raise self._error(root, f"the split {split!r} holds {len(ids)} images but {len(set(ids))} names")
        # One listing of each folder is quicker than a look at each file.
        wanted = [PurePosixPath(file) for file in (*images, *(labels or ()))]
        present = {folder: set(self._listing(root, folder)) for folder in {file.parent for file in wanted}}
        missing = [file for file in wanted if file.name not in present[file.parent]]
        if missing:
            raise self._error(root, f"{missing[0]} is missing ({len(missing)} of {len(wanted)} files are)")

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        """Decode one image and its label.

        Raises
        ------
        DatasetError
            The image or its label cannot be read, or they do not fit each other; the message names the file.
        IndexError
            `index` is outside the dataset.
        """
        image_file, *label_file = self.files(index)
        image = read_image(image_file)
        label = self._label(*label_file, image.shape[:2]) if label_file else None
        return Sample(image=image, label=label, id=self.ids[index], file=self._images[index])

    def files(self, index: int) -> list[Path]:
        """The file of one image, and that of its label where it has one."""
        return [Path(self.root, names[index]) for names in (self._images, self._labels) if names is not None]

    def facts(self, index: int) -> dict[str, Any]:
        """What is known of one image without decoding it: nothing, for files."""
        return {}

    def _label(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        ids = read_label(path)
        if ids.shape != size:
            raise DatasetError(f"{path} is of size {ids.shape}, its image {size} (height, width); they must be equal")
        table = np.full(256, -1, np.int16)
        table[list(self.label_ids)] = list(self.label_ids.values())
        label = table[ids]
        if label.min() < 0:
            unknown = np.unique(ids[label < 0]).tolist()
            raise DatasetError(f"{path} holds the ids {unknown}; {self.name} knows {sorted(self.label_ids)}")
        return label.astype(np.uint8)

    @classmethod
    def _listing(cls, root: str | Path | None, folder: str | PurePosixPath = ".") -> list[str]:
        """Names in a folder of the dataset, sorted, without hidden ones."""
        if root is None:
            raise DatasetError(f"{cls.name} needs the folder it lies in (root), with {cls.layout}")
        # A split, and the names in a list of it, come from elsewhere: from a log, from whoever packed the dataset.
        if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
            raise cls._error(root, f"{str(folder)!r} leads out of it")
        for path in (Path(root), Path(root, folder)):
            if not path.is_dir():
                raise cls._error(root, f"there is no folder {path}")
        return sorted(path.name for path in Path(root, folder).iterdir() if not path.name.startswith("."))

    @classmethod
    def _image_names(cls, root: str | Path | None, folder: str) -> list[str]:
        return [name for name in cls._listing(root, folder) if Path(name).suffix.lower() in IMAGE_SUFFIXES]

    @classmethod
    def _error(cls, root: str | Path | None, what: str) -> DatasetError:
        return DatasetError(f"{cls.name} in {root}: {what}; expected: {cls.layout}")
