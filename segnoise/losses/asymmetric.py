"""Asymmetric losses: AGCE, AUL, AEL of the label's probability, ANorm and AMSE of all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import Unpack

from segnoise.checks import check_float
from segnoise.losses.base import CommonArguments, StatisticsLoss, TermLoss
from segnoise.losses.core import BoundedTerm, ClassSum, PixelStatistics, PowerTerm
from segnoise.losses.names import register


@dataclass(frozen=True)
class ShiftedPowerTerm(BoundedTerm):
    """``((a + p)^q - (a + 1)^q) / q``: AGCE's term.

    Args:
        a: shift, >= 0; 0 makes it GCE's.
        q: exponent, > 0.

    Example:
        >>> ShiftedPowerTerm(a=1.0, q=2.0)(torch.tensor([0.5]).log())
        tensor([-0.8750])
    """

    a: float
    q: float

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return ``((a + p)^q - (a + 1)^q) / q``."""
        if self.a == 0:
            return PowerTerm(self.q)(log_p)
        return (
            torch.pow(self.a + torch.exp(log_p), self.q) - math.pow(self.a + 1, self.q)
        ) / self.q

    def at(self, p: float) -> float:
        """Return ``((a + p)^q - (a + 1)^q) / q``."""
        return (math.pow(self.a + p, self.q) - math.pow(self.a + 1, self.q)) / self.q

    def slope(self, p: Tensor) -> Tensor | None:
        """Return ``p (a + p)^(q - 1)``."""
        if self.a == 0:
            return PowerTerm(self.q).slope(p)
        return (p + self.a).pow_(self.q - 1).mul_(p)

    def rise(self, log_p: Tensor) -> Tensor:
        """Return ``((a + p)^q - a^q) / q``."""
        if self.a == 0:
            return PowerTerm(self.q).rise(log_p)
        growth = torch.expm1(self.q * torch.log1p(torch.exp(log_p) / self.a))
        return growth * (math.pow(self.a, self.q) / self.q)


