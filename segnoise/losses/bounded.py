"""Bounded functions of the label's probability alone: MAE, reverse cross-entropy, GCE.

They are written with exp, not expm1: autograd recovers expm1's slope e^x as (e^x - 1) + 1, which
has no correct digit left in float32 where the label's probability is small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from segnoise.losses.base import SegmentationLoss
from segnoise.losses.domain import check_min_prob, check_number
from segnoise.losses.statistics import PixelStatistics


class MeanAbsoluteErrorLoss(SegmentationLoss):
    """Mean absolute error, ``scale (1 - p_y)``: symmetric, hence robust, but slow to fit.

    y is the pixel's label, p = softmax(logits). Values in 0..scale; summed over all labels it is
    scale (K - 1). With scale = 2 it is the L1 distance of p to the one-hot label.

    Args:
        mode: as the other arguments, see ``SegmentationLoss``, also for shapes and errors.
        scale: > 0.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.

    Source: Ghosh et al., Robust Loss Functions under Label Noise for Deep Neural Networks,
    AAAI 2017.

    Example:
        >>> MeanAbsoluteErrorLoss("multiclass")(torch.zeros(1, 4, 2), torch.tensor([[3, 0]]))
        tensor(0.7500)
    """

    own_parameters = ("scale",)

    def __init__(
        self,
        mode: str,
        *,
        scale: float = 1.0,
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__(
            mode, ignore_index=ignore_index, reduction=reduction, class_weights=class_weights
        )
        self.scale = check_number("scale", scale, above=0)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``scale (1 - p_y)``."""
        return self.scale * (1 - statistics.log_p.exp())


class ReverseCrossEntropyLoss(SegmentationLoss):
    """Reverse cross-entropy, ``A (1 - p_y)`` with ``A = -log min_prob``: a scaled MAE.

    It is -sum_k p_k log t_k of the one-hot label t, whose log 0 is replaced by log min_prob. Values
    in 0..A; summed over all labels it is A (K - 1).

    Args:
        mode: as the other arguments, see ``SegmentationLoss``, also for shapes and errors.
        min_prob: 1e-30 <= min_prob < 1; the paper's 1e-4 makes A = 9.21.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.

    Source: Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019.

    Example:
        >>> ReverseCrossEntropyLoss("multiclass")(torch.zeros(1, 4, 2), torch.tensor([[3, 0]]))
        tensor(6.9078)
    """

    own_parameters = ("min_prob",)

    def __init__(
        self,
        mode: str,
        *,
        min_prob: float = 1e-4,
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__(
            mode, ignore_index=ignore_index, reduction=reduction, class_weights=class_weights
        )
        self.min_prob = check_min_prob(min_prob)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``A (1 - p_y)``."""
        return -math.log(self.min_prob) * (1 - statistics.log_p.exp())


class GeneralizedCrossEntropyLoss(SegmentationLoss):
    """Generalised cross-entropy, ``(1 - p_y^q) / q``: between cross-entropy and MAE.

    y is the pixel's label, p = softmax(logits). Cross-entropy as q -> 0, MAE at q = 1. Values in
    0..1/q.

    Args:
        mode: as the other arguments, see ``SegmentationLoss``, also for shapes and errors.
        q: 0 < q <= 1; larger is more robust and slower to fit.
        ignore_index: see ``SegmentationLoss``.
        reduction: see ``SegmentationLoss``.
        class_weights: see ``SegmentationLoss``.

    Source: Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with
    Noisy Labels, NeurIPS 2018, equation 6.

    Example:
        >>> GeneralizedCrossEntropyLoss("multiclass")(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.8872)
    """

    own_parameters = ("q",)

    def __init__(
        self,
        mode: str,
        *,
        q: float = 0.7,
        ignore_index: int | None = None,
        reduction: str = "mean",
        class_weights: Sequence[float] | Tensor | None = None,
    ) -> None:
        super().__init__(
            mode, ignore_index=ignore_index, reduction=reduction, class_weights=class_weights
        )
        self.q = check_number("q", q, above=0, most=1)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``(1 - p_y^q) / q``."""
        return (1 - torch.exp(self.q * statistics.log_p)) / self.q
