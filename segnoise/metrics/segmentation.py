"""The mmengine metric on top of :mod:`segnoise.metrics.functional`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce, get_dist_info
from mmengine.evaluator import BaseMetric
from torch import Tensor

from segnoise.metrics import functional as M
from segnoise.metrics.scores import confusion_matrix_from_scores


class SegmentationMetric(BaseMetric):
    """Per-class IoU, Dice and accuracy, mIoU, mDice and pixel accuracy of a whole data set.

    One (K, K) confusion matrix is accumulated on the predictions' device. Processes sum their
    matrices, so the result does not depend on how the samples were divided among them, and
    uneven shards need no padding. After :meth:`evaluate` the summed matrix is in
    :attr:`matrix`. Values are in percent; absent classes are left out of the means.

    Args:
        num_classes: K; None takes the number of the data set's classes.
        ignore_index: label left out; None takes the data set's.

    Example:
        >>> metric = SegmentationMetric(num_classes=2)
        >>> sample = dict(prediction=torch.tensor([[0, 1]]))
        >>> metric.process(dict(mask=torch.tensor([[[0, 1]]])), [sample])
        >>> metric.evaluate(1)["mIoU"]
        100.0
    """

    default_prefix = ""  # the names stand alone: mIoU, not segmentation/mIoU

    def __init__(self, num_classes: int | None = None, ignore_index: int | None = None) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.matrix: Tensor | None = None
        self._running: Tensor | None = None

    def _classes(self) -> int:
        if self.num_classes is not None:
            return self.num_classes
        if self.dataset_meta is None:
            raise ValueError("SegmentationMetric needs num_classes or a data set with metainfo")
        return len(self.dataset_meta["classes"])

    def _ignored(self) -> int:
        if self.ignore_index is not None:
            return self.ignore_index
        return (self.dataset_meta or {}).get("ignore_index", 255)

    def process(
        self, data_batch: Mapping[str, Any], data_samples: Sequence[Mapping[str, Any]]
    ) -> None:
        """Add a batch: ``data_batch["mask"]`` against each sample.

        A sample has ``probabilities`` (K, H, W), of one channel those of the second of two classes,
        or else a ``prediction`` (H, W).
        """
        for target, sample in zip(data_batch["mask"], data_samples, strict=True):
            counted = self._counted(target, sample)
            self._running = counted if self._running is None else self._running + counted

    def _counted(self, target: Tensor, sample: Mapping[str, Any]) -> Tensor:
        classes, ignored = self._classes(), self._ignored()
        scores = sample.get("probabilities")
        if scores is None:
            prediction = sample["prediction"]
            target = target.to(prediction.device, non_blocking=True)
            return M.confusion_matrix(prediction, target, classes, ignored)
        if max(2, len(scores)) != classes:
            raise ValueError(f"probabilities of {len(scores)} channels, and {classes} classes")
        target = target.to(scores.device, non_blocking=True)
        threshold = 0.5 if len(scores) == 1 else None
        return confusion_matrix_from_scores(
            scores[None], target[None], ignored, threshold=threshold
        )

    def evaluate(self, size: int) -> dict[str, float]:
        """Sum over processes and return mIoU, mDice and pixel_accuracy in percent.

        ``size`` is part of mmengine's call and not needed: matrices of uneven shards add up.
        """
        matrix = self._running
        if matrix is None:  # this process had no sample
            matrix = torch.zeros(self._classes(), self._classes(), dtype=torch.int64)
        if get_dist_info()[1] > 1:
            all_reduce(matrix)
        self.matrix, self._running = matrix.cpu(), None
        return self.compute_metrics([self.matrix])

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Means in percent of the summed matrices."""
        matrix = torch.stack(results).sum(0)
        return {
            "mIoU": 100 * float(M.mean_iou(matrix)),
            "mDice": 100 * float(M.mean_dice(matrix)),
            "pixel_accuracy": 100 * float(M.pixel_accuracy(matrix)),
        }


def per_class(matrix: Tensor, classes: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Per-class IoU, Dice and accuracy in percent, None where a class is absent."""
    columns = {
        "IoU": M.iou_per_class(matrix),
        "Dice": M.dice_per_class(matrix),
        "accuracy": M.accuracy_per_class(matrix),
    }
    return {
        name: {
            key: None if torch.isnan(value[k]) else 100 * float(value[k])
            for key, value in columns.items()
        }
        for k, name in enumerate(classes)
    }