@dataclass(frozen=True)
class UnhingedPowerTerm(BoundedTerm):
    """``-((a - p)^q - (a - 1)^q) / q``: AUL's term.

    Args:
        a: > 1.
        q: exponent, > 0.

    Example:
        >>> UnhingedPowerTerm(a=2.0, q=2.0)(torch.tensor([0.5]).log())
        tensor([-0.6250])
    """

    a: float
    q: float

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return ``-((a - p)^q - (a - 1)^q) / q``."""
        return (
            math.pow(self.a - 1, self.q) - torch.pow(self.a - torch.exp(log_p), self.q)
        ) / self.q

    def at(self, p: float) -> float:
        """Return ``-((a - p)^q - (a - 1)^q) / q``."""
        return (math.pow(self.a - 1, self.q) - math.pow(self.a - p, self.q)) / self.q

    def slope(self, p: Tensor) -> Tensor | None:
        """Return ``p (a - p)^(q - 1)``."""
        return torch.rsub(p, self.a).pow_(self.q - 1).mul_(p)

    def rise(self, log_p: Tensor) -> Tensor:
        """Return ``(a^q - (a - p)^q) / q``."""
        fall = torch.expm1(self.q * torch.log1p(-torch.exp(log_p) / self.a))
        return fall * (-math.pow(self.a, self.q) / self.q)


@dataclass(frozen=True)
class ExponentialTerm(BoundedTerm):
    """``-exp(-p / a)``: AEL's term.

    Args:
        a: > 0.

    Example:
        >>> ExponentialTerm(a=2.5)(torch.tensor([0.5]).log())
        tensor([-0.8187])
    """

    a: float

    def __call__(self, log_p: Tensor) -> Tensor:
        """Return ``-exp(-p / a)``."""
        return -torch.exp(-torch.exp(log_p) / self.a)

    def at(self, p: float) -> float:
        """Return ``-exp(-p / a)``."""
        return -math.exp(-p / self.a)

    def slope(self, p: Tensor) -> Tensor | None:
        """Return ``p exp(-p / a) / a``."""
        return torch.exp(p / -self.a).mul_(p).div_(self.a)

    def rise(self, log_p: Tensor) -> Tensor:
        """Return ``1 - exp(-p / a)``."""
        return -torch.expm1(-torch.exp(log_p) / self.a)


@register("AGCE")
class AsymmetricGeneralizedCrossEntropyLoss(TermLoss):
    """Asymmetric generalised cross-entropy (AGCE), ``((a + 1)^q - (a + p_y)^q) / q``.

    y is the pixel's label, p = softmax(logits). Values in 0..((a+1)^q - a^q)/q. GCE at a = 0. Its
    asymmetry ratio is (a / (a + 1))^(1-q) for q <= 1; for q > 1 it is concave and tolerates any
    noise that leaves the true label the most frequent.

    Use it with an active normalised loss ("NCE+AGCE"): alone it learns slowly.

    Args:
        a: >= 0.
        q: > 0; the paper: a = 0.6, q = 0.6 alone, a = 6, q = 1.5 beside NCE (CIFAR-10).
        mode, **common: see ``SegmentationLoss``.

    Source: Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021.

    Example:
        >>> loss = AsymmetricGeneralizedCrossEntropyLoss("multiclass", a=1.0, q=2.0)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(1.2188)
    """

    def __init__(
        self, mode: str, *, a: float = 0.6, q: float = 0.6, **common: Unpack[CommonArguments]
    ) -> None:
        super().__init__(mode, **common)
        self.a = check_float("a", a, least=0)
        self.q = check_float("q", q, above=0)
        self.term = ShiftedPowerTerm(self.a, self.q)


@register("AUL")
class AsymmetricUnhingedLoss(TermLoss):
    """Asymmetric unhinged loss (AUL), ``((a - p_y)^q - (a - 1)^q) / q``.

    y is the pixel's label, p = softmax(logits). Values in 0..(a^q - (a-1)^q)/q. MAE at q = 1. Its
    asymmetry ratio is ((a - 1) / a)^(q-1) for q >= 1.

    Use it with an active normalised loss ("NCE+AUL"): alone it learns slowly.

    Args:
        a: > 1.
        q: > 0; the paper: a = 5.5, q = 3 alone, a = 6.3, q = 1.5 beside NCE (CIFAR-10).
        mode, **common: see ``SegmentationLoss``.

    Source: Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021.

    Example:
        >>> loss = AsymmetricUnhingedLoss("multiclass", a=2.0, q=2.0)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(1.0312)
    """

    def __init__(
        self, mode: str, *, a: float = 5.5, q: float = 3.0, **common: Unpack[CommonArguments]
    ) -> None:
        super().__init__(mode, **common)
        self.a = check_float("a", a, above=1)
        self.q = check_float("q", q, above=0)
        self.term = UnhingedPowerTerm(self.a, self.q)


@register("AEL")
class AsymmetricExponentialLoss(TermLoss):
    """Asymmetric exponential loss (AEL), ``exp(-p_y / a)``.

    y is the pixel's label, p = softmax(logits). Values in exp(-1/a)..1. Its asymmetry ratio is
    exp(-1/a).

    Use it with an active normalised loss ("NCE+AEL"): alone it learns slowly.

    Args:
        a: > 0; the paper: 2.5 alone, 5 beside NCE (CIFAR-10).
        mode, **common: see ``SegmentationLoss``.

    Source: Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021.

    Example:
        >>> loss = AsymmetricExponentialLoss("multiclass", a=1.0)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.7788)
    """

    def __init__(self, mode: str, *, a: float = 2.5, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.a = check_float("a", a, above=0)
        self.term = ExponentialTerm(self.a)


@register("ANorm")
class AsymmetricNormLoss(StatisticsLoss):
    """Asymmetric norm (ANorm), ``(sum_k |a e_yk - p_k|^p - (a - 1)^p) / p``.

    e_y is the one-hot label, p_k the softmax of the logits, k runs over the K classes; the exponent
    is the parameter p. Values >= 0. Twice MAE at p = 1.

    Use it beside an active normalised loss; alone it learns slowly.

    Args:
        a: stretch of the label, >= 1.
        p: exponent, > 0.
        mode, **common: see ``SegmentationLoss``.

    Source: Zhou et al., Asymmetric Loss Functions for Noise-Tolerant Learning: Theory and
    Applications, TPAMI 2023.

    Example:
        >>> loss = AsymmetricNormLoss("multiclass", a=1.0, p=2.0)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.3750)
    """

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


@register("AMSE")
class AsymmetricMeanSquaredErrorLoss(StatisticsLoss):
    """Asymmetric mean squared error (AMSE), ``mean_k (a e_yk - p_k)^2``.

    e_y is the one-hot label, p = softmax(logits), k runs over the K classes. Values >=
    (a - 1)^2 / K. The mean squared error (Brier score over K) at a = 1.

    Use it beside an active normalised loss, as "JAL-CE" does. It is asymmetric for noise below
    what a allows: with K = 10 and 80 % symmetric noise for a >= 9.

    Args:
        a: stretch of the label, >= 1; the paper: 30 on CIFAR-10, 20 on CIFAR-100.
        mode, **common: see ``SegmentationLoss``.

    Source: Wang et al., Joint Asymmetric Loss for Learning with Noisy Labels, ICCV 2025.

    Example:
        >>> loss = AsymmetricMeanSquaredErrorLoss("multiclass", a=1.0)
        >>> loss(torch.zeros(1, 4, 1), torch.tensor([[3]]))
        tensor(0.1875)
    """

    sums = (ClassSum(PowerTerm(2.0), 0.0),)

    def __init__(self, mode: str, *, a: float = 30.0, **common: Unpack[CommonArguments]) -> None:
        super().__init__(mode, **common)
        self.a = check_float("a", a, least=1)

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``(sum_k p_k^2 - 2 a p_y + a^2) / K``."""
        squares = 2 * statistics[self.sums[0]]
        cross = 2 * self.a * statistics.log_p.exp()
        return (squares - cross + self.a**2) / statistics.num_classes
