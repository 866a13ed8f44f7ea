"""Bounded functions of the label's probability: MAE, reverse and generalised cross-entropy, ..."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float, check_integer
from segnoise.losses.base import CommonArguments, TermLoss
from segnoise.losses.core import BoundedTerm, PixelStatistics, PowerTerm, TaylorTerm, check_min_prob
from segnoise.losses.names import register


@register("MAE")
class MeanAbsoluteErrorLoss(TermLoss):
    """Mean absolute error (MAE), ``scale (1 - p_y)``: symmetric, hence robust, but slow to fit.

    y is the pixel's label, p = softmax(logits). Values in 0..scale; summed over all labels it is
    scale (K - 1). With scale = 2 it is the L1 distance of p to the one-hot label.

    Use it as the passive part of another loss ("NCE+MAE"): alone it hardly learns.

    Args:
        scale: > 0.
        mode, **common: see ``SegmentationLoss``.

    Source: Ghosh et al., Robust Loss Functions under Label Noise for Deep Neural Networks,
    AAAI 2017.

    Example:
        >>> MeanAbsoluteErrorLoss("multiclass")(torch.zeros(1, 4, 2), torch.tensor([[3, 0]]))
        tensor(0.7500)
    """

    term = PowerTerm(1.0)

    def __init__(self, mode: str, *, scale: float = 1.0, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.scale = check_float("scale", scale, above=0)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``scale (1 - p_y)``."""
        return self.scale * super().pixel_loss(statistics)


@register("RCE")
class ReverseCrossEntropyLoss(TermLoss):
    """Reverse cross-entropy (RCE), ``A (1 - p_y)`` with ``A = -log min_prob``: a scaled MAE.

    It is -sum_k p_k log t_k of the one-hot label t, whose log 0 is replaced by log min_prob. Values
    in 0..A; summed over all labels it is A (K - 1).

    Use it as the passive part of another loss ("SCE", "NCE+RCE"): alone it hardly learns.

    Args:
        min_prob: 1e-30 <= min_prob < 1; the paper's 1e-4 makes A = 9.21.
        mode, **common: see ``SegmentationLoss``.

    Source: Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019.

    Example:
        >>> ReverseCrossEntropyLoss("multiclass")(torch.zeros(1, 4, 2), torch.tensor([[3, 0]]))
        tensor(6.9078)
    """

    term = PowerTerm(1.0)

    def __init__(
        self, mode: str, *, min_prob: float = 1e-4, **common: Unpack[CommonArguments]
    ) -> None:
        super().__init__(mode, **common)
        self.min_prob = check_min_prob(min_prob)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``A (1 - p_y)``."""
        return -math.log(self.min_prob) * super().pixel_loss(statistics)


@register("GCE")
class GeneralizedCrossEntropyLoss(TermLoss):
    """Generalised cross-entropy (GCE), ``(1 - p_y^q) / q``: between cross-entropy and MAE.

    y is the pixel's label, p = softmax(logits). Cross-entropy as q -> 0, MAE at q = 1. Values in
    0..1/q.

    Use it as the first robust loss to try: q slides from cross-entropy to MAE.

    Args:
        q: 0 < q <= 1; larger is more robust and slower to fit.
        mode, **common: see ``SegmentationLoss``.

    Source: Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with
    Noisy Labels, NeurIPS 2018, equation 6.

    Example:
        >>> GeneralizedCrossEntropyLoss("multiclass")(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.8872)
    """

    def __init__(self, mode: str, *, q: float = 0.7, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.q = check_float("q", q, above=0, most=1)
        self.term = PowerTerm(self.q)


@register("TaylorCE")
class TaylorCrossEntropyLoss(TermLoss):
    """Taylor cross-entropy (TaylorCE), ``sum_{i=1..t} (1 - p_y)^i / i``: -log p_y's series, cut.

    y is the pixel's label, p = softmax(logits). MAE at t = 1, cross-entropy as t grows. Values in
    0..sum_{i=1..t} 1/i.

    Use it as GCE, whose knob q it makes a whole number.

    Args:
        t: number of terms, >= 1; the paper tries 2 to 6.
        mode, **common: see ``SegmentationLoss``.

    Source: Feng et al., Can Cross Entropy Loss Be Robust to Label Noise?, IJCAI 2020.

    Example:
        >>> TaylorCrossEntropyLoss("multiclass")(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(1.0312)
    """

    def __init__(self, mode: str, *, t: int = 2, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.t = check_integer("t", t, least=1)
        self.term = TaylorTerm(self.t)


@dataclass(frozen=True)
class HuberTerm(BoundedTerm):
    """The log-probability, made linear in p below 1/tau: partially Huberised cross-entropy's term.

    Args:
        tau: > 1.

    Example:
        >>> HuberTerm(tau=10.0)(torch.tensor([0.5, 0.0]).log())
        tensor([-0.6931, -3.3026])
    """

    tau: float

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return log p, or ``tau p - log tau - 1`` where p <= 1/tau."""
        line = self.tau * torch.exp(log_p) - (math.log(self.tau) + 1)
        return torch.where(log_p > -math.log(self.tau), log_p, line)

    def at(self, p: float) -> float:
        """Return log p, or ``tau p - log tau - 1`` where p <= 1/tau."""
        return math.log(p) if p > 1 / self.tau else self.tau * p - math.log(self.tau) - 1

    def slope(self, p: Tensor) -> Tensor | None:
        """Return ``min(tau p, 1)``."""
        return torch.mul(p, self.tau).clamp_max_(1)

    def rise(self, log_p: Tensor) -> Tensor:
        """Return ``tau p`` where p <= 1/tau, else ``log p + log tau + 1``."""
        bend = -math.log(self.tau)
        return torch.where(log_p > bend, log_p - bend + 1, self.tau * torch.exp(log_p))


@register("PHuberCE")
class PartiallyHuberisedCrossEntropyLoss(TermLoss):
    """Partially Huberised cross-entropy (PHuberCE): linear in p_y where p_y <= 1/tau.

    ``-tau p_y + log tau + 1`` there and ``-log p_y`` elsewhere, which continue each other with the
    same slope. y is the pixel's label, p = softmax(logits). Values in 0..1 + log tau.

    Use it to keep cross-entropy's fit and cut off the pull of labels it finds impossible.

    Args:
        tau: > 1; the paper: 2 on MNIST, 10 on CIFAR.
        mode, **common: see ``SegmentationLoss``.

    Source: Menon et al., Can Gradient Clipping Mitigate Label Noise?, ICLR 2020.

    Example:
        >>> loss = PartiallyHuberisedCrossEntropyLoss("multiclass", tau=10.0)
        >>> loss(torch.tensor([[[0.0], [9.0]]]), torch.tensor([[0]]))
        tensor(3.3014)
    """

    def __init__(self, mode: str, *, tau: float = 10.0, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.tau = check_float("tau", tau, above=1)
        self.term = HuberTerm(self.tau)
