"""Normalised negative losses: an active loss turned upside down, normalised, and made passive."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float
from segnoise.losses.base import CommonArguments
from segnoise.losses.core import (
    BoundedTerm,
    ClassSum,
    FocalTerm,
    LogTerm,
    PixelStatistics,
    check_min_prob,
)
from segnoise.losses.names import register, split_common
from segnoise.losses.normalized import ShareLoss, build_term_loss


class NegativeShareLoss(ShareLoss):
    """One minus the label's share of a flipped sum; the base of the normalised negative losses.

    Args, Shape, Raises: see ``SegmentationLoss``.
    """

    min_prob: float

    @property
    def normalizer(self) -> ClassSum:
        """The sum that the loss is divided by."""
        return ClassSum(self.term, self.min_prob)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``1 - (A - L_y) / sum_k (A - L_k)``."""
        check_below_uniform(self.min_prob, statistics.num_classes)
        return 1 - super().pixel_loss(statistics)


@register()
class NormalizedNegativeLoss(NegativeShareLoss):
    """Normalised negative loss (NNL), ``1 - (A - L_y) / sum_k (A - L_k)`` of any active loss L.

    L_k is the base loss of the pixel if its label were k, which runs over the K classes; A is L's
    upper bound: its value at p = 0 or, for a positive min_prob, at p = min_prob, beyond which L is
    cut off. Values in 0..1; summed over all labels it is K - 1: symmetric, hence robust.

    Use it beside the normalised loss of the same base, as ANL does.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        base: a loss of the label's probability alone: "CE", "FL", "MAE", "GCE", "TaylorCE",
            "PHuberCE", "JS", "AGCE", "AUL" or "AEL".
        min_prob: probability below which L is cut off, 0 or 1e-30 <= min_prob < 1, and below 1/K;
            by default 1e-7 for the unbounded bases "CE" and "FL", and 0, no cut, for the others.
        **own: the base loss's parameters and ``ignore_index``, ``reduction``, ``class_weights``,
            see ``SegmentationLoss``.

    Raises:
        ValueError: if there is no such base, or min_prob is out of its domain.
        TypeError: if the base has no parameter of such a name.

    Source: Ye et al., Active Negative Loss Functions for Learning with Noisy Labels, NeurIPS 2023.

    Example:
        >>> import torch
        >>> loss = NormalizedNegativeLoss("multiclass", base="GCE", q=0.5)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.7500)
    """

    def __init__(
        self, mode: str, *, base: str = "CE", min_prob: float | None = None, **own: Any
    ) -> None:
        own, common = split_common(own)
        super().__init__(mode, **common)
        self.base = build_term_loss(base, mode, own)
        self.term = self.base.term
        bounded = isinstance(self.term, BoundedTerm)
        if min_prob is None:
            min_prob = 0.0 if bounded else 1e-7
        uncut = bounded and min_prob == 0 and not isinstance(min_prob, bool)
        self.min_prob = 0.0 if uncut else check_min_prob(min_prob)


@register("NNCE")
class NormalizedNegativeCrossEntropyLoss(NegativeShareLoss):
    """Normalised negative cross-entropy (NNCE), ``1 - (A + l_y) / sum_k (A + l_k)``.

    ``l_k = max(log p_k, -A)``, ``A = -log min_prob``, p = softmax(logits), y the pixel's label and
    k over the K classes. Values in 0..1; summed over all labels it is K - 1.

    Use it beside NCE, as "ANL-CE" does.

    Args:
        min_prob: probability below which log p is cut off, 1e-30 <= min_prob < 1 and below 1/K.
        mode, **common: see ``SegmentationLoss``.

    Source: Ye et al., Active Negative Loss Functions for Learning with Noisy Labels, NeurIPS 2023.

    Example:
        >>> import torch
        >>> loss = NormalizedNegativeCrossEntropyLoss("multiclass")
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.7500)
    """

    term = LogTerm()

    def __init__(
        self, mode: str, *, min_prob: float = 1e-7, **common: Unpack[CommonArguments]
    ) -> None:
        super().__init__(mode, **common)
        self.min_prob = check_min_prob(min_prob)


@register("NNFL")
class NormalizedNegativeFocalLoss(NegativeShareLoss):
    """Normalised negative focal loss (NNFL), ``1 - (A + f_y) / sum_k (A + f_k)``.

    ``f_k = max((1 - p_k)^gamma log p_k, -A)``, ``A = -(1 - min_prob)^gamma log min_prob``,
    p = softmax(logits), y the pixel's label and k over the K classes. Values in 0..1; summed over
    all labels it is K - 1. NNCE at gamma = 0.

    Use it beside NFL, as "ANL-FL" does.

    Args:
        gamma: >= 0.
        min_prob: probability below which the focal term is cut off, 1e-30 <= min_prob < 1 and
            below 1/K.
        mode, **common: see ``SegmentationLoss``.

    Source: Ye et al., Active Negative Loss Functions for Learning with Noisy Labels, NeurIPS 2023.

    Example:
        >>> import torch
        >>> loss = NormalizedNegativeFocalLoss("multiclass")
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.7500)
    """

    def __init__(
        self,
        mode: str,
        *,
        gamma: float = 0.5,
        min_prob: float = 1e-7,
        **common: Unpack[CommonArguments],
    ) -> None:
        super().__init__(mode, **common)
        self.gamma = check_float("gamma", gamma, least=0)
        self.min_prob = check_min_prob(min_prob)
        self.term = FocalTerm(self.gamma)


def check_below_uniform(min_prob: float, num_classes: int) -> None:
    """Raise unless min_prob < 1/K: else every class can be cut off at once, which gives 0 / 0."""
    if not min_prob < 1 / num_classes:
        raise ValueError(
            f"min_prob must be below 1/K = {1 / num_classes:g} for K = {num_classes} classes, "
            f"got {min_prob}"
        )
