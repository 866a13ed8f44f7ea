"""Cross-entropy."""

from __future__ import annotations

from torch import Tensor

from segnoise.losses.base import SegmentationLoss
from segnoise.losses.statistics import PixelStatistics


class CrossEntropyLoss(SegmentationLoss):
    """Cross-entropy, ``-log p_y``; not robust: the gradient of a wrong label never fades.

    y is the pixel's label, p = softmax(logits). Values >= 0, unbounded. Admits soft labels t:
    ``-sum_k t_k log p_k``; class weights w make that ``-sum_k w_k t_k log p_k``, and the mean
    divides by ``sum w_k t_k``, so that one-hot labels give what ids give (PyTorch's own mean
    divides by the number of pixels there). With ids it equals ``torch.nn.CrossEntropyLoss``.

    Args, Shape, Raises: see ``SegmentationLoss``.

    Example:
        >>> import torch
        >>> loss = CrossEntropyLoss("multiclass", ignore_index=255)
        >>> loss(torch.zeros(1, 4, 1, 2), torch.tensor([[[3, 255]]]))
        tensor(1.3863)
    """

    admits_soft_labels = True

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-log p_y``."""
        return -statistics.log_p
