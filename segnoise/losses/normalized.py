"""Normalised losses: a loss divided by its sum over all the labels the pixel could have."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from segnoise.losses.base import SegmentationLoss
from segnoise.losses.domain import check_number
from segnoise.losses.statistics import PixelStatistics
from segnoise.losses.sums import ClassSum, FocalTerm, LogTerm


def share(statistics: PixelStatistics, of: ClassSum) -> Tensor:
    """Return the label's share ``f(log p_y) / sum_k f(log p_k)`` of a sum over the classes.

    Example:
        >>> import torch
        >>> from segnoise.losses.statistics import pixel_statistics
        >>> logs = ClassSum(LogTerm())
        >>> s = pixel_statistics(torch.zeros(1, 4, 1), torch.tensor([[3]]), (logs,))
        >>> share(s, logs)
        tensor([[0.2500]])
    """
    return of.terms(statistics.log_p) / statistics[of]


class NormalizedCrossEntropyLoss(SegmentationLoss):
    """Normalised cross-entropy (NCE), ``log p_y / sum_k log p_k``.

    y is the pixel's label, p = softmax(logits), k runs over the K classes. Values in 0..1; summed
    over all labels it is 1: symmetric, hence robust, but on its own it underfits.

    Args, Shape, Raises: see ``SegmentationLoss``.

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020,
    equation 6.

    Example:
        >>> import torch
        >>> NormalizedCrossEntropyLoss("multiclass")(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.2500)
    """

    sums = (ClassSum(LogTerm()),)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``log p_y / sum_k log p_k``."""
        return share(statistics, self.sums[0])


class NormalizedFocalLoss(SegmentationLoss):
    """Normalised focal loss (NFL), ``f_y / sum_k f_k`` with ``f_k = (1 - p_k)^gamma log p_k``.

    y is the pixel's label, p = softmax(logits), k runs over the K classes. Values in 0..1; summed
    over all labels it is 1. NCE at gamma = 0.

    Args:
        mode: as the other arguments, see ``SegmentationLoss``, also for shapes and errors.
        gamma: >= 0.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020.

    Example:
        >>> import torch
        >>> NormalizedFocalLoss("multiclass")(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.2500)
    """

    own_parameters = ("gamma",)

    def __init__(
        self,
        mode: str,
        *,
        gamma: float = 0.5,
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__(
            mode, ignore_index=ignore_index, reduction=reduction, class_weights=class_weights
        )
        self.gamma = check_number("gamma", gamma, least=0)
        self.sums = (ClassSum(FocalTerm(self.gamma)),)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``f_y / sum_k f_k``."""
        return share(statistics, self.sums[0])
