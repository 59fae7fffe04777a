"""Any folder of images."""

import os
from pathlib import Path

from routeviz.datasets.files import FileDataset
from routeviz.datasets.images import IMAGE_SUFFIXES


class Folder(FileDataset):
    """The images of a folder and of the folders below it, without labels.

    An image's id is its file, relative to the folder. Hidden files and folders are left out.

    Parameters
    ----------
    root : str or Path
    split : str
        Of no effect: the folder is one whole.

    Raises
    ------
    DatasetError
        The folder is missing, or there is no image in it.
    """

    name = "folder"
    layout = f"images ({', '.join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))}), in folders of any depth"

    def __init__(self, root: str | Path | None, split: str = "val") -> None:
        self._listing(root)
        images = []
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            images += [
                Path(folder, name).relative_to(root).as_posix()
                for name in files
                if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")
            ]
        images.sort()
        super().__init__(root, split, images, None, images)
