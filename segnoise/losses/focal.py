"""Focal loss."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from segnoise.losses.base import SegmentationLoss
from segnoise.losses.domain import check_number
from segnoise.losses.statistics import PixelStatistics
from segnoise.losses.sums import FocalTerm


class FocalLoss(SegmentationLoss):
    """Focal loss, ``-(1 - p_y)^gamma log p_y``: cross-entropy that spends less on easy pixels.

    y is the pixel's label, p = softmax(logits). Values >= 0, unbounded; cross-entropy at gamma = 0.

    Args:
        mode: as the other arguments, see ``SegmentationLoss``, also for shapes and errors.
        gamma: >= 0; 2 as in detection, 0.5 in the papers on noisy labels.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equation 4.

    Example:
        >>> import torch
        >>> FocalLoss("multiclass", gamma=2)(torch.zeros(1, 4, 2), torch.tensor([[3, 0]]))
        tensor(0.7798)
    """

    own_parameters = ("gamma",)

    def __init__(
        self,
        mode: str,
        *,
        gamma: float = 2.0,
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__(
            mode, ignore_index=ignore_index, reduction=reduction, class_weights=class_weights
        )
        self.gamma = check_number("gamma", gamma, least=0)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-(1 - p_y)^gamma log p_y``."""
        return -FocalTerm(self.gamma)(statistics.log_p)
