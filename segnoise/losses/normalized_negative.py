"""Normalised negative losses: an active loss turned upside down, normalised, and made passive."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from segnoise.losses.base import SegmentationLoss
from segnoise.losses.domain import check_min_prob, check_number
from segnoise.losses.normalized import share
from segnoise.losses.statistics import PixelStatistics
from segnoise.losses.sums import ClassSum, FocalTerm, LogTerm


class NormalizedNegativeCrossEntropyLoss(SegmentationLoss):
    """Normalised negative cross-entropy (NNCE), ``1 - (A + l_y) / sum_k (A + l_k)``.

    ``l_k = max(log p_k, -A)``, ``A = -log min_prob``, p = softmax(logits), y the pixel's label and
    k over the K classes. Values in 0..1; summed over all labels it is K - 1.

    Args:
        mode: as the other arguments, see ``SegmentationLoss``, also for shapes and errors.
        min_prob: probability below which log p is cut off, 1e-30 <= min_prob < 1 and below 1/K.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.

    Source: Ye et al., Active Negative Loss Functions for Learning with Noisy Labels, NeurIPS 2023.

    Example:
        >>> import torch
        >>> loss = NormalizedNegativeCrossEntropyLoss("multiclass")
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.7500)
    """

    own_parameters = ("min_prob",)

    def __init__(
        self,
        mode: str,
        *,
        min_prob: float = 1e-7,
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__(
            mode, ignore_index=ignore_index, reduction=reduction, class_weights=class_weights
        )
        self.min_prob = check_min_prob(min_prob)
        self.sums = (ClassSum(LogTerm(), self.min_prob),)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``1 - (A + l_y) / sum_k (A + l_k)``."""
        check_below_uniform(self.min_prob, statistics.num_classes)
        return 1 - share(statistics, self.sums[0])


class NormalizedNegativeFocalLoss(SegmentationLoss):
    """Normalised negative focal loss (NNFL), ``1 - (A + f_y) / sum_k (A + f_k)``.

    ``f_k = max((1 - p_k)^gamma log p_k, -A)``, ``A = -(1 - min_prob)^gamma log min_prob``,
    p = softmax(logits), y the pixel's label and k over the K classes. Values in 0..1; summed over
    all labels it is K - 1. NNCE at gamma = 0.

    Args:
        mode: as the other arguments, see ``SegmentationLoss``, also for shapes and errors.
        gamma: >= 0.
        min_prob: probability below which the focal term is cut off, 1e-30 <= min_prob < 1 and
            below 1/K.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.

    Source: Ye et al., Active Negative Loss Functions for Learning with Noisy Labels, NeurIPS 2023.

    Example:
        >>> import torch
        >>> loss = NormalizedNegativeFocalLoss("multiclass")
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.7500)
    """

    own_parameters = ("gamma", "min_prob")

    def __init__(
        self,
        mode: str,
        *,
        gamma: float = 0.5,
        min_prob: float = 1e-7,
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__(
            mode, ignore_index=ignore_index, reduction=reduction, class_weights=class_weights
        )
        self.gamma = check_number("gamma", gamma, least=0)
        self.min_prob = check_min_prob(min_prob)
        self.sums = (ClassSum(FocalTerm(self.gamma), self.min_prob),)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``1 - (A + f_y) / sum_k (A + f_k)``."""
        check_below_uniform(self.min_prob, statistics.num_classes)
        return 1 - share(statistics, self.sums[0])


def check_below_uniform(min_prob: float, num_classes: int) -> None:
    """Raise unless min_prob < 1/K: else every class can be cut off at once, which gives 0 / 0.

    Raises:
        ValueError: if ``min_prob`` is 1/K or more.

    Example:
        >>> check_below_uniform(0.5, 4)
        Traceback (most recent call last):
        ...
        ValueError: min_prob must be below 1/K = 0.25 for K = 4 classes, got 0.5
    """
    if not min_prob < 1 / num_classes:
        raise ValueError(
            f"min_prob must be below 1/K = {1 / num_classes:g} for K = {num_classes} classes, "
            f"got {min_prob}"
        )
