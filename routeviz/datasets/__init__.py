"""Images and labels: CamVid, Cityscapes, PASCAL VOC 2012, a folder of images, procedural scenes and digits."""

from routeviz.datasets.camvid import CamVid
from routeviz.datasets.catalogue import DATASETS, open_dataset
from routeviz.datasets.cityscapes import Cityscapes
from routeviz.datasets.digits import Digits
from routeviz.datasets.folder import Folder
from routeviz.datasets.sample import Sample
from routeviz.datasets.scenes import SCALE_CLASSES, Scenes
from routeviz.datasets.voc import Voc

__all__ = [
    "DATASETS",
    "SCALE_CLASSES",
    "CamVid",
    "Cityscapes",
    "Digits",
    "Folder",
    "Sample",
    "Scenes",
    "Voc",
    "open_dataset",
]
