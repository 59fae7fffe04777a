"""Facts of a label image and of how well a segmentation fits it."""

from routeviz.metrics.objects import object_facts
from routeviz.metrics.segmentation import ClassCounts, confusion, iou, mean_iou, mean_iou_of, pixel_accuracy

__all__ = ["ClassCounts", "confusion", "iou", "mean_iou", "mean_iou_of", "object_facts", "pixel_accuracy"]
