"""Segmentation metrics from one data-set-level confusion matrix."""

from segnoise.metrics.functional import (
    accuracy_per_class,
    confusion_matrix,
    dice_per_class,
    iou_per_class,
    mean_dice,
    mean_iou,
    pixel_accuracy,
)
from segnoise.metrics.scores import confusion_matrix_from_scores, greatest_class

__all__ = [
    "accuracy_per_class",
    "confusion_matrix",
    "confusion_matrix_from_scores",
    "dice_per_class",
    "greatest_class",
    "iou_per_class",
    "mean_dice",
    "mean_iou",
    "pixel_accuracy",
]
