"""The base of every dataset that lies in a folder, and what its readers share when they look at the layout."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from routeviz.datasets.images import IMAGE_SUFFIXES, read_image, read_label
from routeviz.datasets.sample import Sample
from routeviz.errors import DatasetError


class FileDataset:
    """Images, and labels where there are, found in a folder; nothing is decoded before it is asked for.

    Parameters
    ----------
    root : Path
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
    class_names, class_colors : tuple
        Name and RGB colour (0 to 255) of each class, in the order of the class indices.
    ignore_index : int
        What unlabelled pixels hold.
    label_ids : dict of int to int
        Every id that a label file may hold, and the class index (or `ignore_index`) that it stands for.
    root, split, options
        What the dataset was opened with.
    """

    name: ClassVar[str]
    layout: ClassVar[str]
    class_names: ClassVar[tuple[str, ...]] = ()
    class_colors: ClassVar[tuple[tuple[int, int, int], ...]] = ()
    ignore_index: ClassVar[int] = 255
    label_ids: ClassVar[dict[int, int]] = {}

    def __init__(
        self, root: Path, split: str, images: Sequence[str], labels: Sequence[str] | None, ids: Sequence[str]
    ) -> None:
        self.root, self.split, self.options = str(root), split, {}
        self.ids = list(ids)
        self._images = list(images)
        self._labels = None if labels is None else list(labels)
        # -1 marks an id that this dataset does not know.
        self._classes = np.full(256, -1, np.int16)
        self._classes[list(self.label_ids)] = list(self.label_ids.values())

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
        file = self._images[index]
        image = read_image(Path(self.root, file))
        label = None if self._labels is None else self._label(Path(self.root, self._labels[index]), image.shape[:2])
        return Sample(image=image, label=label, id=self.ids[index], file=file)

    def facts(self, index: int) -> dict[str, Any]:
        """What is known of one image without decoding it: nothing, for files."""
        return {}

    def _label(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        ids = read_label(path)
        if ids.shape != size:
            (h, w), (height, width) = ids.shape, size
            raise DatasetError(f"{path} is {w}x{h} pixels, its image is {width}x{height}: they must be of one size")
        label = self._classes[ids]
        if label.min() < 0:
            unknown = np.unique(ids[label < 0]).tolist()
            raise DatasetError(f"{path} holds the ids {unknown}, {self.name} knows {sorted(self.label_ids)}")
        return label.astype(np.uint8)


def checked_root(root: str | Path | None, dataset: type[FileDataset]) -> Path:
    """Return the dataset's folder as a path, or say what is expected of it.

    Raises
    ------
    DatasetError
        No folder is given, or there is none at this place.
    """
    if root is None:
        raise DatasetError(f"{dataset.name} needs the folder it lies in (root); expected there: {dataset.layout}")
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"there is no folder {root}; expected there: {dataset.layout}")
    return root


def require_folder(path: Path, dataset: type[FileDataset]) -> Path:
    """Return `path`, or raise a DatasetError that names it and says what the dataset's layout is."""
    if not path.is_dir():
        raise DatasetError(f"{dataset.name}: the folder {path} is missing; expected: {dataset.layout}")
    return path


def require_files(files: Iterable[str], present: set[str], folder: Path, dataset: type[FileDataset]) -> None:
    """Raise a DatasetError that names the first of `files` that is not among those `present` in `folder`."""
    missing = [file for file in files if file not in present]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DatasetError(f"{dataset.name}: {folder / missing[0]}{more} is missing; expected: {dataset.layout}")


def image_files(folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES) -> list[str]:
    """Names of the image files that lie in a folder, sorted; hidden files are left out."""
    return sorted(
        path.name for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )
