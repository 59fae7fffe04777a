"""Images and labels: CamVid, Cityscapes, PASCAL VOC 2012, a folder of images, and procedural scenes."""

from routeviz.datasets.camvid import CamVid
from routeviz.datasets.catalogue import DATASETS, open_dataset
from routeviz.datasets.sample import Sample

__all__ = ["DATASETS", "CamVid", "Sample", "open_dataset"]
