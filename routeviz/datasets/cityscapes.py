"""Cityscapes, fine labels, in its 19 training classes."""

from pathlib import Path
from typing import ClassVar, NamedTuple

from routeviz.datasets.files import FileDataset


class _Class(NamedTuple):
    label_id: int
    name: str
    color: tuple[int, int, int]


_CLASSES = (
    _Class(7, "road", (128, 64, 128)),
    _Class(8, "sidewalk", (244, 35, 232)),
    _Class(11, "building", (70, 70, 70)),
    _Class(12, "wall", (102, 102, 156)),
    _Class(13, "fence", (190, 153, 153)),
    _Class(17, "pole", (153, 153, 153)),
    _Class(19, "traffic light", (250, 170, 30)),
    _Class(20, "traffic sign", (220, 220, 0)),
    _Class(21, "vegetation", (107, 142, 35)),
    _Class(22, "terrain", (152, 251, 152)),
    _Class(23, "sky", (70, 130, 180)),
    _Class(24, "person", (220, 20, 60)),
    _Class(25, "rider", (255, 0, 0)),
    _Class(26, "car", (0, 0, 142)),
    _Class(27, "truck", (0, 0, 70)),
    _Class(28, "bus", (0, 60, 100)),
    _Class(31, "train", (0, 80, 100)),
    _Class(32, "motorcycle", (0, 0, 230)),
    _Class(33, "bicycle", (119, 11, 32)),
)


class Cityscapes(FileDataset):
    """Cityscapes: street scenes of 2048x1024 pixels, 19 training classes, 255 ignored.

    Parameters
    ----------
    root : str or Path
        The folder that holds ``leftImg8bit/`` and ``gtFine/``.
    split : str
        ``train``, ``val`` or ``test`` (whose labels are all ignored).

    Raises
    ------
    DatasetError
        A folder or a label is missing.

    References
    ----------
    Cordts et al., "The Cityscapes dataset for semantic urban scene understanding", 2016.
    """

    name = "cityscapes"
    layout = "leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png and gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png"
    class_names = tuple(c.name for c in _CLASSES)
    class_colors = tuple(c.color for c in _CLASSES)
    ignore_index = 255
    # The files hold 34 ids, of which 19 are trained on; id -1 (licence plate) may stand there as 255.
    label_ids: ClassVar = dict.fromkeys((*range(34), 255), 255) | {c.label_id: i for i, c in enumerate(_CLASSES)}

    def __init__(self, root: str | Path | None, split: str = "val") -> None:
        ending = "_leftImg8bit.png"
        names = [
            f"{split}/{city}/{image.removesuffix(ending)}"
            for city in self._listing(root, f"leftImg8bit/{split}")
            for image in self._image_names(root, f"leftImg8bit/{split}/{city}")
            if image.endswith(ending)
        ]
        super().__init__(
            root,
            split,
            [f"leftImg8bit/{name}{ending}" for name in names],
            [f"gtFine/{name}_gtFine_labelIds.png" for name in names],
            [Path(name).name for name in names],
        )
