"""PASCAL VOC 2012, the segmentation task."""

from pathlib import Path
from typing import ClassVar

from routeviz.datasets.files import FileDataset


def _palette_color(index: int) -> tuple[int, int, int]:
    """Colour of a class: its bits 0, 1, 2 (and 3, 4, 5 after them) are the leading bits of red, green and blue."""
    red, green, blue = ((index >> channel & 1) << 7 | (index >> channel + 3 & 1) << 6 for channel in range(3))
    return red, green, blue


class Voc(FileDataset):
    """PASCAL VOC 2012: photographs with 20 classes of objects and the background, 255 (objects' borders) ignored.

    Parameters
    ----------
    root : str or Path
        The folder that holds ``JPEGImages/``, ``SegmentationClass/`` and ``ImageSets/Segmentation/``: ``VOC2012``.
    split : str
        A list in ``ImageSets/Segmentation/``: ``train``, ``val``, ``trainval``, or ``test``, which has no labels.

    Raises
    ------
    DatasetError
        A folder, the list of the split, an image or a label is missing.

    References
    ----------
    Everingham et al., "The PASCAL visual object classes challenge: a retrospective", 2015.
    """

    name = "voc"
    layout = "JPEGImages/NAME.jpg, SegmentationClass/NAME.png and ImageSets/Segmentation/SPLIT.txt, a NAME a line"
    class_names = (
        "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
        "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
    )  # fmt: skip
    class_colors = tuple(_palette_color(i) for i in range(21))
    ignore_index = 255
    label_ids: ClassVar = {i: i for i in (*range(21), 255)}

    def __init__(self, root: str | Path | None, split: str = "val") -> None:
        lists = self._listing(root, "ImageSets/Segmentation")
        if f"{split}.txt" not in lists:
            raise self._error(root, f"ImageSets/Segmentation/{split}.txt is missing, there are {', '.join(lists)}")
        ids = Path(root, "ImageSets/Segmentation", f"{split}.txt").read_text(encoding="utf-8").split()
        labels = None if split == "test" else [f"SegmentationClass/{name}.png" for name in ids]
        super().__init__(root, split, [f"JPEGImages/{name}.jpg" for name in ids], labels, ids)
