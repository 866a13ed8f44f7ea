"""Asymmetric distances of the whole prediction to a stretched label: ANorm and AMSE."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from segnoise.checks import check_float
from segnoise.losses.pixelwise import StatisticsLoss
from segnoise.losses.statistics import PixelStatistics
from segnoise.losses.sums import ClassSum
from segnoise.losses.terms import PowerTerm

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from segnoise.losses.base import CommonArguments


class AsymmetricNormLoss(StatisticsLoss):
    """Asymmetric norm (ANorm), ``(sum_k |a e_yk - p_k|^p - (a - 1)^p) / p``.

    e_y is the one-hot label, p_k the softmax of the logits, k runs over the K classes; the exponent
    is the parameter p. Values >= 0. Twice MAE at p = 1.

    Use it beside an active normalised loss; alone it learns slowly.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        a: stretch of the label, >= 1.
        p: exponent, > 0.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Source: Zhou et al., Asymmetric Loss Functions for Noise-Tolerant Learning: Theory and
    Applications, TPAMI 2023.

    Example:
        >>> loss = AsymmetricNormLoss("multiclass", a=1.0, p=2.0)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.3750)
    """

    own_parameters = ("a", "p")

    def __init__(
        self, mode: str, *, a: float = 1.5, p: float = 0.9, **common: Unpack[CommonArguments]
    ) -> None:
        super().__init__(mode, **common)
        self.a = check_float("a", a, least=1)
        self.p = check_float("p", p, above=0)
        self.sums = (ClassSum(PowerTerm(self.p), 0.0),)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return the distance, to 0 for all classes and then put right for the label."""
        p_y = statistics.log_p.exp()
        # At a = 1 the distance of the label reaches 0, where a root has no slope.
        gap = (self.a - p_y).clamp_min(1e-12) if self.a == 1 else self.a - p_y
        own = (
            torch.pow(gap, self.p)
            - (self.p * statistics.log_p).exp()
            - math.pow(self.a - 1, self.p)
        )
        return statistics[self.sums[0]] + own / self.p


class AsymmetricMeanSquaredErrorLoss(StatisticsLoss):
    """Asymmetric mean squared error (AMSE), ``mean_k (a e_yk - p_k)^2``.

    e_y is the one-hot label, p = softmax(logits), k runs over the K classes. Values >=
    (a - 1)^2 / K. The mean squared error (Brier score over K) at a = 1.

    Use it beside an active normalised loss, as "JAL-CE" does. It is asymmetric for noise below
    what a allows: with K = 10 and 80 % symmetric noise for a >= 9.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        a: stretch of the label, >= 1; the paper: 30 on CIFAR-10, 20 on CIFAR-100.
        **common: ``ignore_index``, ``reduction``, ``class_weights``, see ``SegmentationLoss``.

    Source: Wang et al., Joint Asymmetric Loss for Learning with Noisy Labels, ICCV 2025.

    Example:
        >>> loss = AsymmetricMeanSquaredErrorLoss("multiclass", a=1.0)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.1875)
    """

    own_parameters = ("a",)
    sums = (ClassSum(PowerTerm(2.0), 0.0),)

    def __init__(self, mode: str, *, a: float = 30.0, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.a = check_float("a", a, least=1)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``(sum_k p_k^2 - 2 a p_y + a^2) / K``."""
        squares = 2 * statistics[self.sums[0]]
        cross = 2 * self.a * statistics.log_p.exp()
        return (squares - cross + self.a**2) / statistics.num_classes
