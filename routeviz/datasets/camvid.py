"""CamVid, in the layout and the 11 classes of SegNet."""

from pathlib import Path
from typing import ClassVar

from routeviz.datasets.files import FileDataset


class CamVid(FileDataset):
    """CamVid: road scenes with 11 classes, id 11 ignored.

    Parameters
    ----------
    root : str or Path
        The folder that holds ``train/``, ``trainannot/``, ``val/``, ``valannot/`` (and ``test/``, ``testannot/``).
    split : str
        ``train``, ``val`` or ``test``.

    Raises
    ------
    DatasetError
        A folder or a label is missing.

    References
    ----------
    Brostow, Fauqueur, Cipolla, "Semantic object classes in video", 2009; the split and classes are those of
    Badrinarayanan, Kendall, Cipolla, "SegNet", 2017.
    """

    name = "camvid"
    layout = "train/ and trainannot/, val/ and valannot/ (test/ and testannot/), a label NAME.png for each image NAME"
    class_names = (
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
    )  # fmt: skip
    class_colors = (
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    )  # fmt: skip
    ignore_index = 11
    label_ids: ClassVar = {i: i for i in range(12)}

    def __init__(self, root: str | Path | None, split: str = "val") -> None:
        images = self._image_names(root, split)
        ids = [Path(image).stem for image in images]
        super().__init__(
            root, split, [f"{split}/{image}" for image in images], [f"{split}annot/{name}.png" for name in ids], ids
        )
